#include "tools/progress.h"

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string_view>

namespace ebcache::tools {
namespace {

constexpr std::chrono::milliseconds kInterval{100};

}  // namespace

Progress::Progress() : on_terminal_(isatty(STDERR_FILENO) == 1) {}

void Progress::Update(uint64_t count, std::string_view unit, std::string_view what) {
  if (!on_terminal_) return;
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + kInterval;
  Show(count, unit, what);
}

void Progress::Show(uint64_t count, std::string_view unit, std::string_view what) {
  if (!on_terminal_) return;
  // \x1b[K: what is left of a longer line before goes.
  std::fprintf(stderr, "\r%6.1f s  %9llu %.*s  %.*s\x1b[K", elapsed_s(),
               static_cast<unsigned long long>(count), static_cast<int>(unit.size()), unit.data(),
               static_cast<int>(what.size()), what.data());
  std::fflush(stderr);
  shown_ = true;
}

void Progress::Clear() {
  if (!shown_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

double Progress::elapsed_s() const {
  return std::chrono::duration<double>(Clock::now() - begin_).count();
}

}  // namespace ebcache::tools
