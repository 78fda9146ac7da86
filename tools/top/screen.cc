#include "tools/top/screen.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ebcache::tools {
namespace {

// The one type that a signal handler may write and others may read.
volatile sig_atomic_t interrupt_requested = 0;

void NoteInterrupt(int /*signal*/) { interrupt_requested = 1; }

}  // namespace

Screen::Screen() {
  std::fputs("\x1b[?25l", stdout);  // no cursor
  std::fflush(stdout);
}

Screen::~Screen() {
  std::fputs("\x1b[0m\x1b[?25h", stdout);
  std::fflush(stdout);
}

ScreenSize Screen::size() const {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    return {};
  }
  return {.columns = size.ws_col, .lines = size.ws_row};
}

void Screen::Draw(const std::vector<std::string>& lines) {
  // All that is there goes once; after that each line takes the place of the one before, so that
  // nothing flickers.
  std::string frame = drawn_ ? "\x1b[H" : "\x1b[2J\x1b[H";
  drawn_ = true;
  const size_t most = size().lines - 1;  // the cursor stands in the last one
  for (size_t i = 0; i < std::min(lines.size(), most); ++i) {
    frame += lines[i];
    frame += "\x1b[0m\x1b[K\n";
  }
  frame += "\x1b[J";
  std::fwrite(frame.data(), 1, frame.size(), stdout);
  std::fflush(stdout);
}

bool StdoutIsScreen() {
  const char* terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && terminal != nullptr && std::strcmp(terminal, "dumb") != 0;
}

void CatchInterrupts() {
  struct sigaction action {};
  action.sa_handler = NoteInterrupt;
  action.sa_flags = SA_RESETHAND;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

bool InterruptRequested() { return interrupt_requested != 0; }

}  // namespace ebcache::tools
