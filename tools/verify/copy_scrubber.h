// Reads every copy of blocks, and says which are damaged.

#ifndef EBCACHE_TOOLS_VERIFY_COPY_SCRUBBER_H_
#define EBCACHE_TOOLS_VERIFY_COPY_SCRUBBER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/filesystem.h"
#include "ebcache/volume.h"

namespace ebcache::tools {

// A copy of a block that is not as it should be.
struct DamagedCopy {
  MirrorDamage copy;
  uint64_t tree = 0;
  uint64_t key_offset = 0;
  bool tree_deleted = false;
  uint8_t level = 0;
  std::optional<int> good_mirror;  // another copy, that is good

  // "tree FS_TREE, level 0, block 30408704, mirror 1 on disk0.img at 38797312: ...; mirror 2 is
  // good"
  std::string ToString() const;
};

// What became of the copies on one device.
struct DeviceTally {
  std::string name;
  uint64_t read = 0;  // copies
  uint64_t damaged = 0;
  uint64_t missing = 0;    // not read: the device is not there
  uint64_t no_memory = 0;  // not read: there was no room for them
};

// Blocks are collected, and their copies read in batches, each device in the order of offsets.
// Bounded in memory by the batch, and by kKept damaged copies that are remembered.
//
// Thread safety: belongs to one thread.
class CopyScrubber {
 public:
  static constexpr size_t kKept = 100000;

  explicit CopyScrubber(Filesystem& filesystem);
  ~CopyScrubber();

  // A block that was read and is good: the copy it came from counts as read, the others will be,
  // and held against this one's level, generation and first key.
  void Add(const TreeRoot& tree, const ExtentBuffer& block);
  // A block of which no copy is good, as the read of it told.
  void AddLost(const WalkDamage& damage, const std::vector<MirrorDamage>& copies);
  // Reads what is still waiting.
  void Flush();

  const std::vector<DamagedCopy>& damaged() const { return damaged_; }
  // All devices together.
  DeviceTally totals() const;
  const std::map<uint64_t, DeviceTally>& devices() const { return devices_; }  // by id

 private:
  struct Pending;
  static constexpr size_t kBatch = 128;  // copies

  void Judge(const Pending& pending, const absl::Status& status);
  void Note(DamagedCopy copy);
  DeviceTally& TallyOf(const PhysicalExtent& extent);

  Volume& volume_;
  BufferCache buffers_;  // for copies: outside of the filesystem's own, where there is one a block
  std::vector<Pending> pending_;
  std::vector<DamagedCopy> damaged_;
  std::map<uint64_t, DeviceTally> devices_;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_VERIFY_COPY_SCRUBBER_H_
