// Transactions: changes of a filesystem's trees that happen as a whole, or not at all.
//
//   auto fs = ebcache::Filesystem::Open({"disk.img"}, {.writable = true});
//   auto session = ebcache::Session::Open(fs->get());
//   auto transaction = (*session)->Begin();
//   absl::Status status = (*transaction)->Insert(ebcache::kFsTreeId, key, data);
//   if (status.ok()) status = (*transaction)->Commit();
//
// A transaction never changes what the last committed superblock reaches: it copies each block that
// it has to change to a place that is free, and all that leads to it. When it commits it writes these
// blocks, has the devices make them durable, and only then writes superblocks that lead to them. So a
// crash at any moment leaves the state before it, or the one after it.
//
// Nothing here knows what items of files mean. A caller that removes an item which refers to data says
// so (ChangeDataReference), or the data stays allocated.
//
// Forks: a session stays the parent's. A child that wrote as well would write over what the parent
// writes; it ends by _exit or exec, or closes nothing of it.
//
// Thread safety: a session and its transactions belong to one thread at a time. Other threads may
// read the filesystem meanwhile. They see the last commit; what they have found stays readable as long
// as they hold a CommittedView that they got before. Without one, a block that they have found may be
// another one after two commits: the generation that its parent expects then says so, as an error.

#ifndef EBCACHE_TRANSACTION_H_
#define EBCACHE_TRANSACTION_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/btree.h"
#include "ebcache/filesystem.h"
#include "ebcache/key.h"
#include "ebcache/on_disk.h"
#include "ebcache/uuid.h"
#include "ebcache/volume.h"

namespace ebcache {

// Where a transaction is. In this order; docs/transactions.md says what a crash leaves in each.
enum class TransactionStage : uint8_t {
  kOpen,            // changes are made in memory; blocks may be written to places that are free
  kTellingExtents,  // extent tree, block groups, free space and root items are brought up to date
  kWritingBlocks,   // all copies of all blocks go to the devices
  kFlushing,        // the devices make them durable
  kWritingSuperblocks,  // the new superblocks are written, first copies first
  kCommitted,           // they are durable
  kAborted,             // nothing has happened
  // Superblocks were to be written, and no device has said that one was. Whether one is there is not
  // known: the filesystem is to be opened again.
  kUnknown,
};
// "open", "telling extents", ...
std::string_view TransactionStageName(TransactionStage stage);

// What to do when an extent that a transaction makes has an item in the extent tree already.
enum class ExistingExtent : uint8_t {
  kRefuse,   // an error, of Commit AlreadyExists: the transaction ends
  kKeep,     // references that are there already count once
  kReplace,  // the old item goes first, with every reference
};

// How a session goes about its changes, and which way back there is.
struct SessionOptions {
  // Blocks that removals leave nearly empty are put together with a neighbour, but for one that cannot
  // be read, that another tree has as well, or whose references the extent tree does not have. False:
  // blocks beside the ways to what is changed are never read, as a repair wants it; nearly empty
  // blocks are legal.
  bool join_neighbours = true;
  ExistingExtent existing_extents = ExistingExtent::kRefuse;
  // Whether callers may change the trees that tell what is allocated and where (of extents, of block
  // groups, of free space, of chunks and devices), and root items. A transaction changes these itself
  // as it goes; a repair of them knows what it does.
  bool change_space_trees = false;
  // Opens a filesystem that has a log, whose first commit drops it: what was synced and not
  // committed is lost. As long as the session lasts no block goes where the log, or what it tells
  // of, lies, as far as the log can be read: without that commit, and on a way back, it is of use.
  bool drop_log = false;
  // A file to make, from which the state that the session began with can be brought back (UndoSession),
  // until it is settled. Nothing that this state reaches is overwritten meanwhile, so that a session
  // needs room for all that it changes. Not on the filesystem itself, which is refused where the system
  // tells (InvalidArgument). Empty: no way back.
  std::string undo_file{};
  // How many bytes of changed blocks may wait in memory. More are written before the commit, to
  // places that are free. 0: a quarter of the cache's budget; never less than 64 blocks.
  uint64_t most_unwritten_bytes = 0;
  // Threads on which Transaction::Rewrite reads the leaves that come next, while it copies those that
  // were read; they read from the devices, too, and are gone when the transaction commits or ends.
  // 0: none.
  // Up to ReadaheadOptions::kMostThreads, else InvalidArgument.
  uint32_t rewrite_threads = 0;
  // How many commits without progress the session makes in a row, before Commit is refused: a loop that
  // does nothing any more would push the backup roots of every state that was of use out of the
  // superblock, which has four. By default the last of these stays. Progress is a commit with a change
  // of the caller's that has changed a block: items inserted, removed, or replaced by other bytes,
  // references to data, trees made or rewritten, chunks made. What the commit itself changes, the
  // superblock and the trees that tell what is free, is none. 0: no limit.
  uint32_t most_commits_without_progress = 3;
};

// What a transaction has done so far.
struct TransactionCounts {
  uint64_t blocks_copied = 0;         // each was put stale
  uint64_t blocks_made = 0;           // that are no copies
  uint64_t blocks_freed = 0;          // that were not copied
  uint64_t blocks_recycled = 0;       // given the address of one that the cache still had
  uint64_t blocks_written = 0;        // each in all of its copies
  uint64_t blocks_written_early = 0;  // of these, before the commit
  uint64_t extents_told = 0;          // changes of the extent tree
};

class Session;

// Changes that happen together. Made by Session::Begin.
class Transaction {
 public:
  // Aborts one that is open.
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // ---- Items ------------------------------------------------------------------------------------

