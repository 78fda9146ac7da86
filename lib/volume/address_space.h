// The devices of a filesystem and its chunks: from logical addresses to devices.

#ifndef EBCACHE_LIB_VOLUME_ADDRESS_SPACE_H_
#define EBCACHE_LIB_VOLUME_ADDRESS_SPACE_H_

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"
#include "ebcache/on_disk.h"
#include "ebcache/volume.h"
#include "lib/base/brief_mutex.h"
#include "lib/volume/chunk_map.h"

namespace ebcache {

// No profile that can be mapped has more: raid1c4.
inline constexpr size_t kMaxCopies = 4;
using Copies = absl::InlinedVector<PhysicalExtent, kMaxCopies>;

// Thread safety: all methods from any thread, but for AddOpenDevice, which belongs to the opener.
// What they give is a copy, and stays right for as long as its user takes: a chunk may be gone by
// then, a device is not.
class AddressSpace {
 public:
  explicit AddressSpace(const Superblock& superblock);
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  // As Volume::PublishSuperblock: new device items are told from those of seeds by it.
  void Publish(const Superblock& next);

  // A device that is there, and stays as long as the address space. `item` is from its own
  // superblock. Errors, naming the device: InvalidArgument (another one has its id).
  absl::Status AddOpenDevice(BlockDevice* device, const DeviceItem& item);

  // A device as the chunk tree tells of it; it may be missing.
  // Errors: DataLoss (it is there and smaller than it should be).
  absl::Status AddDeviceItem(const DeviceItem& item);

  // Errors: DataLoss.
  absl::Status AddChunk(Chunk chunk);
  // As Volume::RemoveChunk.
  absl::Status RemoveChunk(uint64_t logical);

  // As Volume::Map; errors do not name the range.
  absl::StatusOr<Copies> Map(uint64_t logical, uint64_t length) const;

  std::vector<Chunk> chunks() const;
  std::vector<MissingDevice> missing_devices() const;
  // Whether the chunk tree has told of a device that is there.
  bool IsNamed(const DeviceItem& item) const;

  // As Volume::NoteMissingChunks.
  void NoteMissingChunks(const absl::Status& why);

 private:
  struct OpenDevice {
    BlockDevice* device = nullptr;
    Uuid uuid;
    bool named = false;             // by the chunk tree
    uint64_t superblock_bytes = 0;  // how large its superblock says it is
  };
  // The device with this id and uuid; null when it is missing. An id is used again when a device is
  // replaced, so that alone does not tell.
  BlockDevice* FindDevice(uint64_t id, const Uuid& uuid) const EBCACHE_REQUIRES(mutex_);

  const bool mixed_groups_;
  // Brief: each block that is read or written is mapped under it.
  mutable BriefMutex mutex_;
  Uuid fsid_ EBCACHE_GUARDED_BY(mutex_);  // of the device items of its own devices
  ChunkMap chunk_map_ EBCACHE_GUARDED_BY(mutex_);
  std::map<uint64_t, OpenDevice> devices_ EBCACHE_GUARDED_BY(mutex_);  // by id
  // By id and uuid.
  std::map<std::pair<uint64_t, Uuid>, MissingDevice> missing_ EBCACHE_GUARDED_BY(mutex_);
  // Not OK: why there may be some that are not in chunk_map_.
  absl::Status missing_chunks_ EBCACHE_GUARDED_BY(mutex_);
  ForkHandler at_fork_;  // last: it uses the others
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_ADDRESS_SPACE_H_
