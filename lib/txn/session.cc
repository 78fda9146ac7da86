#include <absl/strings/str_cat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>
#include <utility>

#include "ebcache/item_codec.h"
#include "ebcache/items_block.h"
#include "ebcache/readahead.h"
#include "ebcache/transaction.h"
#include "lib/base/check.h"
#include "lib/base/messages.h"
#include "lib/fs/preview_state.h"
#include "lib/fs/tree_roots.h"
#include "lib/txn/log_space.h"
#include "lib/txn/no_exceptions.h"
#include "lib/txn/session_state.h"
#include "lib/txn/space_loader.h"
#include "lib/txn/transaction_state.h"
#include "lib/txn/undo_place.h"
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
  if (preview != nullptr) TellPreview();
  if (has_claim) filesystem->has_session_.clear(std::memory_order_release);
}

// Two that know nothing of each other would put their blocks at the same places.
absl::Status Session::Impl::Claim() {
  if (filesystem->has_session_.test_and_set(std::memory_order_acquire)) {
    return WithNumber(absl::FailedPreconditionError("another session of this filesystem is open"),
                      EBUSY);
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
  if (preview != nullptr) {
    for (const auto& [start, end] : preview->freed) loaded->Withhold({start, end - start});
  }
  space = std::move(loaded);
  return absl::OkStatus();
}

// Until a preview is applied the devices have the state that it began with, over all of its sessions.
void Session::Impl::JoinPreview() {
  if (filesystem->preview_ == nullptr) return;
  never_written = !filesystem->preview_->applicable;
  if (never_written) return;
  preview = filesystem->preview_.get();
  states.Hold(filesystem->superblock().generation);
}

void Session::Impl::TellPreview() {
  const absl::Status told = txn::WithoutExceptions([this] {
    const auto add = [this](const space::RangeSet& ranges) {
      for (const auto& [start, end] : ranges.ends()) {
        uint64_t& known = preview->freed[start];
        known = std::max(known, end);
      }
    };
    add(states.Kept());
    add(log);
    return absl::OkStatus();
  });
  preview->lost |= !told.ok();
}

absl::Status Session::Impl::BeginUndo() {
  const Superblock start = filesystem->superblock();
  absl::Status place = txn::CheckUndoPlace(options.undo_file, start.fsid);
  if (!place.ok()) return place;
  const absl::StatusOr<std::vector<SuperblockImage>> images =
      filesystem->volume().SuperblockImages();
  if (!images.ok()) return images.status();
  states.Hold(start.generation);
  base_generation = start.generation;
  // Last: once there is a file, nothing may fail before `undo` has it.
  absl::StatusOr<txn::UndoFile> file = txn::UndoFile::Create(
      options.undo_file, *images, {start.generation, SuperblockStateHash(start)});
  if (!file.ok()) return file.status();
  undo = *std::move(file);
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

// Has made an undo file, if any, when it fails after that.
absl::Status Session::Impl::Open() {
  if (!filesystem->writable()) {
    return absl::PermissionDeniedError("the filesystem is open for reading only");
  }
  if (options.rewrite_threads > ReadaheadOptions::kMostThreads) {
    return absl::InvalidArgumentError(absl::StrCat("rewrite_threads is ", options.rewrite_threads,
                                                   ", more than ", ReadaheadOptions::kMostThreads));
  }
  absl::Status status = txn::CheckMayWrite(*filesystem, options.drop_log);
  if (status.ok()) status = Claim();
  if (!status.ok()) return status;
  JoinPreview();
  absl::StatusOr<Uuid> uuid = ChunkTreeUuid(*filesystem);
  if (!uuid.ok()) return uuid.status();
  chunk_tree_uuid = *uuid;
  absl::StatusOr<space::RangeSet> found = txn::FindLog(*filesystem);
  if (!found.ok()) return Prefixed("the log", found.status());
  log = *std::move(found);
  if (!options.undo_file.empty()) {
    if (status = BeginUndo(); !status.ok()) return status;
  }
  return Prefixed("reading what is free", LoadSpace());
}

absl::StatusOr<std::unique_ptr<Session>> Session::Open(Filesystem* filesystem,
                                                       SessionOptions options) {
  std::unique_ptr<Session> session;
  absl::Status status = txn::WithoutExceptions([&] {
    session.reset(new Session(std::make_unique<Impl>(filesystem, options)));
    return session->impl_->Open();
  });
  if (status.ok()) return session;
  if (session != nullptr && session->impl_->undo) {
    // The first error is told.
    (void)txn::WithoutExceptions([&] { return txn::RemoveUndoFile(session->impl_->undo->path()); });
  }
  return status;
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
  explicit Impl(Session::Impl* of) : session(of) {}
  ~Impl() { LetGo(); }

  void Hold(Superblock of) {
    session->states.Hold(of.generation);
    superblock = std::move(of);
    held = true;
  }
  void LetGo() {
    if (held) session->states.LetGo(superblock.generation);
    held = false;
  }

  Session::Impl* const session;
  Superblock superblock;
  bool held = false;
};

absl::StatusOr<CommittedView> Session::View() {
  std::unique_ptr<CommittedView::Impl> view;
  absl::Status status = txn::WithoutExceptions([&] {
    view = std::make_unique<CommittedView::Impl>(impl_.get());
    view->Hold(impl_->filesystem->superblock());
    // The generation is held before it is looked at again: what a commit frees meanwhile is kept.
    while (true) {
      Superblock now = impl_->filesystem->superblock();
      if (now.generation == view->superblock.generation) return absl::OkStatus();
      view->LetGo();
      view->Hold(std::move(now));
    }
  });
  if (!status.ok()) return status;
  return CommittedView(std::move(view));
}

CommittedView::CommittedView(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CommittedView::CommittedView(CommittedView&&) noexcept = default;
CommittedView& CommittedView::operator=(CommittedView&&) noexcept = default;
CommittedView::~CommittedView() = default;

uint64_t CommittedView::generation() const { return impl_->superblock.generation; }

absl::StatusOr<BTree> CommittedView::Tree(uint64_t tree) const {
  std::optional<BTree> opened;
  absl::Status status = txn::WithoutExceptions([&] {
    absl::StatusOr<BTree> found =
        FindTree(&impl_->session->filesystem->cache(), impl_->superblock, tree);
    if (found.ok()) opened = *std::move(found);
    return found.status();
  });
  if (!status.ok()) return status;
  return *std::move(opened);
}

}  // namespace ebcache
