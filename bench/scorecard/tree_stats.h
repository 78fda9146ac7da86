// Walks of whole filesystems by this project's own program, of this build or of another one.

#ifndef EBCACHE_BENCH_SCORECARD_TREE_STATS_H_
#define EBCACHE_BENCH_SCORECARD_TREE_STATS_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ebcache::scorecard {

struct Walk {
  uint64_t blocks = 0;           // visited
  uint64_t reads = 0;            // of these, those that were not cached any more; ours only
  double seconds = 0;            // by the clock on the wall
  double processor_seconds = 0;  // of all threads; ours only
  uint64_t peak_rss_bytes = 0;
};

// Walks all trees of `image` with the tree-stats of the build in `build` (OwnBuild()), 64 MiB of
// cache and more `flags`. Errors: NotFound (that build has no such program), Unavailable (it failed,
// or printed no report).
absl::StatusOr<Walk> WalkTrees(const std::string& build, const std::string& image,
                               const std::vector<std::string>& flags);

// What reads past the page cache.
std::vector<std::string> DirectFlags(int depth);

// Of a walk's seconds, those of each block.
absl::StatusOr<double> MicrosecondsEach(const absl::StatusOr<Walk>& walk,
                                        double Walk::*seconds = &Walk::seconds);

// Empty when `image` is there to be walked.
std::string WhyNoImage(const std::string& image);

}  // namespace ebcache::scorecard

#endif  // EBCACHE_BENCH_SCORECARD_TREE_STATS_H_
