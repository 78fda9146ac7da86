// What was found damaged, block by block: put together from what the volume says of copies and what
// walks say of places in trees.

#ifndef EBCACHE_EXAMPLES_DAMAGE_LOG_H_
#define EBCACHE_EXAMPLES_DAMAGE_LOG_H_

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/volume.h"
#include "examples/lost_blocks.h"

namespace ebcache::examples {

// Of each kind, lost and recovered, the first kKept are remembered, the others counted. Each block
// is told of once, with the tree that led there first.
//
// Thread safety: NoteMirror from any thread; the rest belongs to the thread that walks.
class DamageLog {
 public:
  static constexpr size_t kKept = LostBlocks::kKept;

  // For FilesystemOptions::on_damage.
  void NoteMirror(const MirrorDamage& damage);

  // A block was read: what was noted of its copies is damage that was recovered. Each block is
  // reported for the first tree that has it.
  void NoteGoodBlock(const TreeRoot& tree, const ExtentBuffer& block);

  // What a walk could not enter.
  void NoteDamage(const WalkDamage& damage, Cause cause);

  const LostBlocks& lost() const { return lost_; }
  const std::vector<BlockDamage>& recovered() const { return recovered_; }
  uint64_t lost_count() const { return lost_.count(Cause::kDamage); }
  uint64_t recovered_count() const { return recovered_blocks_.size(); }

 private:
  // What was noted of the copies of a block since it was read last.
  std::vector<MirrorDamage> TakeMirrors(uint64_t logical);

  std::mutex mutex_;
  // Guarded by mutex_. Emptied as the walk gets to the blocks, so never larger than what it reads
  // ahead.
  std::unordered_map<uint64_t, std::vector<MirrorDamage>> mirrors_;

  std::unordered_set<uint64_t> recovered_blocks_;
  LostBlocks lost_;
  std::vector<BlockDamage> recovered_;
};

}  // namespace ebcache::examples

#endif  // EBCACHE_EXAMPLES_DAMAGE_LOG_H_
