// The least that a walk with a hot page cache can cost: the bytes, and their checksums.

#ifndef EBCACHE_BENCH_SCORECARD_BARE_READS_H_
#define EBCACHE_BENCH_SCORECARD_BARE_READS_H_

#include <absl/status/statusor.h>

#include <string>

namespace ebcache::scorecard {

// Microseconds for each 16 KiB of what the file has that is no hole, read in random order by a
// thread for each processor, each into one buffer that stays in its cache, with a crc32c of it.
absl::StatusOr<double> BareReadUs(const std::string& path);

}  // namespace ebcache::scorecard

#endif  // EBCACHE_BENCH_SCORECARD_BARE_READS_H_
