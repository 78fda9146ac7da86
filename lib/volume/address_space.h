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
#include "ebcache/on_disk.h"
#include "ebcache/volume.h"
#include "lib/volume/chunk_map.h"

namespace ebcache {

// No profile that can be mapped has more: raid1c4.
inline constexpr size_t kMaxCopies = 4;
using Copies = absl::InlinedVector<PhysicalExtent, kMaxCopies>;

// Thread safety: the Add methods by one thread while no other uses the object; the rest from any
// thread.
class AddressSpace {
 public:
  explicit AddressSpace(const Superblock& superblock);

  // A device that is there, and stays as long as the address space. `item` is from its own
  // superblock. Errors, naming the device: InvalidArgument (another one has its id).
  absl::Status AddOpenDevice(BlockDevice* device, const DeviceItem& item);

  // A device as the chunk tree tells of it; it may be missing.
  // Errors: DataLoss (it is there and smaller than it should be).
  absl::Status AddDeviceItem(const DeviceItem& item);

  // Errors: DataLoss.
  absl::Status AddChunk(Chunk chunk);

  // As Volume::Map; errors do not name the range.
  absl::StatusOr<Copies> Map(uint64_t logical, uint64_t length) const;

  const ChunkMap& chunk_map() const { return chunk_map_; }
  std::vector<MissingDevice> missing_devices() const;
  // Whether the chunk tree has told of a device that is there.
  bool IsNamed(const DeviceItem& item) const;

  // As Volume::NoteMissingChunks.
  void NoteMissingChunks(const absl::Status& why) { missing_chunks_ = why; }

 private:
  struct OpenDevice {
    BlockDevice* device = nullptr;
    Uuid uuid;
    bool named = false;             // by the chunk tree
    uint64_t superblock_bytes = 0;  // how large its superblock says it is
  };
  // The device with this id and uuid; null when it is missing. An id is used again when a device is
  // replaced, so that alone does not tell.
  BlockDevice* FindDevice(uint64_t id, const Uuid& uuid) const;

  const bool mixed_groups_;
  const Uuid fsid_;  // of the device items of its own devices
  ChunkMap chunk_map_;
  std::map<uint64_t, OpenDevice> devices_;                      // by id
  std::map<std::pair<uint64_t, Uuid>, MissingDevice> missing_;  // by id and uuid
  absl::Status missing_chunks_;  // not OK: why there may be some that are not in chunk_map_
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_ADDRESS_SPACE_H_
