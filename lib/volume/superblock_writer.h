// SuperblockWriter: the superblocks of all devices of a filesystem, written in the order of a commit.
//
// First everything is made ready, which may fail and writes nothing; from the first write on
// nothing asks for memory but the devices, and nothing throws.
//
// Thread safety: one thread.

#ifndef EBCACHE_LIB_VOLUME_SUPERBLOCK_WRITER_H_
#define EBCACHE_LIB_VOLUME_SUPERBLOCK_WRITER_H_

#include <absl/status/status.h>

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/on_disk.h"
#include "ebcache/volume.h"

namespace ebcache {

// BlockDevice::Flush; what it throws is an error of that device.
absl::Status FlushDevice(BlockDevice& device) noexcept;

class SuperblockWriter {
 public:
  // A device, and the superblock as it is to be there, at each place that has room for a copy. It
  // is held against what readers ask of one. Errors name the device: those of EncodeSuperblock and
  // ParseSuperblock. Throws bad_alloc. `flushed`: not OK, what the superblock leads to may not be on
  // the device, which keeps those that it has.
  absl::Status Add(BlockDevice* device, const Superblock& superblock,
                   const absl::Status& flushed = absl::OkStatus());

  // Writes them as Volume::WriteSuperblocks says. REQUIRES: no other call of it.
  absl::Status Write() noexcept;
  // Of the device that was added as number `n`, from 0. REQUIRES: Write has returned.
  bool HasPrimary(size_t n) const { return devices_[n].has_primary; }
  // The item that its superblocks have.
  const DeviceItem& item(size_t n) const { return devices_[n].item; }
  // What may not be on disk, by device. REQUIRES: Write has returned; once.
  std::vector<SuperblockFailure> TakeFailures() { return std::move(failures_); }

 private:
  struct Copy {
    std::array<std::byte, kSuperblockBytes> bytes;
    SuperblockFailure failure;  // its status is OK once it has been written
  };
  struct Device {
    BlockDevice* device = nullptr;
    DeviceItem item;
    std::vector<Copy> copies;  // the primary first
    bool has_primary = false;
    bool flushed = true;  // false: nothing is written, and the status of each copy says why
  };

  bool WritePrimaries() noexcept;
  void WriteMirrors() noexcept;
  void Flush() noexcept;
  void CollectFailures(size_t copies) noexcept;
  absl::Status NoPrimary() const noexcept;

  std::vector<Device> devices_;
  size_t copies_ = 0;                        // of all devices
  std::vector<SuperblockFailure> failures_;  // has room for that many
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_SUPERBLOCK_WRITER_H_
