// TreeDrop: all blocks of a tree that goes.
//
// A block that the tree alone has is freed, and so is what only that block leads to. One that other
// trees have as well stays: the tree's reference to it goes. Where the tree owns such a block, what
// lies below it is referred to by the tree's id, which nothing may be any more: down to the leaves,
// as far as the tree owns them, these references become those by the address of the block above.
//
// A tree that a kernel has begun to delete has lost what lies before its drop_progress.
//
// Thread safety: one thread at a time.

#ifndef EBCACHE_LIB_TXN_TREE_DROP_H_
#define EBCACHE_LIB_TXN_TREE_DROP_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "ebcache/on_disk.h"
#include "lib/space/extent_refs.h"
#include "lib/txn/block_writer.h"
#include "lib/txn/tree_state.h"

namespace ebcache::txn {

class TreeDrop {
 public:
  // Both must outlive this. REQUIRES: nothing else changes the tree from now on.
  TreeDrop(BlockWriter* writer, TreeState* tree);

  // Goes on over at most so many blocks. False: there are none left. The extent tree may be told of
  // extents between two calls. An error ends the transaction: it says which block cannot be read, or
  // what of its references cannot be.
  absl::StatusOr<bool> DropSome(uint64_t most);

 private:
  // What is to be done with the children of a node that was met.
  struct Frame {
    std::vector<KeyPointer> children;
    size_t next = 0;
    uint8_t level = 0;  // of the children
    // The node is freed, and this is how it referred to them; else it is one that stays, and those
    // of them that the tree owns are to refer by address.
    bool freed = true;
    space::ExtentRef by;
  };

  absl::StatusOr<ExtentBufferRef> Read(uint64_t bytenr, const ParentCheck& check);
  absl::Status Root();
  absl::Status Child();
  absl::Status Free(ExtentBufferRef block, bool full_backref, const space::ExtentRef& by);
  // The same of what lies below it.
  absl::Status ReferByAddress(ExtentBuffer& block, bool does_already);
  void Push(const ExtentBuffer& node, bool freed, const space::ExtentRef& by);

  BlockWriter& writer_;
  TreeState& tree_;
  const TreeRoot root_;  // with what is gone of it
  const bool refers_to_data_;
  bool begun_ = false;
  std::vector<Frame> frames_;  // from the root down; one a level
};

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_TREE_DROP_H_
