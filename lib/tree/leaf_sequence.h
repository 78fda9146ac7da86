// The leaves of a tree in key order, past those that cannot be read.

#ifndef EBCACHE_LIB_TREE_LEAF_SEQUENCE_H_
#define EBCACHE_LIB_TREE_LEAF_SEQUENCE_H_

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "ebcache/btree.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"
#include "lib/tree/block_visits.h"

namespace ebcache::internal {

// Ends for the reasons that a walk does (BlockVisits, and a level that falls with each step down),
// and hands out rising keys only.
//
// Thread safety: belongs to one thread.
class LeafSequence {
 public:
  // `tell` hears of every part of the range that is left out, when the sequence comes to it.
  LeafSequence(BTree tree, KeyRange range, std::function<void(const ItemGap&)> tell);

  // Puts `path` on the first item of the range that can be read; empty when there is none. The
  // range may end before that item.
  void First(Path& path);
  // The same behind the last item of the leaf that `path` stands in. REQUIRES: path came from here.
  void Next(Path& path);

  // The first that `tell` heard, in words that name the tree and the block; OK when there was none.
  const absl::Status& first_damage() const { return first_damage_; }

 private:
  // From the slot of the node on `level` down to a leaf, or on to the slots behind it.
  void GoDown(Path& path, int level);
  // What the slot of the node on `level` leads to, if that can be used. Tells when it cannot.
  ExtentBufferRef Follow(const Path& path, int level);
  absl::Status CheckOrder(const ExtentBuffer& block, int level) const;
  // The first slot of `node` that leads to keys of the range.
  uint32_t FirstSlot(const ExtentBuffer& node, int level) const;
  void Tell(const KeyRange& keys, int level, uint64_t logical, const absl::Status& status);

  const BTree tree_;
  const KeyRange range_;
  const std::function<void(const ItemGap&)> tell_;
  BlockVisits visits_;
  std::optional<Key> last_;  // of the leaf before
  absl::Status first_damage_;
};

}  // namespace ebcache::internal

#endif  // EBCACHE_LIB_TREE_LEAF_SEQUENCE_H_
