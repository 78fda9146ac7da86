// B-trees: search, iteration over key ranges, and walks over whole trees, through a BufferCache.
//
// Thread safety: a BTree is a value that any thread may copy and use; a Path, an ItemRange and a
// walk belong to one thread each. The tree must not change while it is read.

#ifndef EBCACHE_BTREE_H_
#define EBCACHE_BTREE_H_

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/block_set.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"

namespace ebcache {

class Readahead;  // readahead.h

namespace internal {
class LeafSequence;  // behind an ItemRange that goes on past damage
}  // namespace internal

// Where a tree is.
struct TreeRoot {
  uint64_t id = 0;  // kFsTreeId, 256, kTreeLogId, ...
  // Of the root item: tells the trees of a log, and relocation trees, apart. There it is the id of
  // the subvolume; for the tree of all logs itself it is 0.
  uint64_t key_offset = 0;
  uint64_t bytenr = 0;  // logical address of the root block
  uint64_t generation = 0;
  uint8_t level = 0;
  std::string name;  // "FS_TREE", "256", "TREE_LOG 5"
  // Of a subvolume being deleted: the key, in a node on drop_level, of the first child that is
  // still there. All before it may be gone already. kMinKey otherwise.
  Key drop_progress;
  uint8_t drop_level = 0;
  // Of the root item: how many places in the directories lead to a subvolume. A tree that no root
  // item tells of has 1.
  uint32_t refs = 1;
  // A subvolume that users have deleted: its blocks are still there, all or some of them, until the
  // kernel has freed them. What is in it is no longer part of the filesystem. Only root items of
  // subvolumes count references.
  bool deleted() const { return refs == 0 && IsFsTree(id); }
};

// What to call the tree whose root item has this id and key offset, as TreeRoot::name has it.
std::string TreeRootName(uint64_t id, uint64_t key_offset);

// An item as iteration hands it out. Valid until the iteration goes on.
class Item {
 public:
  Item() = default;
  Item(Item&&) = default;
  Item& operator=(Item&&) = default;

  const Key& key() const { return key_; }
  // The data, in one piece: where it lies in the buffer, or a copy when it straddles pages.
  absl::Span<const std::byte> data() const { return data_; }

 private:
  friend class Path;
  Key key_;
  absl::Span<const std::byte> data_;
  std::vector<std::byte> copy_;
};

// A place in a tree: the blocks from the root down to a leaf, held by references, and a slot in
// each. Empty when default-made. Move-only.
class Path {
 public:
  Path() = default;

  // Whether the path stands on an item. False past the last item, and when it is empty.
  bool valid() const { return leaf() && slot(0) < Header(*leaf()).item_count(); }

  // The block and slot at a level; level 0 is the leaf. Empty refs above the root.
  const ExtentBufferRef& node(int level) const { return nodes_[level]; }
  uint32_t slot(int level) const { return slots_[level]; }
  const ExtentBufferRef& leaf() const { return nodes_[0]; }
  // REQUIRES: a path that is not empty.
  int root_level() const { return root_level_; }

  // REQUIRES: valid().
  Key key() const { return LeafKey(*leaf(), slot(0)); }
  // Fills `item`. DataLoss never happens on a leaf that passed the checker.
  absl::Status Load(Item& item) const;

 private:
  friend class BTree;
  friend class internal::LeafSequence;
  std::array<ExtentBufferRef, kMaxLevels> nodes_;
  std::array<uint32_t, kMaxLevels> slots_{};
  bool empty() const { return cache_ == nullptr; }

  // The tree that the path stands in: its root block, and the cache that has it, null in an empty
  // path.
  int root_level_ = 0;
  uint64_t root_bytenr_ = 0;
  const BufferCache* cache_ = nullptr;
};

// Which items of a tree; by default all.
struct KeyRange {
  Key from = kMinKey;
  Key to = kMaxKey;  // the last key included
};

class ItemRange;
struct ItemGap;

// How iteration goes about damage.
struct ItemRangeOptions {
  // Hears of each part of the range that cannot be had, in key order, between the items before it
  // and those behind it: iteration goes on there, as walks do. On the thread that iterates. Null:
  // iteration ends at the first such part.
  std::function<void(const ItemGap&)> on_gap = nullptr;
};

// A tree, for searching. Of a subvolume that is being deleted only what is still there: the blocks
// that its drop_progress says may be gone are not asked for.
//
// Errors of all that reads blocks: DataLoss, a block is damaged, or the tree leads to an address that
// no chunk has; those of BufferCache::ReadBlock otherwise. NotFound is the answer about items alone.
class BTree {
 public:
  // `cache` must outlive the tree and everything made from it.
  BTree(BufferCache* cache, TreeRoot root) : cache_(cache), root_(std::move(root)) {}

