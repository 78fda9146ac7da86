#include "ebcache/transaction.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "ebcache/readahead.h"
#include "lib/base/messages.h"
#include "lib/fs/tree_roots.h"
#include "lib/txn/no_exceptions.h"
#include "lib/txn/refusal.h"
#include "lib/txn/transaction_state.h"

namespace ebcache {
namespace {

// Changes of extents that may wait, and how many of them are told when there are more.
constexpr size_t kMostDelayed = 16384;
constexpr uint64_t kToldAtOnce = 8192;
// Leaves that are copied between two looks at what waits in memory.
constexpr uint64_t kRewrittenAtOnce = 32;
// More references of a file to one extent than the extent tree can count.
constexpr int64_t kMostReferences = int64_t{1} << 32;

// Blocks that are kept for what a commit itself changes: a chunk more is made before there are fewer.
constexpr uint64_t kReserveBlocks = 192;
constexpr uint64_t kSystemReserveBlocks = 16;
// How many changes of extents make for one block that is copied, at the least.
constexpr uint64_t kChangesABlock = 8;

txn::BlockWriter::FindReferences FindReferencesIn(txn::TransactionTrees* trees,
                                                  uint32_t node_bytes) {
  return [trees, node_bytes](uint64_t bytenr) -> absl::StatusOr<txn::BlockReferences> {
    absl::StatusOr<txn::TreeStore> extents = trees->Store(kExtentTreeId);
    if (!extents.ok()) return extents.status();
    const absl::StatusOr<std::optional<space::ExtentState>> state =
        space::FindBlockExtent(*extents, bytenr, node_bytes);
    if (!state.ok()) return state.status();
    // One of this transaction, of which the tree has not heard.
    if (!state->has_value()) return txn::BlockReferences{.count = 0};
    return txn::BlockReferences{.count = (*state)->references,
                                .full_backref = ((*state)->flags & kExtentFullBackref) != 0};
  };
}

txn::BlockWriter::CheckTelling CheckTellingIn(txn::TransactionTrees* trees,
                                              const space::ExtentRules& rules) {
  return [trees, rules](const space::ExtentChange& change) {
    absl::StatusOr<txn::TreeStore> extents = trees->Store(kExtentTreeId);
    return extents.ok() ? space::CheckExtentChange(*extents, change, rules) : extents.status();
  };
}

}  // namespace

Transaction::Impl::Impl(Session::Impl* of_session)
    : session(*of_session),
      committed(session.filesystem->superblock()),
      changed(committed),
      writer(&session.filesystem->cache(), &session.filesystem->volume(), session.space.get(),
             &delayed, &session.written,
             {.fsid = committed.header_fsid(),
              .chunk_tree_uuid = session.chunk_tree_uuid,
              .node_bytes = committed.node_bytes,
              .generation = committed.generation + 1},
             FindReferencesIn(&trees, committed.node_bytes),
             CheckTellingIn(&trees, session.form.rules)),
      trees(&writer, committed, session.options.join_neighbours),
      form(session.form),
      updates(&trees, session.space.get(), &delayed, &form),
      chunks(&trees, session.space.get(), &session.filesystem->volume(), &form,
             session.chunk_tree_uuid, &changed) {}

absl::Status Transaction::Impl::CheckOpen() const {
  if (stage != TransactionStage::kOpen) {
    const std::string_view name = TransactionStageName(stage);
    return absl::FailedPreconditionError(
        absl::StrCat("the transaction is not open: ", AbslView(name)));
  }
  if (!failed.ok()) return Prefixed("an earlier change has failed", failed);
  return absl::OkStatus();
}

// A change of an extent may copy the way down to it in two trees, and the tree that has the block
// group's item; ways to neighbours have most of their blocks in common.
absl::Status Transaction::Impl::KeepReserve() {
  const uint64_t changes = delayed.size() + updates.ranges_waiting();
  const uint64_t blocks = kReserveBlocks + changes / kChangesABlock;
  return chunks.KeepReserve(blocks * committed.node_bytes,
                            kSystemReserveBlocks * uint64_t{committed.node_bytes});
}

absl::Status Transaction::Impl::CheckPlacesAreFree() {
  const absl::StatusOr<BTree> extents =
      FindTree(&session.filesystem->cache(), committed, kExtentTreeId);
  if (!extents.ok()) return extents.status();
  txn::ReadStore store(*extents);
  const uint32_t node_bytes = committed.node_bytes;
  for (const uint64_t place : writer.UnwrittenPlaces()) {
    const absl::StatusOr<std::optional<space::Range>> extent =
        space::FindExtentIn(store, {place, node_bytes}, node_bytes);
    if (!extent.ok()) return extent.status();
    if (!extent->has_value()) continue;
    return absl::DataLossError(
        absl::StrCat("block ", place,
                     ": not written: what says that it is free is wrong, the "
                     "extent ",
                     (*extent)->ToString(), " is there"));
  }
  return absl::OkStatus();
}

absl::Status Transaction::Impl::MakeRoom() {
  if (absl::Status status = KeepReserve(); !status.ok()) return status;
  if (delayed.size() > kMostDelayed) {
    const absl::Status status = updates.RunSome(kToldAtOnce).status();
    if (!status.ok()) return status;
  }
  return WriteSome();
}

absl::Status Transaction::Impl::WriteSome() {
  if (writer.unwritten_bytes() <= session.MostUnwrittenBytes()) return absl::OkStatus();
  absl::Status status = CheckPlacesAreFree();
  return status.ok() ? writer.WriteAll(true) : status;
}

absl::Status Transaction::Impl::Finish(absl::Status status, bool changed_something) {
  if (!status.ok()) {
    if (!txn::IsRefusal(status)) failed = status;
    return status;
  }
  progress |= changed_something;
  // The change is made: whatever is wrong now is no refusal of it.
  status = txn::WithoutExceptions([this] { return txn::NoRefusal(MakeRoom()); });
  if (!status.ok()) failed = status;
  return status;
}

absl::Status Transaction::Impl::CheckMaySetFsid(const Uuid& fsid) const {
  if (fsid == Uuid{}) return absl::InvalidArgumentError("no filesystem has a UUID of zeroes");
  const Volume& volume = session.filesystem->volume();
  if (const auto missing = volume.missing_devices(); !missing.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the UUID cannot be changed while ", missing[0].ToString(), ": it would keep the old one"));
  }
  if (volume.devices().size() == 1 || session.undo || session.never_written) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      "the UUID of several devices is changed with a way back only (SessionOptions::undo_file): "
      "a crash between two superblocks leaves devices that nothing puts together");
}

