// One line on the terminal that says how far long work has come.

#ifndef EBCACHE_TOOLS_PROGRESS_H_
#define EBCACHE_TOOLS_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <string_view>

namespace ebcache::tools {

// Rewrites its line on stderr a few times a second; prints nothing where stderr is no terminal. The
// line goes when the object does.
class Progress {
 public:
  // `anywhere`: also where stderr is no terminal, a line of its own each time and less often.
  explicit Progress(bool anywhere = false);
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Shows "  3.2 s  18234 blocks  FS_TREE" for Update(18234, "blocks", "FS_TREE"), if it is time.
  // Cheap to call.
  void Update(uint64_t count, std::string_view unit, std::string_view what);
  // The same at once, for what will stand there for a while.
  void Show(uint64_t count, std::string_view unit, std::string_view what);
  // Takes the line away, for other output to stand there.
  void Clear();

  double elapsed_s() const;

 private:
  using Clock = std::chrono::steady_clock;

  const bool on_terminal_;
  const bool anywhere_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point next_;
  bool shown_ = false;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_PROGRESS_H_
