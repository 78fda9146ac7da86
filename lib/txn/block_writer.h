// BlockWriter: the blocks that a transaction has made, and how it comes by them.
//
// A block that others may still reach is never changed: it is copied to a new place, and the copy is
// changed. The copy holds the references that the rules of shared blocks give it, and the block that
// was copied is put stale, so that it leaves the cache with its last user.
//
// Blocks that it has made and that were not written yet can be changed in place, by the thread that
// has the transaction. Each of them is held until the transaction ends, or until it is written.
//
// Thread safety: one thread at a time. Other threads may read committed trees through the same cache.

#ifndef EBCACHE_LIB_TXN_BLOCK_WRITER_H_
#define EBCACHE_LIB_TXN_BLOCK_WRITER_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "ebcache/uuid.h"
#include "ebcache/volume.h"
#include "lib/space/delayed_refs.h"
#include "lib/txn/block_space.h"
#include "lib/txn/tree_state.h"
#include "lib/txn/written_places.h"

namespace ebcache::txn {

// What the headers of new blocks say.
struct BlockIdentity {
  Uuid fsid{};
  Uuid chunk_tree_uuid{};
  uint32_t node_bytes = 0;
  uint64_t generation = 0;  // of the open transaction
};

// What is known of the references to a block.
struct BlockReferences {
  uint64_t count = 1;
  bool full_backref = false;
};

// How often things were done, for reports and tests.
struct BlockWriterCounts {
  uint64_t copied = 0;         // blocks that were copied: each of them was put stale
  uint64_t made = 0;           // new blocks that are no copies
  uint64_t freed = 0;          // blocks that a tree lost and that were not copied
  uint64_t recycled = 0;       // addresses given out that the cache still had a buffer of
  uint64_t written = 0;        // blocks written, in all of their copies
  uint64_t written_early = 0;  // of these, before the commit, to give memory back
};

class BlockWriter {
 public:
  // Looks up what the trees say of a block's references, without what is delayed.
  using FindReferences = std::function<absl::StatusOr<BlockReferences>(uint64_t bytenr)>;
  // Whether the trees could be told that.
  using CheckTelling = std::function<absl::Status(const space::ExtentChange& change)>;

  // All must outlive this.
  BlockWriter(BufferCache* cache, Volume* volume, BlockSpace* space, space::DelayedRefs* delayed,
              WrittenPlaces* written, const BlockIdentity& identity, FindReferences find_references,
              CheckTelling check_telling);
  // Gives up every block that was not written.
  ~BlockWriter();

  BufferCache& cache() { return *cache_; }
  const BlockIdentity& identity() const { return identity_; }

  // Whether the block is one that may be changed in place.
  bool MayChange(uint64_t bytenr) const { return blocks_.contains(bytenr); }
  // A reference to it; empty where it may not.
  ExtentBufferRef Own(uint64_t bytenr) const;

  // A new block for a tree, without items.
  absl::StatusOr<ExtentBufferRef> Make(TreeState& tree, uint8_t level, const Key& first_key);
  // The copy of a block that may not be changed. The caller sees to it that what led to the block
  // leads to the copy. `is_root`: it is its tree's root. Errors leave the block as it was, but end
  // the transaction where references were changed already: see status().
  absl::StatusOr<ExtentBufferRef> Copy(TreeState& tree, ExtentBufferRef old, bool is_root);
  // What led to the block does not any more; what it refers to is referred to by another block of the
  // tree from now on, or by none, which is the caller's to tell. One that may not be changed is
  // treated as Copy does. Errors: as Copy.
  absl::Status Free(TreeState& tree, ExtentBufferRef block, bool is_root);

  // ---- Of a tree that goes (TreeDrop) ----

  // What refers to a block of a tree. Errors: DataLoss, nothing does; those of FindReferences.
  absl::StatusOr<BlockReferences> ReferencesOf(const TreeState& tree, const ExtentBuffer& block,
                                               bool is_root);
  // `count` references of all that the block refers to, by that holder: a tree, or the block's own
  // address.
  absl::Status ReferToChildren(ExtentBuffer& block, const space::ExtentRef& by, int64_t count);
  // The references of a block that is by its tree alone become those by its own address.
  absl::Status ReferByAddress(const TreeState& tree, ExtentBuffer& block);
  // The reference `by` to a block goes.
  void DropReference(const ExtentBuffer& block, const space::ExtentRef& by);
  // The same of the last one: the block is free, and stale. What it refers to is the caller's.
  void FreeLast(TreeState& tree, ExtentBufferRef block, const space::ExtentRef& by);

  // Whether Copy or Free of the block would change references to nothing but itself, which the extent
  // tree has. For changes that need not be made: where something is wrong, or the block is another
  // tree's too, they are left.
  bool IsOursAlone(const TreeState& tree, const ExtentBuffer& block, bool is_root);

  // Writes all that may be changed, in the order of addresses, in all copies; afterwards none of it
  // may be changed, and nothing holds it in memory. What was written is durable after a flush of the
  // volume. `early`: the transaction goes on. Errors: those of BufferCache::WritebackMany; the
  // transaction cannot go on.
  absl::Status WriteAll(bool early);
  // Whether the commit may go on with the copies that were not written. FailedPrecondition: one has
  // what was there before, which is of this generation too, so that nothing would find it.
  absl::Status CheckMissedCopies() const;
  // The transaction has happened: what was written stays.
  void Keep();
  // Gives the blocks up, those that were written too: the transaction does not happen. Nothing where
  // it is known already how the transaction has ended.
  void GiveUp();

  // Where the blocks are that may be changed, in no order.
  std::vector<uint64_t> UnwrittenPlaces() const;
  uint64_t unwritten_bytes() const { return blocks_.size() * identity_.node_bytes; }
  const BlockWriterCounts& counts() const { return counts_; }

 private:
  absl::StatusOr<uint64_t> Allocate(bool system);
  absl::StatusOr<ExtentBufferRef> CreateSomewhere(bool system);
  absl::StatusOr<ExtentBufferRef> Place(TreeState& tree, uint8_t level, const Key& first_key);
  absl::Status MoveReferences(const TreeState& tree, ExtentBuffer& old,
                              const BlockReferences& references);
  void DropReference(const TreeState& tree, const ExtentBuffer& block);
  bool Usable(uint64_t bytenr);

  BufferCache* const cache_;
  Volume* const volume_;
  BlockSpace* const space_;
  space::DelayedRefs* const delayed_;
  const BlockIdentity identity_;
  const FindReferences find_references_;
  const CheckTelling check_telling_;
  // By address: those that may be changed. Not one of Abseil's, which is broken for good when it finds
  // no memory to grow.
  std::unordered_map<uint64_t, ExtentBufferRef> blocks_;
  WrittenPlaces* const written_;  // those that may not any more
  // Of blocks, of system blocks: whether there are places where none was written yet.
  bool fresh_left_[2] = {true, true};
  std::vector<uint64_t> passed_over_;  // places that the cache has something else over
  bool ended_ = false;                 // what is written now is another transaction's
  BlockWriterCounts counts_;
};

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_BLOCK_WRITER_H_
