// A cache's beginning and end, finding buffers, and the public face.

#include "ebcache/buffer_cache.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>

#include "ebcache/allocators.h"
#include "lib/cache/buffer_cache_impl.h"
#include "lib/cache/hash_multiplier.h"

namespace ebcache {

namespace {

BufferCacheOptions Complete(BufferCacheOptions options) {
  EBCACHE_CHECK(std::has_single_bit(options.node_bytes) && options.node_bytes >= 4096 &&
                    options.node_bytes <= 65536,
                "BufferCacheOptions::node_bytes must be a power of two from 4096 to 65536");
  EBCACHE_CHECK(
      options.low_room_percent <= options.high_room_percent && options.high_room_percent <= 50,
      "BufferCacheOptions: low_room_percent <= high_room_percent <= 50");
  constexpr auto kAllFlags = AllocFlags::kMovable | AllocFlags::kReclaimable | AllocFlags::kNoFail |
                             AllocFlags::kNoWarn | AllocFlags::kNoReclaim;
  EBCACHE_CHECK((options.alloc_flags & kAllFlags) == options.alloc_flags,
                "BufferCacheOptions::alloc_flags: no such flag");
  EBCACHE_CHECK(options.migrate_mode == BufferCacheOptions::MigrateMode::kKeepBuffer ||
                    options.migrate_mode == BufferCacheOptions::MigrateMode::kDropBuffer,
                "BufferCacheOptions::migrate_mode: no such mode");
  if (options.allocator == nullptr) options.allocator = HeapAllocator();
  return options;
}

uint32_t PagesPerBlock(const BufferCacheOptions& options) {
  return static_cast<uint32_t>(
      std::max<size_t>(1, options.node_bytes / options.allocator->page_bytes()));
}

int BlocksPerPage(const BufferCacheOptions& options) {
  return static_cast<int>(
      std::max<size_t>(1, options.allocator->page_bytes() / options.node_bytes));
}

}  // namespace

BufferCacheImpl::BufferCacheImpl(BufferCacheOptions options, BlockSource* source)
    : options_(Complete(std::move(options))),
      source_(source),
      page_shift_(static_cast<uint32_t>(std::countr_zero(options_.allocator->page_bytes()))),
      row_slots_(PagesPerBlock(options_)),
      owner_(options_.allocator.get(), this),
      slab_(this, row_slots_, OsCalls::Real()),
      index_(options_.node_bytes, OsCalls::Real(), RandomMultiplier()),
      reclaim_list_(&slab_),
      subpages_(options_.allocator.get(), owner_.id(), BlocksPerPage(options_)),
      budget_bytes_(0) {
  UseBudget(options_.budget_bytes);
  if (options_.background_reclaim) {
    background_ = std::make_unique<BackgroundReclaim>([this] { return ReclaimInBackground(); });
  }
}

BufferCacheImpl::~BufferCacheImpl() {
  background_.reset();
  allocator().QuiesceOwner(owner_.id());
  uint64_t unwritten = 0;
  for (uint32_t i = 0; i < slab_.size(); ++i) {
    ExtentBuffer* buffer = slab_.At(i);
    const BufferState s = state::Unpack(buffer->state_.load(std::memory_order_acquire));
    if (s.refs == 0) continue;
    EBCACHE_CHECK(s.refs == 1 && s.has(BufferFlag::kTreeRef),
                  "a BufferCache was destroyed while references to its buffers were held");
    if (s.under_io()) TellOfUnwritten(buffer, unwritten);
    buffer->state_.store(0, std::memory_order_relaxed);  // dirty or not: no writer is left
    Bury({&buffer, 1}, /*listed=*/true);
  }
  if (unwritten != 0 && !options_.on_unwritten) {
    std::fprintf(stderr, "ebcache: a cache was destroyed with %llu blocks that were not written\n",
                 static_cast<unsigned long long>(unwritten));
  }
  owner_.End();
}

void BufferCacheImpl::TellOfUnwritten(const ExtentBuffer* buffer, uint64_t& count) {
  ++count;
  if (options_.on_unwritten) options_.on_unwritten(buffer->start(), WriteError(buffer));
}

// ---- Finding ------------------------------------------------------------------------------------

ExtentBuffer* BufferCacheImpl::FindSlowly(uint64_t start, ExtentBuffer* wrong) {
  if (wrong != nullptr) Put(wrong);
  return index_.Find(start, [this, start](ExtentBuffer* candidate) {
    const auto got = state::Apply(candidate->state_, state::GetForLookup);
    if (got.result == state::Result::kChanged) [[likely]] {
      if (candidate->start_ == start && !got.after.has(BufferFlag::kUnmapped)) [[likely]] {
        return BufferIndex::Grab::kTaken;
      }
      const bool overlaps = index_.BlockOf(candidate->start_) == index_.BlockOf(start) &&
                            !got.after.has(BufferFlag::kUnmapped);
      Put(candidate);
      return overlaps ? BufferIndex::Grab::kDead : BufferIndex::Grab::kOther;
    }
    if (!got.after.has(BufferFlag::kMigrating)) {
      if (got.after.refs != 0) [[unlikely]]
        TooManyReferences();
      return BufferIndex::Grab::kDead;
    }
    state::WaitWhile(candidate->state_, BufferFlag::kMigrating);
    return BufferIndex::Grab::kBusy;
  });
}

// A lookup met one that is alive and is not moving, and still could not get a reference.
void BufferCacheImpl::TooManyReferences() {
  EBCACHE_CHECK(false, "a buffer has 2^31 references: its users take them and do not put them");
}

ExtentBuffer* BufferCacheImpl::NextReferenced(uint64_t start, Wanted which) {
  if (which != Wanted::kAny && counters_.unwritten.load(std::memory_order_relaxed) == 0) {
    return nullptr;
  }
  const auto is_wanted = [which](BufferState s) {
    if (which == Wanted::kAny) return true;
    return which == Wanted::kDirty ? s.has(BufferFlag::kDirty) : s.under_io();
  };
  uint64_t block = index_.BlockOf(start);
  for (;;) {
    const BufferIndex::Step step =
        which == Wanted::kAny ? index_.Next(block) : index_.NextUnwritten(block);
    if (step.at_end) return nullptr;
    block = step.block;
    if (step.candidate == nullptr) continue;  // only a place to go on from
    ExtentBuffer* const candidate = step.candidate;
    const auto got = state::Apply(candidate->state_, state::GetForLookup);
    if (got.result == state::Result::kChanged) {
      const bool right =
          index_.BlockOf(candidate->start_) == block && !got.after.has(BufferFlag::kUnmapped);
      if (right && candidate->start_ >= start && is_wanted(got.after)) return candidate;
      Put(candidate);
      if (right) ++block;
    } else if (got.after.has(BufferFlag::kMigrating)) {
      state::WaitWhile(candidate->state_, BufferFlag::kMigrating);
    } else {
      if (got.after.refs != 0) TooManyReferences();
      ++block;  // dead
    }
  }
}

absl::Status BufferCacheImpl::CheckOurs(const ExtentBuffer& buffer) const {
  if (buffer.cache_ == this) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("block ", buffer.start(), ": the buffer is another cache's"));
}