bool Transaction::Impl::HasItem(uint64_t tree, const Key& key, absl::Span<const std::byte> data) {
  bool same = false;
  const absl::Status looked = txn::WithoutExceptions([&] {
    absl::StatusOr<txn::TreeStore> store = trees.Store(tree);
    if (!store.ok()) return store.status();
    // Where there is no such item this looks at no leaf that the change does not come to.
    const absl::StatusOr<std::optional<space::StoredItem>> item = store->AtOrBefore(key);
    if (item.ok() && item->has_value() && (*item)->key == key) {
      same = absl::MakeConstSpan((*item)->data) == data;
    }
    return item.status();
  });
  return looked.ok() && same;
}

Transaction::Transaction(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Transaction::~Transaction() { impl_->Abort(); }

namespace {

// Whether a root item may have a key from `first` to `last`.
bool HasRootItems(const Key& first, const Key& last) {
  Key root = first;
  if (first.type != kRootItemType) root = {first.objectid, kRootItemType, 0};
  if (first.type > kRootItemType && ++root.objectid == 0) return false;
  return root <= last;
}

absl::Status CheckMayChange(const SessionOptions& options, uint64_t tree, const Key& first,
                            const Key& last) {
  if (options.change_space_trees) return absl::OkStatus();
  const bool roots = tree == kRootTreeId && HasRootItems(first, last);
  if (!txn::KeepsSpace(tree) && !roots) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("item ", first.ToString(), " of tree ", TreeName(tree),
                   " is the transaction's own to change (see change_space_trees)"));
}

}  // namespace

absl::StatusOr<BTree> Transaction::Tree(uint64_t tree) {
  if (absl::Status status = impl_->CheckOpen(); !status.ok()) return status;
  std::optional<BTree> opened;
  absl::Status status = txn::WithoutExceptions([&] {
    absl::StatusOr<txn::CowTree> found = impl_->trees.Open(tree);
    if (found.ok()) opened = found->Reader();
    return found.status();
  });
  if (!status.ok()) return status;
  return *std::move(opened);
}