  const TreeRoot& root() const { return root_; }

  // The first item at or after `key`; an invalid path (valid() == false) when there is none.
  absl::StatusOr<Path> Search(const Key& key) const;
  // The item with exactly this key; NotFound when there is none.
  absl::StatusOr<Path> Find(const Key& key) const;
  // The last item at or before `key`; NotFound when there is none.
  absl::StatusOr<Path> SearchBackward(const Key& key) const;

  // As Search, for a path that stands in this tree already, or is empty: the blocks that it has in
  // common with the new way down keep the references they have. A thread that searches again and
  // again with one path leaves the root of the tree alone: no atomic operation on it, however many
  // threads do the same, and none at all where the key is in the leaf that the path stands in. On
  // an error the path is empty.
  absl::Status Seek(const Key& key, Path& path) const;

  // Moves to the next, or previous, item. After the last one `path` is not valid() but Previous
  // still leads back; Previous on the first item is NotFound and leaves `path` where it was. On any
  // other error `path` is empty. Keys always rise: leaves that overlap are DataLoss, so that no
  // tree, however it is knotted, is gone through for ever.
  // REQUIRES: a path of this tree, not empty.
  absl::Status Next(Path& path) const;
  absl::Status Previous(Path& path) const;

  // for (const Item& item : tree.Items({.from = key})) ...; then ask status().
  ItemRange Items(KeyRange range = {}, ItemRangeOptions options = {}) const;

 private:
  friend class ItemRange;
  friend class internal::LeafSequence;
  enum class Edge { kFirst, kLast };

  // The leaf where `key` is or would be, and the first slot there at or after it, which may be
  // behind the leaf's last item.
  absl::StatusOr<Path> Locate(const Key& key) const;
  // The same from where `path` stands, which may be nowhere.
  absl::Status GoTo(const Key& key, Path& path) const;
  absl::StatusOr<ExtentBufferRef> ReadRoot() const;
  // Puts `path` on the root, which the caller has read.
  void StandOnRoot(Path& path, ExtentBufferRef root) const;
  // CHECKs that `path` is empty or stands in this tree.
  void CheckOurs(const Path& path) const;
  // What a pointer in a node at `level` leads to. Errors of these two do not name the tree.
  absl::StatusOr<ExtentBufferRef> ReadBelow(const KeyPointer& pointer, int level) const;
  // The child that the slot of the node at `level` points to.
  absl::StatusOr<ExtentBufferRef> ReadChild(const Path& path, int level) const;
  // Goes down from the node at `level` and its slot, along the first or the last slots below.
  absl::Status Descend(Path& path, int level, Edge edge) const;
  // Moves from anywhere in a leaf to the first item of the next; behind the last item of this one
  // when there is no next.
  absl::Status NextLeaf(Path& path) const;
  // Moves to the next item of the same leaf; false behind its last one.
  static bool NextInLeaf(Path& path) { return ++path.slots_[0], path.valid(); }

  BufferCache* cache_;
  TreeRoot root_;
};

// The items of a key range, for a range-for loop; holds one path while it goes. Ends early on an
// error, which status() then tells; see ItemRangeOptions for going on behind it.
class ItemRange {
 public:
  ItemRange(ItemRange&&);
  ItemRange& operator=(ItemRange&&);
  ~ItemRange();

  // What a range-for loop needs.
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Item;
    using difference_type = std::ptrdiff_t;
    using pointer = const Item*;
    using reference = const Item&;

    const Item& operator*() const { return range_->item_; }
    const Item* operator->() const { return &range_->item_; }
    Iterator& operator++() {
      range_->Advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return range_->done_; }