  // A tree as it is now, for reading. REQUIRES: it, and what was made from it, is used up before the
  // next change. Errors: NotFound.
  absl::StatusOr<BTree> Tree(uint64_t tree);

  // Errors that refuse a change, and after which the transaction can go on: NotFound (no such tree;
  // no such item, for Replace and Remove), AlreadyExists (Insert), InvalidArgument (more than a leaf
  // can hold; what the transaction itself keeps: see SessionOptions::change_space_trees; a subvolume
  // that a kernel has begun to delete, of which a part is gone). After any other error nothing but
  // Abort works.
  absl::Status Insert(uint64_t tree, const Key& key, absl::Span<const std::byte> data);
  absl::Status Replace(uint64_t tree, const Key& key, absl::Span<const std::byte> data);
  absl::Status Remove(uint64_t tree, const Key& key);
  // Removes all items of a range of keys, and says how many there were. Where some are gone when it
  // fails the transaction ends, whatever the error.
  absl::StatusOr<uint64_t> RemoveRange(uint64_t tree, const KeyRange& range);

  // A reference of a file to an extent of data.
  struct DataReference {
    uint64_t extent = 0;  // logical
    uint64_t bytes = 0;   // of the extent
    uint64_t tree = 0;
    uint64_t inode = 0;
    uint64_t offset = 0;  // of the item in the file, less where it begins in the extent
  };
  // Adds so many of it, or drops them (count below zero). When none is left of any kind the extent is
  // free, and its checksums go. What cannot be is found when the extent tree is told: the transaction
  // ends then. Errors: those of Insert, but NotFound and AlreadyExists.
  absl::Status ChangeDataReference(const DataReference& reference, int64_t count);

  // ---- Trees ------------------------------------------------------------------------------------

  // Makes a tree with an empty root. Its root item says what the caller says, but for where it is.
  // Errors: AlreadyExists; InvalidArgument, for a tree that superblocks tell of, one of a relocation,
  // and 0.
  absl::Status CreateTree(uint64_t tree, RootItem root_item = {}, uint64_t key_offset = 0);

  // Copies blocks of a tree to new places, in the order of keys: those of the next `most` leaves from
  // `from` on, and what leads to them. Gives the key to go on from; nullopt at the end of the tree.
  absl::StatusOr<std::optional<Key>> Rewrite(uint64_t tree, const Key& from, uint64_t most);

  // Drops a tree: frees its blocks, but those that other trees have as well, and drops what it refers
  // to, data too; takes its root item away, and the orphan item of one that is being deleted. What
  // names it elsewhere (ROOT_REF and ROOT_BACKREF items, directory entries, the uuid tree) is the
  // caller's. One of the same id can be made afterwards, in the same transaction. Errors, and nothing
  // has changed: NotFound; InvalidArgument, a tree that superblocks tell of, the extent tree, which is
  // told of what goes, or another that keeps space (see SessionOptions::change_space_trees). After any
  // other error nothing but Abort works.
  absl::Status DropTree(uint64_t tree);

  // ---- Space ------------------------------------------------------------------------------------

  // Makes a chunk, with its block group, all of it free. Types and errors: kBlockGroupData,
  // ...Metadata, ...System, or data and metadata where groups are mixed; ResourceExhausted, the
  // devices have no room for it; Unimplemented, raid5 and raid6; InvalidArgument, no type, or a
  // profile whose feature the filesystem does not have: after these the transaction can go on.
  // `most_bytes`: of the chunk; 0, as large as a kernel makes it. A transaction makes chunks by itself
  // when blocks run out of room.
  absl::StatusOr<Chunk> MakeChunk(uint64_t type, RaidProfile profile, uint64_t most_bytes = 0);

  // Other forms of keeping space, each with the feature in the superblock that says so; from then on
  // this transaction and those behind it go by the new form. False: it was so already, and nothing has
  // changed. InvalidArgument: the filesystem lacks, or has, what stands against it, which the words
  // name; the transaction can go on. After any other error nothing but Abort works.
  //
  // The free space tree, made from what the extent tree says, each block group as a kernel would write
  // it; one that is there but not valid goes first. DataLoss: extents overlap, or a block group's item
  // counts something else.
  absl::StatusOr<bool> MakeFreeSpaceTree();
  // Drops it. A space cache of version 1 that may be there from before stays out of use. InvalidArgument:
  // there is a block group tree, which kernels want it for.
  absl::StatusOr<bool> RemoveFreeSpaceTree();
  // Block group items, moved from the extent tree to a tree of their own. InvalidArgument: without a
  // free space tree, or without no-holes, kernels refuse it.
  absl::StatusOr<bool> MakeBlockGroupTree();
  // Moves them back. DataLoss: the tree has items of no block group.
  absl::StatusOr<bool> RemoveBlockGroupTree();

