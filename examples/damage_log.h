// What was found damaged, block by block: put together from what the volume says of copies and what
// walks say of places in trees.

#ifndef EBCACHE_EXAMPLES_DAMAGE_LOG_H_
#define EBCACHE_EXAMPLES_DAMAGE_LOG_H_

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/volume.h"

namespace ebcache::examples {

// A block of which at least one copy could not be used, or that is not what its place in the tree
// asks for.
struct BlockDamage {
  uint64_t tree = 0;
  uint64_t key_offset = 0;
  uint8_t level = 0;
  uint64_t logical = 0;
  std::string reason;
  bool recovered = false;  // another copy was good
  std::vector<MirrorDamage> mirrors;

  // "tree FS_TREE, level 1, block 30408704: ..."
  std::string ToString() const;
};

// Of each kind, lost and recovered, the first kKept are remembered, the others counted.
//
// Thread safety: NoteMirror from any thread; the rest belongs to the thread that walks.
class DamageLog {
 public:
  static constexpr size_t kKept = 1000;

  // For FilesystemOptions::on_damage.
  void NoteMirror(const MirrorDamage& damage);

  // A block was read: what was noted of its copies is damage that was recovered. Each block is
  // reported for the first tree that has it.
  void NoteGoodBlock(const TreeRoot& tree, const ExtentBuffer& block);

  // Damage that a walk met.
  void NoteDamage(const WalkDamage& damage);
  // Damage met in trees that will be walked again: what is told a second time counts once.
  void NoteEarly(const WalkDamage& damage);

  const std::vector<BlockDamage>& lost() const { return lost_; }
  const std::vector<BlockDamage>& recovered() const { return recovered_; }
  uint64_t lost_count() const { return lost_count_; }
  uint64_t recovered_count() const { return recovered_blocks_.size(); }

 private:
  // What was noted of the copies of a block since it was read last.
  std::vector<MirrorDamage> TakeMirrors(uint64_t logical);

  std::mutex mutex_;
  // Guarded by mutex_. Emptied as the walk gets to the blocks, so never larger than what it reads
  // ahead.
  absl::flat_hash_map<uint64_t, std::vector<MirrorDamage>> mirrors_;

  absl::flat_hash_set<size_t> early_;  // hashes of the messages
  absl::flat_hash_set<uint64_t> recovered_blocks_;
  std::vector<BlockDamage> lost_;
  std::vector<BlockDamage> recovered_;
  uint64_t lost_count_ = 0;
};

}  // namespace ebcache::examples

#endif  // EBCACHE_EXAMPLES_DAMAGE_LOG_H_
