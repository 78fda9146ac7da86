// A filesystem made by mkfs.btrfs, held in memory, to be opened again and again.

#ifndef EBCACHE_TESTS_FS_SAMPLE_DEVICE_H_
#define EBCACHE_TESTS_FS_SAMPLE_DEVICE_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <memory>
#include <string>
#include <vector>

#include "ebcache/block_device.h"
#include "tests/device/memory_device.h"

namespace ebcache::testing {

// A device that is somebody else's: a filesystem owns its devices, tests want theirs back.
class BorrowedDevice : public BlockDevice {
 public:
  explicit BorrowedDevice(BlockDevice* device) : device_(device) {}
  const std::string& name() const override { return device_->name(); }
  uint64_t size_bytes() const override { return device_->size_bytes(); }
  void Read(absl::Span<DeviceRead> reads) override { device_->Read(reads); }
  void Write(absl::Span<DeviceWrite> writes) override { device_->Write(writes); }
  void WriteCached(absl::Span<DeviceWrite> writes) override { device_->WriteCached(writes); }
  absl::Status Flush() override { return device_->Flush(); }

 private:
  BlockDevice* const device_;
};

// `device` as Filesystem::Open wants it.
std::vector<std::unique_ptr<BlockDevice>> Borrow(BlockDevice& device);

// A filesystem of small files in one directory, made with these mkfs.btrfs options. Null when
// mkfs.btrfs failed; see HaveMkfs.
std::unique_ptr<MemoryDevice> MakeSampleDevice(const std::string& mkfs_options, int files);

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_FS_SAMPLE_DEVICE_H_