absl::Status Transaction::Insert(uint64_t tree, const Key& key, absl::Span<const std::byte> data) {
  absl::Status status = impl_->CheckOpen();
  if (status.ok()) status = CheckMayChange(impl_->session.options, tree, key, key);
  if (!status.ok()) return status;
  return impl_->Finish(txn::WithoutExceptions([&] {
    absl::StatusOr<txn::CowTree> opened = impl_->trees.OpenForCaller(tree);
    return opened.ok() ? opened->Insert(key, data) : opened.status();
  }));
}

absl::Status Transaction::Replace(uint64_t tree, const Key& key, absl::Span<const std::byte> data) {
  absl::Status status = impl_->CheckOpen();
  if (status.ok()) status = CheckMayChange(impl_->session.options, tree, key, key);
  if (!status.ok()) return status;
  // Looked at until there is progress, and no longer.
  const bool is_other = impl_->progress || !impl_->HasItem(tree, key, data);
  const auto replace = [&] {
    absl::StatusOr<txn::CowTree> opened = impl_->trees.OpenForCaller(tree);
    return opened.ok() ? opened->Replace(key, data) : opened.status();
  };
  return impl_->Finish(txn::WithoutExceptions(replace), is_other);
}

absl::Status Transaction::Remove(uint64_t tree, const Key& key) {
  absl::Status status = impl_->CheckOpen();
  if (status.ok()) status = CheckMayChange(impl_->session.options, tree, key, key);
  if (!status.ok()) return status;
  return impl_->Finish(txn::WithoutExceptions([&] {
    absl::StatusOr<txn::CowTree> opened = impl_->trees.OpenForCaller(tree);
    return opened.ok() ? opened->Remove(key) : opened.status();
  }));
}

absl::StatusOr<uint64_t> Transaction::RemoveRange(uint64_t tree, const KeyRange& range) {
  absl::Status status = impl_->CheckOpen();
  if (status.ok()) status = CheckMayChange(impl_->session.options, tree, range.from, range.to);
  if (!status.ok()) return status;
  uint64_t removed = 0;
  status = txn::WithoutExceptions([&]() -> absl::Status {
    while (true) {
      absl::StatusOr<txn::CowTree> opened = impl_->trees.OpenForCaller(tree);
      if (!opened.ok()) return opened.status();
      const absl::StatusOr<uint64_t> count = opened->RemoveSome(range);
      // Some of it is gone by then: no refusal any more.
      if (!count.ok()) return removed == 0 ? count.status() : txn::NoRefusal(count.status());
      if (*count == 0) return absl::OkStatus();
      removed += *count;
      absl::Status room = txn::NoRefusal(impl_->MakeRoom());
      if (!room.ok()) return room;
    }
  });
  status = impl_->Finish(status, removed > 0);
  if (!status.ok()) return status;
  return removed;
}

absl::Status Transaction::ChangeDataReference(const DataReference& reference, int64_t count) {
  if (absl::Status status = impl_->CheckOpen(); !status.ok()) return status;
  if (count <= -kMostReferences || count >= kMostReferences) {
    return absl::InvalidArgumentError(absl::StrCat("extent ", reference.extent, ": no extent has ",
                                                   count, " references of a file"));
  }
  if (count == 0) return absl::OkStatus();
  return impl_->Finish(txn::WithoutExceptions([&] {
    impl_->delayed.Add({.bytenr = reference.extent, .bytes = reference.bytes, .data = true},
                       space::ExtentRef::OfFile(reference.tree, reference.inode, reference.offset),
                       count);
    return absl::OkStatus();
  }));
}

absl::Status Transaction::CreateTree(uint64_t tree, RootItem root_item, uint64_t key_offset) {
  if (absl::Status status = impl_->CheckOpen(); !status.ok()) return status;
  if (tree == kRootTreeId || tree == kChunkTreeId) {
    return absl::InvalidArgumentError(absl::StrCat("every filesystem has tree ", TreeName(tree)));
  }
  if (tree == 0 || tree == kTreeLogId || tree == kTreeRelocId) {
    return absl::InvalidArgumentError(absl::StrCat("tree ", TreeName(tree), " cannot be made"));
  }
  return impl_->Finish(txn::WithoutExceptions(
      [&] { return impl_->trees.Create(tree, root_item, key_offset).status(); }));
}

