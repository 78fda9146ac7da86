// Transfers to several devices: one batch for each device, in the order of offsets.

#ifndef EBCACHE_LIB_DISK_DEVICE_BATCH_H_
#define EBCACHE_LIB_DISK_DEVICE_BATCH_H_

#include <absl/types/span.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include "ebcache/block_device.h"

namespace ebcache {

inline void SubmitTo(BlockDevice& device, absl::Span<DeviceRead> reads) { device.Read(reads); }
inline void SubmitTo(BlockDevice& device, absl::Span<DeviceWrite> writes) { device.Write(writes); }

// Transfer is DeviceRead or DeviceWrite.
template <typename Transfer>
class DeviceBatch {
 public:
  // `tag` is what Run gives back with the outcome.
  void Add(BlockDevice* device, size_t tag, Transfer transfer) {
    entries_.push_back({device, tag, std::move(transfer)});
  }

  bool empty() const { return entries_.empty(); }

  // Does them all, then calls done(tag, status) for each. The batch is empty afterwards.
  template <typename Done>
  void Run(Done done) {
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
      SubmitTo(*entries_[begin].device, absl::MakeSpan(&transfers[begin], end - begin));
      begin = end;
    }
    for (size_t i = 0; i < entries_.size(); ++i) done(entries_[i].tag, transfers[i].status);
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

#endif  // EBCACHE_LIB_DISK_DEVICE_BATCH_H_