  // ---- The superblock ---------------------------------------------------------------------------

  // Label of the filesystem. InvalidArgument: longer than kLabelBytes - 1, or has a newline or a NUL.
  absl::Status SetLabel(std::string label);

  // The UUID that the filesystem is known by, in superblocks alone: blocks and device items keep what
  // they have, as metadata_uuid (the feature METADATA_UUID, for kernels from 5.0 on). Back to that one
  // the feature goes. Refused, and the transaction can go on: InvalidArgument, all zero;
  // FailedPrecondition, a device is missing, or there are several and the session has no undo file: a
  // crash between the superblocks of two devices leaves devices of two UUIDs, which neither a kernel nor
  // Filesystem::Open puts together, and from which UndoSession alone leads back.
  absl::Status SetFsid(const Uuid& fsid);

  // ---- The end ----------------------------------------------------------------------------------

  // Makes it durable. An error says in which stage: nothing has happened then (stage() is kAborted),
  // unless stage() is kUnknown. `failures`, if any, is told of superblocks that were not written
  // though the commit has happened: all of those of a device that has not flushed its blocks, where
  // other devices have a copy of each. FailedPrecondition with stage() kOpen: there was no progress for
  // too long (SessionOptions::most_commits_without_progress); the transaction can go on.
  absl::Status Commit(std::vector<SuperblockFailure>* failures = nullptr);
  // Nothing has happened. Does nothing when it is over already.
  void Abort();

  TransactionStage stage() const;
  // OK: changes can be made. Else why not: FailedPrecondition, it is over; the error of an earlier
  // change, after which only Abort works.
  absl::Status CheckOpen() const;
  uint64_t generation() const;
  TransactionCounts counts() const;

 private:
  friend class Session;
  struct Impl;
  explicit Transaction(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The last commit, held: nothing that it reaches is overwritten as long as this is there. Thread
// safety: belongs to one thread at a time; may outlive transactions, not the session.
class CommittedView {
 public:
  CommittedView(CommittedView&&) noexcept;
  CommittedView& operator=(CommittedView&&) noexcept;
  ~CommittedView();

  uint64_t generation() const;
  // As Filesystem::Tree, of this commit.
  absl::StatusOr<BTree> Tree(uint64_t tree) const;

 private:
  friend class Session;
  struct Impl;
  explicit CommittedView(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A filesystem that is being changed, over one commit or many.
class Session {
 public:
  // `filesystem` is open for writing, and outlives the session. Reads what is free. Errors:
  //   PermissionDenied    it is open for reading only
  //   FailedPrecondition  it must not be written as it is: a log that has to be replayed first (but see
  //                       SessionOptions::drop_log), errors
  //                       that a kernel has met in it, a balance, a device replacement or a relocation
  //                       that is not ended; says which. Or another session of it is open
  //   Unimplemented       features that this cannot keep exact: simple quotas, raid stripe trees
  //   DataLoss            what keeps its space is damaged
  //   AlreadyExists       the undo file does
  static absl::StatusOr<std::unique_ptr<Session>> Open(Filesystem* filesystem,
                                                       SessionOptions options = {});
  // REQUIRES: its transaction and its views are gone. An undo file stays.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Begins a transaction. FailedPrecondition: another one is open, or it is not known how one has
  // ended.
  absl::StatusOr<std::unique_ptr<Transaction>> Begin();

  // Says that what the session has done is wanted: removes the undo file, and gives the space of the
  // state before it to later transactions. OK where there is no undo file. FailedPrecondition: a
  // transaction is open.
  absl::Status Settle();

  // Holds the last commit. From any thread. ResourceExhausted: memory is out.
  absl::StatusOr<CommittedView> View();

  // Bytes that new blocks could be put in now.
  uint64_t free_bytes() const;
  Filesystem& filesystem() const;

 private:
  friend class Transaction;
  friend class CommittedView;
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Brings back the state that the session of this undo file began with, every copy of every superblock
// and the backup roots in them, byte for byte, and removes the file. From whatever process: after a
// crash, in a commit too, or when the session has ended. A crash on the way leaves either state, and
// the file, so that it can be done again. Errors, and nothing was written: DataLoss (not an undo file);
// InvalidArgument (not the devices that it is about, all of them); FailedPrecondition (something else
// has written superblocks since, as a kernel does that has mounted the filesystem; a block of the old
// state was written over by something that came behind the session, and has no superblock yet; or a
// device is in use). Unavailable: some were written, and it is to be done again. Reads all blocks of
// the old state first. What was damaged when the session began is no error. REQUIRES: no filesystem is
// open over these devices.
absl::Status UndoSession(const std::vector<std::string>& paths, const std::string& undo_file);
absl::Status UndoSession(absl::Span<const std::unique_ptr<BlockDevice>> devices,
                         const std::string& undo_file);

}  // namespace ebcache

#endif  // EBCACHE_TRANSACTION_H_