absl::StatusOr<std::optional<Key>> Transaction::Rewrite(uint64_t tree, const Key& from,
                                                        uint64_t most) {
  if (absl::Status status = impl_->CheckOpen(); !status.ok()) return status;
  std::optional<Key> next = from;
  const uint64_t copied = impl_->writer.counts().copied;
  absl::Status status = txn::WithoutExceptions([&]() -> absl::Status {
    const uint32_t threads = impl_->session.options.rewrite_threads;
    if (threads != 0 && !impl_->readahead) {
      impl_->readahead.emplace(&impl_->session.filesystem->cache(),
                               ReadaheadOptions{.threads = threads});
    }
    while (next && most > 0) {
      absl::StatusOr<txn::CowTree> opened = impl_->trees.OpenForCaller(tree);
      if (!opened.ok()) return opened.status();
      const uint64_t some = std::min(most, kRewrittenAtOnce);
      absl::StatusOr<std::optional<Key>> behind =
          opened->CopyLeaves(*next, some, impl_->readahead ? &*impl_->readahead : nullptr);
      if (!behind.ok()) return behind.status();
      next = *behind;
      most -= some;
      absl::Status room = txn::NoRefusal(impl_->MakeRoom());
      if (!room.ok()) return room;
    }
    return absl::OkStatus();
  });
  status = impl_->Finish(status, impl_->writer.counts().copied > copied);
  if (!status.ok()) return status;
  return next;
}

absl::StatusOr<Chunk> Transaction::MakeChunk(uint64_t type, RaidProfile profile,
                                             uint64_t most_bytes) {
  if (absl::Status status = impl_->CheckOpen(); !status.ok()) return status;
  absl::StatusOr<Chunk> chunk = absl::UnknownError("");
  const absl::Status status = txn::WithoutExceptions([&] {
    chunk = impl_->chunks.Make(type, profile, most_bytes);
    return chunk.status();
  });
  const bool refused = !impl_->chunks.half_made() &&
                       (absl::IsInvalidArgument(status) || absl::IsUnimplemented(status) ||
                        absl::IsResourceExhausted(status));
  if (!status.ok() && !refused) impl_->failed = status;
  if (!status.ok()) return status;
  impl_->progress = true;
  return chunk;
}

absl::Status Transaction::SetLabel(std::string label) {
  if (absl::Status status = impl_->CheckOpen(); !status.ok()) return status;
  if (label.size() >= kLabelBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a label has at most ", kLabelBytes - 1, " bytes, not ", label.size()));
  }
  if (label.find('\n') != std::string::npos || label.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("a label has no newline and no NUL");
  }
  impl_->changed.label = std::move(label);
  impl_->changed.label_remainder.clear();
  return absl::OkStatus();
}

absl::Status Transaction::SetFsid(const Uuid& fsid) {
  absl::Status status = impl_->CheckOpen();
  if (status.ok()) status = impl_->CheckMaySetFsid(fsid);
  if (!status.ok()) return status;
  Superblock& superblock = impl_->changed;
  const Uuid of_blocks = superblock.header_fsid();
  const bool differs = fsid != of_blocks;
  const auto flag = static_cast<uint64_t>(IncompatFlag::kMetadataUuid);
  superblock.fsid = fsid;
  superblock.metadata_uuid = differs ? of_blocks : Uuid{};
  superblock.incompat_flags =
      differs ? superblock.incompat_flags | flag : superblock.incompat_flags & ~flag;
  return absl::OkStatus();
}

absl::Status Transaction::Commit(std::vector<SuperblockFailure>* failures) {
  return impl_->Commit(failures);
}

void Transaction::Abort() { impl_->Abort(); }

TransactionStage Transaction::stage() const { return impl_->stage; }

absl::Status Transaction::CheckOpen() const {
  return txn::WithoutExceptions([&] { return impl_->CheckOpen(); });
}

uint64_t Transaction::generation() const { return impl_->writer.identity().generation; }

TransactionCounts Transaction::counts() const {
  const txn::BlockWriterCounts& counts = impl_->writer.counts();
  return {.blocks_copied = counts.copied,
          .blocks_made = counts.made,
          .blocks_freed = counts.freed,
          .blocks_recycled = counts.recycled,
          .blocks_written = counts.written,
          .blocks_written_early = counts.written_early,
          .extents_told = impl_->updates.extents_told()};
}

}  // namespace ebcache
