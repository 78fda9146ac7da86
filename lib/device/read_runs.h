// ReadRuns: the reads of a batch, with those that are neighbours on the device put together.

#ifndef EBCACHE_LIB_DEVICE_READ_RUNS_H_
#define EBCACHE_LIB_DEVICE_READ_RUNS_H_

#include <absl/types/span.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ebcache/block_device.h"

namespace ebcache {

// One transfer: reads[first] to reads[first + count - 1], one behind the other on the device.
struct ReadRun {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  size_t first = 0;
  size_t count = 0;
  size_t first_vector = 0;  // of the pieces of memory
  size_t vectors = 0;
  bool aligned = true;  // memory and offset at multiples of kDirectAlignment
};

// What direct reads ask of memory and offsets. Devices with smaller sectors ask for less.
inline constexpr uint64_t kDirectAlignment = 4096;

struct ReadRuns {
  // Of those reads whose status is OK; in the order given, so a caller that wants neighbours found
  // sorts by offset before. REQUIRES: the reads stay where they are while the runs are used.
  explicit ReadRuns(absl::Span<const DeviceRead> reads);

  absl::Span<const iovec> VectorsOf(const ReadRun& run) const {
    return absl::MakeSpan(vectors).subspan(run.first_vector, run.vectors);
  }

  std::vector<ReadRun> runs;
  std::vector<iovec> vectors;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_DEVICE_READ_RUNS_H_
