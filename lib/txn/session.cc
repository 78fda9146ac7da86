#include <absl/strings/str_cat.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "ebcache/item_codec.h"
#include "ebcache/items_block.h"
#include "ebcache/transaction.h"
#include "lib/base/check.h"
#include "lib/base/messages.h"
#include "lib/fs/tree_roots.h"
#include "lib/txn/log_space.h"
#include "lib/txn/no_exceptions.h"
#include "lib/txn/session_state.h"
#include "lib/txn/space_loader.h"
#include "lib/txn/transaction_state.h"
#include "lib/txn/write_gate.h"

namespace ebcache {
namespace {

// Of the blocks that may wait to be written; below it a transaction would do little else.
constexpr uint64_t kLeastUnwrittenBlocks = 64;

space::ExtentRules::Existing RuleOf(ExistingExtent existing) {
  switch (existing) {
    case ExistingExtent::kKeep:
      return space::ExtentRules::Existing::kKeep;
    case ExistingExtent::kReplace:
      return space::ExtentRules::Existing::kReplace;
    case ExistingExtent::kRefuse:
      break;
  }
  return space::ExtentRules::Existing::kRefuse;
}

// Every block names it, and no superblock.
absl::StatusOr<Uuid> ChunkTreeUuid(Filesystem& filesystem) {
  const Superblock superblock = filesystem.superblock();
  const absl::StatusOr<ExtentBufferRef> root = filesystem.ReadTreeBlock(
      superblock.root, {.level = superblock.root_level, .generation = superblock.generation});
  if (!root.ok()) return root.status();
  std::array<std::byte, BlockHeader::kBytes> bytes;
  absl::Status status = (*root)->Read(0, absl::MakeSpan(bytes));
  if (!status.ok()) return status;
  const absl::StatusOr<BlockHeader> header = ParseItem<BlockHeader>(bytes);
  if (!header.ok()) return header.status();
  return header->chunk_tree_uuid;
}

}  // namespace

Session::Impl::Impl(Filesystem* fs, const SessionOptions& session_options)
    : filesystem(fs),
      options(session_options),
      form(txn::SpaceForm::Of(fs->superblock(), RuleOf(session_options.existing_extents))) {}

Session::Impl::~Impl() {
  if (has_claim) filesystem->has_session_.clear(std::memory_order_release);
}

// Two that know nothing of each other would put their blocks at the same places.
absl::Status Session::Impl::Claim() {
  if (filesystem->has_session_.test_and_set(std::memory_order_acquire)) {
    return absl::FailedPreconditionError("another session of this filesystem is open");
  }
  has_claim = true;
  return absl::OkStatus();
}

absl::Status Session::Impl::LoadSpace() {
  auto loaded = std::make_unique<txn::BlockSpace>(form.rules.node_bytes);
  absl::Status status = txn::LoadSpace(*filesystem, form, *loaded);
  if (!status.ok()) return status;
  // Free in the trees, and of use without the commit that drops it.
  for (const auto& [start, end] : log.ends()) loaded->Withhold({start, end - start});
  // Free in the trees, and still read.
  const space::RangeSet kept = states.Kept();
  for (const auto& [start, end] : kept.ends()) loaded->Withhold({start, end - start});
  space = std::move(loaded);
  return absl::OkStatus();
}

absl::Status Session::Impl::BeginUndo() {
  const Superblock start = filesystem->superblock();
  const absl::StatusOr<std::vector<SuperblockImage>> images =
      filesystem->volume().SuperblockImages();
  if (!images.ok()) return images.status();
  absl::StatusOr<txn::UndoFile> file = txn::UndoFile::Create(
      options.undo_file, *images, {start.generation, SuperblockStateHash(start)});
  if (!file.ok()) return file.status();
  undo = *std::move(file);
  states.Hold(start.generation);
  base_generation = start.generation;
  return absl::OkStatus();
}

uint64_t Session::Impl::MostUnwrittenBytes() const {
  const uint64_t wanted = options.most_unwritten_bytes != 0
                              ? options.most_unwritten_bytes
                              : filesystem->cache().budget_bytes() / 4;
  return std::max(wanted, kLeastUnwrittenBlocks * form.rules.node_bytes);
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Session::~Session() {
  EBCACHE_CHECK(!impl_->transaction_open, "a session ends after its transaction");
}

absl::StatusOr<std::unique_ptr<Session>> Session::Open(Filesystem* filesystem,
                                                       SessionOptions options) {
  if (!filesystem->writable()) {
    return absl::PermissionDeniedError("the filesystem is open for reading only");
  }
  if (absl::Status status = txn::CheckMayWrite(*filesystem, options.drop_log); !status.ok())
    return status;
  auto impl = std::make_unique<Impl>(filesystem, options);
  if (absl::Status claimed = impl->Claim(); !claimed.ok()) return claimed;
  absl::StatusOr<Uuid> uuid = ChunkTreeUuid(*filesystem);
  if (!uuid.ok()) return uuid.status();
  impl->chunk_tree_uuid = *uuid;
  absl::StatusOr<space::RangeSet> log = txn::FindLog(*filesystem);
  if (!log.ok()) return Prefixed("the log", log.status());
  impl->log = *std::move(log);
  if (!options.undo_file.empty()) {
    if (absl::Status status = impl->BeginUndo(); !status.ok()) return status;
  }
  if (absl::Status status = impl->LoadSpace(); !status.ok()) {
    if (impl->undo) (void)txn::RemoveUndoFile(options.undo_file);  // the first error is told
    return Prefixed("reading what is free", status);
  }
  return std::unique_ptr<Session>(new Session(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<Transaction>> Session::Begin() {
  if (impl_->transaction_open) {
    return absl::FailedPreconditionError("another transaction of this session is open");
  }
  if (!impl_->unknown.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("to be opened again: ", impl_->unknown.message()));
  }
  std::unique_ptr<Transaction> transaction;
  absl::Status status = txn::WithoutExceptions([&]() -> absl::Status {
    if (impl_->space == nullptr) {
      if (absl::Status loaded = impl_->LoadSpace(); !loaded.ok()) return loaded;
    }
    impl_->space->Release(impl_->states.TakeReleased());
    auto state = std::make_unique<Transaction::Impl>(impl_.get());
    transaction.reset(new Transaction(std::move(state)));
    return absl::OkStatus();
  });
  if (!status.ok()) {
    impl_->space.reset();  // some of what was released may be missing: it is read again
    return status;
  }
  impl_->transaction_open = true;
  return transaction;
}

absl::Status Session::Settle() {
  if (impl_->transaction_open) {
    return absl::FailedPreconditionError("a transaction of this session is open");
  }
  if (!impl_->undo) return absl::OkStatus();
  absl::Status status = txn::RemoveUndoFile(impl_->undo->path());
  if (!status.ok()) return status;
  impl_->undo.reset();
  impl_->states.LetGo(impl_->base_generation);
  return absl::OkStatus();
}

uint64_t Session::free_bytes() const {
  return impl_->space == nullptr ? 0 : impl_->space->FreeBytes(false);
}

Filesystem& Session::filesystem() const { return *impl_->filesystem; }

// ---- Views --------------------------------------------------------------------------------------

struct CommittedView::Impl {
  ~Impl() { session->states.LetGo(superblock.generation); }

  Session::Impl* session;
  Superblock superblock;
};

CommittedView Session::View() {
  // The generation is held before it is looked at again: what a commit frees meanwhile is kept.
  while (true) {
    Superblock superblock = impl_->filesystem->superblock();
    impl_->states.Hold(superblock.generation);
    const bool still = impl_->filesystem->superblock().generation == superblock.generation;
    if (still) {
      auto view = std::make_unique<CommittedView::Impl>();
      view->session = impl_.get();
      view->superblock = std::move(superblock);
      return CommittedView(std::move(view));
    }
    impl_->states.LetGo(superblock.generation);
  }
}

CommittedView::CommittedView(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CommittedView::CommittedView(CommittedView&&) noexcept = default;
CommittedView& CommittedView::operator=(CommittedView&&) noexcept = default;
CommittedView::~CommittedView() = default;

uint64_t CommittedView::generation() const { return impl_->superblock.generation; }

absl::StatusOr<BTree> CommittedView::Tree(uint64_t tree) const {
  return FindTree(&impl_->session->filesystem->cache(), impl_->superblock, tree);
}

}  // namespace ebcache
