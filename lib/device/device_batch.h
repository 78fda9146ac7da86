// Transfers to several devices: one batch for each device, in the order of offsets.

#ifndef EBCACHE_LIB_DEVICE_DEVICE_BATCH_H_
#define EBCACHE_LIB_DEVICE_DEVICE_BATCH_H_

#include <absl/functional/function_ref.h>
#include <absl/types/span.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include "ebcache/block_device.h"

namespace ebcache {

inline void SubmitTo(BlockDevice& device, absl::Span<DeviceRead> reads,
                     absl::FunctionRef<void(size_t)> done) {
  device.ReadEach(reads, done);
}
inline void SubmitTo(BlockDevice& device, absl::Span<DeviceWrite> writes,
                     absl::FunctionRef<void(size_t)> done) {
  device.Write(writes);
  for (size_t i = 0; i < writes.size(); ++i) done(i);
}
// Writes that are on disk with the next flush of the device.
inline void SubmitCachedTo(BlockDevice& device, absl::Span<DeviceWrite> writes,
                           absl::FunctionRef<void(size_t)> done) {
  device.WriteCached(writes);
  for (size_t i = 0; i < writes.size(); ++i) done(i);
}

// Transfer is DeviceRead or DeviceWrite.
template <typename Transfer>
class DeviceBatch {
 public:
  // `tag` is what Run gives back with the outcome.
  void Add(BlockDevice* device, size_t tag, Transfer transfer) {
    entries_.push_back({device, tag, std::move(transfer)});
  }

  bool empty() const { return entries_.empty(); }

  // Does them all, and calls done(tag, status) as each is over. The batch is empty afterwards.
  template <typename Done>
  void Run(Done done) {
    Run(done, [](BlockDevice& device, absl::Span<Transfer> transfers,
                 absl::FunctionRef<void(size_t)> each) { SubmitTo(device, transfers, each); });
  }
  // The same, with what else SubmitTo may be.
  template <typename Done, typename Submit>
  void Run(Done done, Submit submit) {
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      if (a.device != b.device) return std::less<>()(a.device, b.device);
      return a.transfer.offset < b.transfer.offset;
    });
    std::vector<Transfer> transfers;
    transfers.reserve(entries_.size());
    for (Entry& entry : entries_) transfers.push_back(std::move(entry.transfer));
    for (size_t begin = 0; begin < entries_.size();) {
      size_t end = begin;
      while (end < entries_.size() && entries_[end].device == entries_[begin].device) ++end;
      submit(*entries_[begin].device, absl::MakeSpan(&transfers[begin], end - begin),
             [&](size_t i) { done(entries_[begin + i].tag, transfers[begin + i].status); });
      begin = end;
    }
    entries_.clear();
  }

 private:
  struct Entry {
    BlockDevice* device;
    size_t tag;
    Transfer transfer;
  };
  std::vector<Entry> entries_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_DEVICE_DEVICE_BATCH_H_
