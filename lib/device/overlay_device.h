// OverlayDevice: a device over another one that is only read. What is written stays apart, to be
// looked at, applied to a device, or thrown away: for previews.
//
// Writes of parts of blocks copy the rest of them from the device below, so that changes are whole
// blocks of 4096 bytes, but for the end of a device that is no multiple of them.
//
// Forks: a child has what its parent had written. Kept in memory, both go on by themselves; kept in
// a file, the child cannot write, and reads what its parent has there by then.
//
// Thread safety: all methods, from any thread. A read beside a write of the same bytes may find
// those of before, or of after, a block at a time.

#ifndef EBCACHE_LIB_DEVICE_OVERLAY_DEVICE_H_
#define EBCACHE_LIB_DEVICE_OVERLAY_DEVICE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"
#include "lib/device/change_store.h"

namespace ebcache {

class OverlayDevice : public BlockDevice {
 public:
  static constexpr uint64_t kBlockBytes = ChangeStore::kBlockBytes;

  // Over `base`, which is borrowed and must neither change nor go while this device is there.
  // Changes are kept in memory or, with a path, in a new file there, which has no name any more
  // when this returns. Errors: those of OpenFileStore.
  static absl::StatusOr<std::unique_ptr<OverlayDevice>> Create(BlockDevice* base,
                                                               const std::string& path = {});

  // ---- BlockDevice: what is written is there at once, and gone with this device. ----------------

  const std::string& name() const override { return base_->name(); }
  uint64_t size_bytes() const override { return base_->size_bytes(); }
  void Read(absl::Span<DeviceRead> reads) override;
  void ReadEach(absl::Span<DeviceRead> reads, absl::FunctionRef<void(size_t)> done) override;
  // A write that fails may have changed part of its range. ResourceExhausted where memory is out;
  // else the error of the file, or of the read of the device below that a part of a block takes.
  void Write(absl::Span<DeviceWrite> writes) override;

  // ---- The changes ------------------------------------------------------------------------------

  // Blocks that differ from those of the device below, or were at least written.
  uint64_t changed_blocks() const;

  // Calls tell(offset, bytes) for each block that is changed when this begins, in the order of
  // offsets; `bytes` are those of one moment, valid during the call. Ends with the first error,
  // which it returns. `tell` may use this device.
  absl::Status ForEachChange(
      absl::FunctionRef<absl::Status(uint64_t, absl::Span<const std::byte>)> tell);

  // Writes the changes that are `wanted`, by their offset, to `target`, cached and in the order of
  // offsets, and flushes it. They stay here as well. A crash may leave any part of them: a caller
  // that needs an order, superblocks last perhaps, of all of its devices, applies in several steps.
  // Errors: InvalidArgument when `target` is smaller than this device; ResourceExhausted; else that
  // of the first write or flush that failed, with the device and the offset. Some are written then.
  absl::Status Apply(BlockDevice& target, absl::FunctionRef<bool(uint64_t offset)> wanted);
  absl::Status Apply(BlockDevice& target) {
    return Apply(target, [](uint64_t) { return true; });
  }

  // Throws all changes away. An error says that the file could not be made smaller, no more.
  absl::Status Discard();

 private:
  OverlayDevice(BlockDevice* base, std::unique_ptr<ChangeStore> store);

  bool IsChanged(uint64_t offset, uint64_t length) const;
  uint64_t LengthOf(uint64_t block) const;
  // False when the block is not changed.
  absl::StatusOr<bool> LoadChange(uint64_t block, absl::Span<std::byte> to) const;
  absl::Status ReadOver(const DeviceRead& read);
  absl::Status WriteOver(const DeviceWrite& write);
  absl::Status WriteBlock(uint64_t block, uint64_t within, const Segments& bytes);
  absl::Status Keep(uint64_t block, absl::Span<const std::byte> bytes);
  std::vector<uint64_t> ChangesInOrder() const;
  absl::Status ApplyBatch(BlockDevice& target, absl::Span<const uint64_t> blocks);

  BlockDevice* const base_;
  // One write at a time: what it copies from below must not become older than another's bytes.
  sync::Mutex write_mutex_;
  mutable sync::Mutex mutex_;  // behind write_mutex_
  const std::unique_ptr<ChangeStore> store_ EBCACHE_PT_GUARDED_BY(mutex_);
  // Numbers in the store, by number of block.
  // Not Abseil's map, which does not outlive memory that is out while it grows.
  std::unordered_map<uint64_t, uint64_t> changes_ EBCACHE_GUARDED_BY(mutex_);
  ForkHandler at_fork_;  // last: it uses the others
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_DEVICE_OVERLAY_DEVICE_H_
