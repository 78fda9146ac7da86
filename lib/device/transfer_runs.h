// TransferRuns: the reads or the writes of a batch, with those that are neighbours on the device put
// together.

#ifndef EBCACHE_LIB_DEVICE_TRANSFER_RUNS_H_
#define EBCACHE_LIB_DEVICE_TRANSFER_RUNS_H_

#include <absl/types/span.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ebcache/block_device.h"

namespace ebcache {

// One transfer: number `first` to `first + count - 1` of the batch, one behind the other on the
// device.
struct TransferRun {
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

struct TransferRuns {
  // Of those whose status is OK; in the order given, so a caller that wants neighbours found sorts
  // by offset before. REQUIRES: their memory stays where it is while the runs are used. That of
  // writes is only read.
  explicit TransferRuns(absl::Span<const DeviceRead> reads);
  explicit TransferRuns(absl::Span<const DeviceWrite> writes);

  absl::Span<const iovec> VectorsOf(const TransferRun& run) const {
    return absl::MakeSpan(vectors).subspan(run.first_vector, run.vectors);
  }

  std::vector<TransferRun> runs;
  std::vector<iovec> vectors;

 private:
  template <typename Transfer>
  void Plan(absl::Span<const Transfer> transfers);
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_DEVICE_TRANSFER_RUNS_H_
