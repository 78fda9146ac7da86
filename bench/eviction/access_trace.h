// AccessTrace: the order in which metadata blocks were touched, for judging eviction orders.

#ifndef EBCACHE_BENCH_EVICTION_ACCESS_TRACE_H_
#define EBCACHE_BENCH_EVICTION_ACCESS_TRACE_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ebcache::eviction {

struct Access {
  enum class Kind : uint8_t {
    kTouch,  // found, or made because it was not there
    kFree,   // freed stale: what was cached of the block is gone
  };
  Kind kind;
  uint32_t block;  // from 0, in the order of first appearance
};

struct AccessTrace {
  std::string name;
  std::vector<Access> accesses;
  uint32_t blocks = 0;   // how many different ones
  uint64_t touches = 0;  // accesses that are no frees
};

// Reads a recording, which is named after its file: a gzip file with a line an access, a letter (f found, a allocated, s freed
// stale) and the block's number in hex.
absl::StatusOr<AccessTrace> ReadRecording(const std::string& path);

// The recording of a kernel at work, $EBCACHE_SHARED/traces/metadata-access.gz. It is not part of
// the checkout: NotFound where the variable is not set, or nothing is there.
absl::StatusOr<AccessTrace> ReadKernelRecording();

// The recordings of what btrfs-progs asked of its own cache: check, check in low memory, and a repair,
// $EBCACHE_SHARED/traces/tool-*.gz. As above.
absl::StatusOr<std::vector<AccessTrace>> ReadToolRecordings();

// Walks a tree of 20,000 leaves from left to right, twice, while look-ups go on in it: after each
// leaf of the walk, four look-ups from the root to a leaf, some leaves far more popular than
// others (Zipf). The same for the same seed.
AccessTrace WalkWithLookups(uint64_t seed);

}  // namespace ebcache::eviction

#endif  // EBCACHE_BENCH_EVICTION_ACCESS_TRACE_H_