   private:
    friend class ItemRange;
    explicit Iterator(ItemRange* range) : range_(range) {}
    ItemRange* range_;
  };

  Iterator begin();
  std::default_sentinel_t end() const { return {}; }

  // OK after a loop that came by every item of the range, or before one. Where it went on behind
  // damage, the first that was left out.
  const absl::Status& status() const { return status_; }

 private:
  friend class BTree;
  ItemRange(BTree tree, KeyRange range, ItemRangeOptions options);
  void Advance();
  void Settle();
  void SettlePastGaps();

  BTree tree_;
  KeyRange range_;
  ItemRangeOptions options_;
  Path path_;
  Item item_;
  bool done_ = false;
  absl::Status status_;
  std::unique_ptr<internal::LeafSequence> leaves_;  // with on_gap only, once begun
};

// ---- Whole trees --------------------------------------------------------------------------------

// A subtree that a walk could not enter.
struct WalkDamage {
  uint64_t tree = 0;
  uint64_t key_offset = 0;  // as in TreeRoot
  uint8_t level = 0;        // of the block, as its parent has it
  uint64_t logical = 0;
  absl::Status status;        // names mirrors, devices, physical offsets and reasons
  bool tree_deleted = false;  // TreeRoot::deleted
  std::optional<Key> item;    // the one that is wrong, in a leaf that is good otherwise
  // What is wrong, without the block's address in front.
  std::string reason() const;
  // "tree FS_TREE, level 1, block 30408704: ..."
  std::string ToString() const;
};

// A part of a tree that iteration has left out: a block that cannot be read, or is not what its
// place asks for, and all that would be below it.
struct ItemGap {
  KeyRange keys;  // items with these keys may be missing, and no others for this block's sake
  WalkDamage damage;
};

// What a walk tells as it goes. Calls come from the thread that walks.
class TreeVisitor {
 public:
  virtual ~TreeVisitor() = default;
  // A block, read and checked: parents before their children, children in key order. False: do not
  // go below it.
  virtual bool VisitBlock(const TreeRoot& tree, const ExtentBuffer& block) = 0;
  // A block that could not be read, or is no child of this parent. The walk goes on beside it.
  virtual void VisitDamage(const WalkDamage& damage) = 0;
  // Asked after each of these. True: the walk ends. It tells nothing more and begins no more reads;
  // what it has asked its readahead for is forgotten, but for what is being read.
  virtual bool Stopped() { return false; }
};

// How a walk goes about it.
struct WalkOptions {
  // Blocks visited before, which are passed over with all that is below; the walk adds its own.
  // Give several trees one set to visit blocks that snapshots share once. Null: each tree visits
  // all its blocks. Either way a block met twice inside one tree is damage.
  BlockSet* visited = nullptr;
  // How many children are read in one batch, at the most. Below 1 is as 1.
  int batch = 64;
  // Reads leaves before the walk gets to them; must outlive the walk. Null: the walk reads for
  // itself, and only when it gets there.
  Readahead* readahead = nullptr;
  // How many blocks ahead, at the most. Never more than a sixteenth of the cache's budget: what is
  // read earlier has to make way for newcomers again before the walk gets to it. Below 0 is as 0.
  int ahead = 256;
  // Whether blocks that were read for this walk leave the cache behind it: for a walk that needs each
  // block once. It then keeps to as many buffers as it reads at a time and ahead, however large the
  // budget, and evicts nothing. What was cached before, what other readers find meanwhile, and what is
  // dirty stays. (A block that was read ahead and that another reader found before the walk came to it
  // cannot be told from one that only the walk came to, and goes.) Without this what was read stays as
  // long as there is room, for a second pass; reclaim finds out what is not used again.
  bool drop_behind = false;
};

// Visits every block of a tree, depth first. Bounded in memory and in time by the number of blocks
// there really are, whatever the pointers say: a level that does not fall and a block met again are
// damage. Never fails as a whole: damage goes to the visitor.
void WalkTree(BufferCache& cache, const TreeRoot& root, TreeVisitor& visitor,
              const WalkOptions& options = {});

}  // namespace ebcache

#endif  // EBCACHE_BTREE_H_
