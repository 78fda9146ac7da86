// Other programs, as black boxes.

#ifndef EBCACHE_BENCH_SCORECARD_PROCESS_H_
#define EBCACHE_BENCH_SCORECARD_PROCESS_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ebcache::scorecard {

struct Finished {
  int exit_code = 0;
  std::string output;            // stdout
  double seconds = 0;            // from start to end, by the clock on the wall
  double processor_seconds = 0;  // of all its threads, in the kernel as well
  // 0: not known. The kernel counts what a process was before it became the program, which is this
  // one; so only a program that had more than this one ever had can be told.
  uint64_t peak_rss_bytes = 0;
};

// Runs a program to its end. Its name is looked for in PATH, and where administrators' programs
// are. Errors: NotFound (there is no such program), Unavailable (it could not be run, or was
// killed).
absl::StatusOr<Finished> Run(const std::vector<std::string>& command);

// The same, and an exit code other than 0 is an error.
absl::StatusOr<Finished> RunWell(const std::vector<std::string>& command);

// Where the programs of the build are that this one is of.
std::string OwnBuild();

// A program of this project that was built along with this one; `label` as "tools/ebcache".
std::string BuiltProgram(std::string_view label);

}  // namespace ebcache::scorecard

#endif  // EBCACHE_BENCH_SCORECARD_PROCESS_H_