// ---- The public face ----------------------------------------------------------------------------

BufferCache::BufferCache(BufferCacheOptions options, BlockSource* source)
    : impl_(std::make_unique<BufferCacheImpl>(std::move(options), source)) {}
BufferCache::~BufferCache() = default;

absl::Status BufferCache::status() const { return impl_->status(); }
uint32_t BufferCache::node_bytes() const { return impl_->options().node_bytes; }
PageAllocator& BufferCache::allocator() const { return impl_->allocator(); }

ExtentBuffer* BufferCache::FindBuffer(uint64_t start) { return impl_->Find(start); }

absl::StatusOr<ExtentBufferRef> BufferCache::Create(uint64_t start) {
  auto made = impl_->Create(start);
  if (!made.ok()) return made.status();
  return BufferCacheImpl::Wrap(*made);
}

absl::StatusOr<ExtentBufferRef> BufferCache::CreateDummy(uint64_t start) {
  auto made = impl_->CreateUnmapped(start);
  if (!made.ok()) return made.status();
  ExtentBufferRef ref = BufferCacheImpl::Wrap(*made);
  for (absl::Span<std::byte> segment : ref->mutable_segments()) {
    std::memset(segment.data(), 0, segment.size());
  }
  return ref;
}

absl::StatusOr<ExtentBufferRef> BufferCache::Clone(const ExtentBuffer& source) {
  if (source.length() != node_bytes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("block ", source.start(), ": a clone of its ", source.length(),
                     " bytes does not fit a cache of blocks of ", node_bytes()));
  }
  auto made = impl_->CreateUnmapped(source.start());
  if (!made.ok()) return made.status();
  ExtentBufferRef ref = BufferCacheImpl::Wrap(*made);
  if (auto status = ref->CopyFrom(source, 0, 0, source.length()); !status.ok()) return status;
  ref->set_mirror(source.mirror());
  return ref;
}

