// A terminal that shows one picture, redrawn in place.

#ifndef EBCACHE_TOOLS_TOP_SCREEN_H_
#define EBCACHE_TOOLS_TOP_SCREEN_H_

#include <cstddef>
#include <string>
#include <vector>

namespace ebcache::tools {

struct ScreenSize {
  size_t columns = 80;
  size_t lines = 24;
};

// Stdout while it is a terminal. Hides the cursor, and shows it again when the object goes.
//
// REQUIRES: a program that has one ends by returning, also on signals (see InterruptRequested).
class Screen {
 public:
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  ScreenSize size() const;
  // Lines may hold colours; they are the caller's to keep short enough. What does not fit below is
  // left out.
  void Draw(const std::vector<std::string>& lines);

 private:
  bool drawn_ = false;
};

// Whether stdout is a terminal that can be drawn on.
bool StdoutIsScreen();

// From the first call of CatchInterrupts on, SIGINT, SIGTERM and SIGHUP do not end the program:
// they are remembered, for it to end itself. A second one of the same kind does.
void CatchInterrupts();
bool InterruptRequested();

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_TOP_SCREEN_H_
