// CowTree: a tree that a transaction changes.
//
// Every way down to a change is copied first, as far as it may not be changed in place; what leads
// to it, up to the root, leads to the copies then. Splits are made on the way down, so that a change
// never has to go up again for room.
//
// Thread safety: one thread at a time for all trees of a transaction.

#ifndef EBCACHE_LIB_TXN_COW_TREE_H_
#define EBCACHE_LIB_TXN_COW_TREE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "ebcache/btree.h"
#include "ebcache/readahead.h"
#include "lib/txn/block_writer.h"
#include "lib/txn/tree_state.h"

namespace ebcache::txn {

class CowTree {
 public:
  // Both must outlive this. `join_neighbours`: a block that removals leave nearly empty is put
  // together with one beside it; else blocks beside the way down are not read.
  CowTree(BlockWriter* writer, TreeState* state, bool join_neighbours = true)
      : writer_(*writer), state_(*state), join_neighbours_(join_neighbours) {}

  // For reading it as it is now. REQUIRES: used up before the next change.
  BTree Reader() const { return BTree(&writer_.cache(), state_.root()); }

  // Each change is made or refused. Errors that refuse it, and leave the tree as it was, but for
  // blocks that were copied: AlreadyExists (Insert); NotFound (the others); InvalidArgument, no leaf
  // can hold so much. Any other one ends the transaction: it says which block could not be read, or
  // that there is no room.
  absl::Status Insert(const Key& key, absl::Span<const std::byte> data);
  absl::Status Replace(const Key& key, absl::Span<const std::byte> data);
  absl::Status Remove(const Key& key);
  // Removes items with these keys: those of the first leaf that has any. Says how many; 0, there are
  // none left.
  absl::StatusOr<uint64_t> RemoveSome(const KeyRange& range);

  // Copies the root block, if it may not be changed, and nothing else.
  absl::Status CopyRoot();
  // Copies, of at most `most` leaves from the one on that `from` is in, or would be, each that may not
  // be changed, and what leads to them. Gives the first key behind them; nullopt at the end.
  // `readahead`, if any, is asked for the leaves that come next.
  absl::StatusOr<std::optional<Key>> CopyLeaves(Key from, uint64_t most, Readahead* readahead);
  // Makes the tree's first block, an empty leaf. REQUIRES: a tree that is new.
  absl::Status MakeRoot();

 private:
  // A way down. Every block of it may be changed.
  struct Way {
    std::array<ExtentBufferRef, kMaxLevels> block;
    std::array<uint32_t, kMaxLevels> slot{};
  };
  // Whether there has to be room for what splits below give.
  enum class Room : uint8_t { kAny, kForSplits };

  absl::StatusOr<Way> GoDown(const Key& key, Room room);
  // The same to a key that is there. Errors: NotFound.
  absl::StatusOr<Way> GoTo(const Key& key, Room room);
  // Asks for the leaves behind the one that the way leads to, as far as its parent leads there, from the
  // slot `next` on or behind the way's. Gives the slot behind them.
  uint32_t AskForLeaves(const Way& way, uint32_t next, Readahead& readahead) const;
  // The first key behind the leaf that the way leads to; nullopt when that is the last.
  std::optional<Key> KeyBehind(const Way& way) const;
  absl::StatusOr<ExtentBufferRef> OwnRoot();
  // The child that a slot of the way leads to, which may be changed then.
  absl::StatusOr<ExtentBufferRef> OwnChild(Way& way, int level, uint32_t slot);
  absl::StatusOr<ExtentBufferRef> ReadChild(const KeyPointer& pointer, int level);
  // What a pointer says of a child at `level`.
  ParentCheck CheckOf(const KeyPointer& pointer, int level) const;

  // Puts a root on top of the root that there is.
  absl::Status Grow(Way& way);
  absl::Status SplitNode(Way& way, int level, const Key& key);
  // Puts an item in front of the way's slot.
  absl::Status InsertAt(Way& way, const Key& key, absl::Span<const std::byte> data);
  absl::Status SplitLeafAndInsert(Way& way, const Key& key, absl::Span<const std::byte> data);
  // Has the parent lead to a new block, right of the one that the way has at `level`.
  absl::Status AddPointer(Way& way, int level, uint32_t slot, const ExtentBuffer& block);

  // What is above says by which key the block at `level` begins.
  absl::Status FixLowKey(Way& way, int level);
  // After items or pointers have gone from the block at `level`, and none of those above is wrong.
  absl::Status Settle(Way& way, int level);
  absl::Status RemoveBlock(Way& way, int level);
  absl::Status JoinNeighbour(Way& way, int level);
  // Puts the block right of `left_slot`'s into that one, where it fits; false where it does not, or
  // where either cannot be had, is not this tree's alone, or is not what the extent tree says: a
  // block that is nearly empty is legal.
  absl::StatusOr<bool> Join(Way& way, int level, uint32_t left_slot);
  // Takes roots of one pointer away, as far as what is below can be had: they are legal.
  absl::Status LowerRoot(Way& way);
  void SetRoot(const ExtentBuffer& root);

  BlockWriter& writer_;
  TreeState& state_;
  const bool join_neighbours_;
};

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_COW_TREE_H_
