#include "tools/progress.h"

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string_view>

namespace ebcache::tools {
namespace {

constexpr std::chrono::milliseconds kInterval{100};
constexpr std::chrono::milliseconds kIntervalOfLines{1000};

}  // namespace

Progress::Progress(bool anywhere) : on_terminal_(isatty(STDERR_FILENO) == 1), anywhere_(anywhere) {}

void Progress::Update(uint64_t count, std::string_view unit, std::string_view what) {
  if (!on_terminal_ && !anywhere_) return;
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + (on_terminal_ ? kInterval : kIntervalOfLines);
  Show(count, unit, what);
}

void Progress::Show(uint64_t count, std::string_view unit, std::string_view what) {
  if (!on_terminal_ && !anywhere_) return;
  // \x1b[K: what is left of a longer line before goes.
  std::fprintf(stderr, "%s%6.1f s  %9llu %.*s  %.*s%s", on_terminal_ ? "\r" : "", elapsed_s(),
               static_cast<unsigned long long>(count), static_cast<int>(unit.size()), unit.data(),
               static_cast<int>(what.size()), what.data(), on_terminal_ ? "\x1b[K" : "\n");
  std::fflush(stderr);
  shown_ = on_terminal_;
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
