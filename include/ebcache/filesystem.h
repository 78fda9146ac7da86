// Filesystem: a btrfs filesystem opened for its metadata: devices, cache and trees together.
//
//   auto fs = ebcache::Filesystem::Open({"disk0.img", "disk1.img"}, {});
//   if (!fs.ok()) return Fail(fs.status());
//   auto extents = (*fs)->Tree(ebcache::kExtentTreeId);
//   if (!extents.ok()) return Fail(extents.status());
//   ebcache::ItemRange items = extents->Items();
//   for (const ebcache::Item& item : items) Print(item.key(), item.data());
//   if (!items.status().ok()) return Fail(items.status());
//
// Thread safety: everything may be called from any thread.

#ifndef EBCACHE_FILESYSTEM_H_
#define EBCACHE_FILESYSTEM_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/on_disk.h"
#include "ebcache/volume.h"

namespace ebcache {

namespace internal {
struct PreviewState;
}  // namespace internal

// The cache under a filesystem, and the function that is told of damage.
struct FilesystemOptions {
  // node_bytes is taken from the superblock; budget, allocator and flags are used as they are.
  BufferCacheOptions cache{};
  // Makes the cache's allocator, where cache.allocator is null, when the size of blocks is known: for
  // pages as large as they are, for example. Called once for each superblock that is tried, by the
  // thread that opens. Null is the cache's own.
  std::function<std::shared_ptr<PageAllocator>(uint32_t node_bytes)> make_allocator = nullptr;
  // Told of every copy of a block that could not be used, also where another one was good, while it
  // is being read: that block cannot be asked for yet (BlockSource).
  std::function<void(const MirrorDamage&)> on_damage = nullptr;
  // How Open reads image files and block devices.
  FileDeviceOptions device{};
  // Opens it for writing: transactions may be opened on it, and readers replace bad copies of blocks
  // where another one is good (VolumeOptions::writable, which also says what cannot be opened so).
  // Open opens the devices for writing, whatever `device` says; those given to OpenDevices have to
  // be. False: nothing is written.
  bool writable = false;
};

class Filesystem {
 public:
  // Opens image files or block devices, all of one filesystem and its seeds, and reads its chunk
  // tree. The filesystem is opened by its newest primary superblock; when the roots that this one
  // names cannot be read, by the next copy whose roots can: volume().superblock_copy() and a notice
  // say which. Errors are those of Volume::Open, Unimplemented where metadata is in chunks that
  // cannot be mapped (raid5/6), and ResourceExhausted where the cache's allocator has 255 owners
  // already, or where memory is out, here or in a device, for anything that opening has to read: no
  // other copy of the superblock is tried for that.
  // A missing device is no error while each block that is read has a copy elsewhere: which are
  // missing is told by volume().missing_devices(), and whether that is all there is to an error of
  // a block by volume().OnMissingDevices(logical).
  static absl::StatusOr<std::unique_ptr<Filesystem>> Open(const std::vector<std::string>& paths,
                                                          FilesystemOptions options = {});
  // The same, with devices of the caller's: wrapped, or made of memory.
  static absl::StatusOr<std::unique_ptr<Filesystem>> OpenDevices(
      std::vector<std::unique_ptr<BlockDevice>> devices, FilesystemOptions options = {});

  // REQUIRES: no references to its blocks are left.
  ~Filesystem();

  // FilesystemOptions::writable, as it was opened.
  bool writable() const { return writable_; }

  // See Volume::superblock.
  Superblock superblock() const { return volume_->superblock(); }
  Volume& volume() { return *volume_; }
  BufferCache& cache() { return *cache_; }

  // One block by logical address, checked against what is expected of it.
  absl::StatusOr<ExtentBufferRef> ReadTreeBlock(uint64_t logical, const ParentCheck& check = {});

  // A tree by id. NotFound when the root tree has none of that id; DataLoss when a block on the way
  // to it is damaged, or at an address that no chunk has.
  absl::StatusOr<BTree> Tree(uint64_t id);

  // Every tree there is: root and chunk tree, every root item in the root tree, and when there is a
  // log, its root and the log of each subvolume. `damage` collects what could not be read; the
  // trees found in spite of it are returned.
  std::vector<TreeRoot> Trees(std::vector<WalkDamage>* damage);

  // Damage met while opening that did not prevent it: parts of the chunk tree, and the root that
  // another superblock was used for: see volume().notices().
  const std::vector<WalkDamage>& open_damage() const { return open_damage_; }

 private:
  friend class Preview;
  friend class Session;

  Filesystem() = default;
  absl::Status OpenRoots(const FilesystemOptions& options);
  absl::Status UseSuperblock(size_t candidate, const absl::Status& why,
                             const FilesystemOptions& options);
  absl::Status LoadAll(const FilesystemOptions& options);
  void LoadChunks();
  std::optional<WalkDamage> RootDamage();
  bool IsDamage(const WalkDamage& damage) const;

  bool writable_ = false;
  // Whether a session is open. Taken with acquire and given back with release: the next session sees
  // all that the last one has done.
  std::atomic_flag has_session_;
  std::shared_ptr<internal::PreviewState> preview_;  // null: it is none of a preview
  std::unique_ptr<Volume> volume_;
  std::unique_ptr<BufferCache> cache_;
  std::vector<WalkDamage> open_damage_;
};

}  // namespace ebcache

#endif  // EBCACHE_FILESYSTEM_H_