absl::Status BufferCache::Read(const ExtentBufferRef& buffer, const ParentCheck* check) {
  EBCACHE_CHECK(buffer, "Read of an empty reference");
  if (auto status = impl_->CheckOurs(*buffer); !status.ok()) return status;
  return impl_->Read(buffer.get(), check);
}

absl::StatusOr<ExtentBufferRef> BufferCache::ReadBlock(uint64_t start, const ParentCheck* check) {
  auto buffer = Create(start);
  if (!buffer.ok()) return buffer;
  if (auto status = impl_->Read(buffer->get(), check); !status.ok()) return status;
  return buffer;
}

void BufferCache::ReadBlocks(absl::Span<const uint64_t> starts,
                             absl::Span<const ParentCheck* const> checks,
                             absl::Span<absl::StatusOr<ExtentBufferRef>> results) {
  EBCACHE_CHECK(results.size() == starts.size(), "ReadBlocks: one result for each block");
  EBCACHE_CHECK(checks.empty() || checks.size() == starts.size(),
                "ReadBlocks: no checks, or one for each block");
  impl_->ReadBlocks(starts, checks, results);
}

absl::Status BufferCache::Writeback(const ExtentBufferRef& buffer) {
  EBCACHE_CHECK(buffer, "Writeback of an empty reference");
  if (auto status = impl_->CheckOurs(*buffer); !status.ok()) return status;
  return impl_->Writeback(buffer.get());
}
absl::Status BufferCache::WritebackAll() { return impl_->WritebackAll(); }
absl::Status BufferCache::WriteError(const ExtentBufferRef& buffer) const {
  EBCACHE_CHECK(buffer, "WriteError of an empty reference");
  if (auto status = impl_->CheckOurs(*buffer); !status.ok()) return status;
  return impl_->WriteError(buffer.get());
}
absl::StatusOr<bool> BufferCache::GiveUpWrite(const ExtentBufferRef& buffer) {
  EBCACHE_CHECK(buffer, "GiveUpWrite of an empty reference");
  if (auto status = impl_->CheckOurs(*buffer); !status.ok()) return status;
  return impl_->GiveUpWrite(buffer.get());
}
uint64_t BufferCache::GiveUpWrites() { return impl_->GiveUpWrites(); }

absl::Status BufferCache::ReinitAsNewBlock(const ExtentBufferRef& buffer, uint32_t header_bytes) {
  EBCACHE_CHECK(buffer, "ReinitAsNewBlock of an empty reference");
  if (auto status = impl_->CheckOurs(*buffer); !status.ok()) return status;
  const absl::Status status = impl_->TryReinitAsNewBlock(buffer.get(), header_bytes);
  EBCACHE_CHECK(!absl::IsInvalidArgument(status),
                "ReinitAsNewBlock needs a reference, and no read or write under way");
  return status;
}

absl::Status BufferCache::TryReinitAsNewBlock(const ExtentBufferRef& buffer,
                                              uint32_t header_bytes) {
  EBCACHE_CHECK(buffer, "TryReinitAsNewBlock of an empty reference");
  if (auto status = impl_->CheckOurs(*buffer); !status.ok()) return status;
  return impl_->TryReinitAsNewBlock(buffer.get(), header_bytes);
}

ExtentBufferRef BufferCache::FirstAtOrAfter(uint64_t start) {
  return BufferCacheImpl::Wrap(impl_->NextReferenced(start, BufferCacheImpl::Wanted::kAny));
}
ExtentBufferRef BufferCache::NextDirty(uint64_t start) {
  return BufferCacheImpl::Wrap(impl_->NextReferenced(start, BufferCacheImpl::Wanted::kDirty));
}

uint64_t BufferCache::DropCaches() { return impl_->DropCaches(); }
uint64_t BufferCache::Shrink(uint64_t bytes) { return impl_->Shrink(bytes); }
void BufferCache::SetBudget(uint64_t budget_bytes) { impl_->SetBudget(budget_bytes); }
uint64_t BufferCache::budget_bytes() const { return impl_->budget_bytes(); }

bool BufferCache::ReleaseFolio(Folio folio, uint32_t private_bits) {
  return impl_->Release(folio, private_bits);
}
bool BufferCache::MigrateFolio(Folio destination, Folio source, uint32_t private_bits) {
  return impl_->Migrate(destination, source, private_bits);
}

}  // namespace ebcache
