// ChunkMaker: new chunks, and the block groups on them, in an open transaction.
//
// A chunk is told of in the device tree (what it takes of each device), in the chunk tree (where it
// lies, and how much of each device is taken), in the trees of space (that all of it is free), and, a
// system chunk, in superblocks. Blocks may be put there at once: what a device's trees say is free,
// nothing that was committed uses.
//
// Thread safety: one thread at a time.

#ifndef EBCACHE_LIB_TXN_CHUNK_MAKER_H_
#define EBCACHE_LIB_TXN_CHUNK_MAKER_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "ebcache/on_disk.h"
#include "ebcache/volume.h"
#include "lib/space/chunk_planner.h"
#include "lib/txn/block_space.h"
#include "lib/txn/extent_updates.h"
#include "lib/txn/transaction_trees.h"

namespace ebcache::txn {

class ChunkMaker {
 public:
  // All must outlive this. `superblock` is the one that the transaction is going to write: its system
  // chunks are added to. `form` is looked at anew for each chunk.
  ChunkMaker(TransactionTrees* trees, BlockSpace* space, Volume* volume, const SpaceForm* form,
             const Uuid& chunk_tree_uuid, Superblock* superblock);

  // Makes a chunk of that type (kBlockGroupData, ...Metadata, ...System; data and metadata in mixed
  // groups) and profile, of at most so many bytes (0: as large as a kernel makes it). Errors, and
  // nothing has changed: ResourceExhausted (the devices have no room; the superblock has none for
  // another system chunk), Unimplemented (raid5, raid6), InvalidArgument (no type; a profile whose
  // feature the filesystem does not have). Any other one ends the transaction.
  absl::StatusOr<Chunk> Make(uint64_t type, RaidProfile profile, uint64_t most_bytes);

  // Makes one more chunk like the last of blocks where there is less room than `reserve_bytes`, and the
  // same for system blocks. OK also where there is no room for a chunk: what then finds no place says
  // so.
  absl::Status KeepReserve(uint64_t reserve_bytes, uint64_t system_reserve_bytes);

  // Of the devices that are there, as superblocks are to have them.
  const std::vector<DeviceItem>& devices() const { return devices_; }
  // Whether a chunk was begun and not ended, be it for want of memory: it must not be committed.
  bool half_made() const { return half_made_; }
  // The transaction does not happen: the volume forgets the chunks.
  void GiveUp();
  // Takes over what the chunk tree says of how much of each device is used: a superblock that a
  // device has missed may have told of chunks. What cannot be read there stays as it is.
  void TakeBytesUsed();

 private:
  absl::StatusOr<std::vector<space::DeviceSpace>> FreeOnDevices();
  absl::Status CheckProfile(uint64_t type, RaidProfile profile) const;
  absl::Status AddDeviceExtents(const Chunk& chunk);
  absl::Status AddChunkItem(const Chunk& chunk, const std::vector<std::byte>& item);
  absl::Status AddBlockGroup(const Chunk& chunk);
  absl::Status KeepReserveOf(bool system, uint64_t reserve_bytes);

  TransactionTrees& trees_;
  BlockSpace& space_;
  Volume& volume_;
  const SpaceForm& form_;
  const Uuid chunk_tree_uuid_;
  Superblock& superblock_;
  std::vector<DeviceItem> devices_;
  std::vector<uint64_t> made_;  // where they begin
  bool half_made_ = false;
  bool no_room_[2] = {false, false};  // for another chunk of blocks, of system blocks
};

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_CHUNK_MAKER_H_
