// Finding buffers, making them, and burying the dead.

#include "ebcache/buffer_cache.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "ebcache/allocators.h"
#include "lib/cache/buffer_cache_impl.h"

namespace ebcache {

namespace {

// Blocks lie at multiples of the smallest sector size, not necessarily of their own size: converted
// filesystems are like that.
constexpr uint64_t kStartAlignment = 4096;

BufferCacheOptions Complete(BufferCacheOptions options) {
  EBCACHE_CHECK(std::has_single_bit(options.node_bytes) && options.node_bytes >= 4096 &&
                    options.node_bytes <= 65536,
                "BufferCacheOptions::node_bytes must be a power of two from 4096 to 65536");
  EBCACHE_CHECK(
      options.low_room_percent <= options.high_room_percent && options.high_room_percent <= 50,
      "BufferCacheOptions: low_room_percent <= high_room_percent <= 50");
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
      owner_(options_.allocator->RegisterOwner(this)),
      slab_(this, row_slots_, OsCalls::Real()),
      index_(options_.node_bytes, OsCalls::Real()),
      reclaim_list_(&slab_),
      subpages_(options_.allocator.get(), owner_, BlocksPerPage(options_)),
      budget_bytes_(0) {
  UseBudget(options_.budget_bytes);
  if (options_.background_reclaim) {
    background_ = std::make_unique<BackgroundReclaim>([this] { return ReclaimInBackground(); });
  }
}

BufferCacheImpl::~BufferCacheImpl() {
  background_.reset();
  if (!sync::Planted("goes-without-quiescing")) allocator().QuiesceOwner(owner_);
  for (uint32_t i = 0; i < slab_.size(); ++i) {
    ExtentBuffer* buffer = slab_.At(i);
    const BufferState s = state::Unpack(buffer->state_.load(std::memory_order_acquire));
    if (s.refs == 0) continue;
    EBCACHE_CHECK(s.refs == 1 && s.has(BufferFlag::kTreeRef),
                  "a BufferCache was destroyed while references to its buffers were held");
    buffer->state_.store(0, std::memory_order_relaxed);  // dirty or not: nobody is left to write it
    Bury(buffer, /*listed=*/true);
  }
  allocator().UnregisterOwner(owner_);
}

// ---- Finding ------------------------------------------------------------------------------------

ExtentBuffer* BufferCacheImpl::FindSlowly(uint64_t start, ExtentBuffer* wrong) {
  if (wrong != nullptr) Put(wrong);
  return index_.Find(start, [this, start](ExtentBuffer* candidate) {
    const auto got = state::Apply(candidate->state_, state::Get);
    if (got.result == state::Result::kChanged) [[likely]] {
      if ((candidate->start_ == start && !got.after.has(BufferFlag::kUnmapped)) ||
          sync::Planted("find-without-identity-check")) [[likely]] {
        return BufferIndex::Grab::kTaken;
      }
      const bool overlaps = index_.BlockOf(candidate->start_) == index_.BlockOf(start) &&
                            !got.after.has(BufferFlag::kUnmapped);
      Put(candidate);
      return overlaps ? BufferIndex::Grab::kDead : BufferIndex::Grab::kOther;
    }
    if (!got.after.has(BufferFlag::kMigrating)) return BufferIndex::Grab::kDead;
    state::WaitWhile(candidate->state_, BufferFlag::kMigrating);
    return BufferIndex::Grab::kBusy;
  });
}

ExtentBuffer* BufferCacheImpl::NextReferenced(uint64_t start, bool dirty_only) {
  if (dirty_only && counters_.dirty.load(std::memory_order_relaxed) == 0) return nullptr;
  const auto wanted = [dirty_only](const ExtentBuffer& buffer) {
    const BufferState s = buffer.state();
    return s.refs != 0 && (!dirty_only || s.has(BufferFlag::kDirty));
  };
  uint64_t block = index_.BlockOf(start);
  for (;;) {
    uint64_t found = 0;
    ExtentBuffer* candidate = index_.NextCandidate(block, wanted, &found);
    if (candidate == nullptr) return nullptr;
    const auto got = state::Apply(candidate->state_, state::Get);
    if (got.result == state::Result::kChanged) {
      const bool right =
          index_.BlockOf(candidate->start_) == found && !got.after.has(BufferFlag::kUnmapped);
      if (right && candidate->start_ >= start &&
          (!dirty_only || got.after.has(BufferFlag::kDirty))) {
        return candidate;
      }
      Put(candidate);
      block = right ? found + 1 : found;
    } else if (got.after.has(BufferFlag::kMigrating)) {
      state::WaitWhile(candidate->state_, BufferFlag::kMigrating);
      block = found;
    } else {
      block = found + 1;  // died since
    }
  }
}

// ---- Making -------------------------------------------------------------------------------------

absl::Status BufferCacheImpl::CheckStart(uint64_t start) const {
  if (start % kStartAlignment != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("block ", start, ": not a multiple of ", kStartAlignment));
  }
  if (start > ~uint64_t{0} - options_.node_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("block ", start, ": ends beyond the address space"));
  }
  return absl::OkStatus();
}

absl::Status BufferCacheImpl::AllocateFrames(ExtentBuffer* buffer, AllocFlags flags) {
  buffer->subpage_ = 0;
  buffer->order_ = 0;
  if (subpage()) {
    auto place = subpages_.Allocate(flags, buffer->index_);
    if (!place.ok()) return place.status();
    buffer->folios_[0] = place->folio;
    buffer->subpage_ = static_cast<uint8_t>(place->slot);
    std::byte* page = allocator().Address(place->folio);
    PlaceFront(buffer, page == nullptr ? nullptr : page + subpage_offset(buffer));
    return absl::OkStatus();
  }
  FolioBlock block{.slots = absl::MakeSpan(buffer->folios_, row_slots_),
                   .naturally_aligned = buffer->start_ % options_.node_bytes == 0};
  const FolioRequest request{.flags = flags, .owner = owner_, .private_bits = buffer->index_};
  if (auto status = allocator().AllocateBlock(request, block); !status.ok()) return status;
  buffer->order_ = static_cast<uint8_t>(block.order);
  PlaceFront(buffer, block.direct);
  return absl::OkStatus();
}

void BufferCacheImpl::PlaceFront(ExtentBuffer* buffer, std::byte* direct) {
  buffer->front_ = direct;
  buffer->front_bytes_ = direct != nullptr ? options_.node_bytes : 0;
  if (direct != nullptr || direct_map() == nullptr) return;
  // A page array: frames of one arena, so that a page's address is arithmetic.
  buffer->front_ =
      const_cast<std::byte*>(direct_map()) + (size_t{buffer->folios_[0].pfn()} << page_shift_);
  buffer->front_bytes_ = uint32_t{1} << (page_shift_ + buffer->order_);
}

void BufferCacheImpl::FreeFrames(ExtentBuffer* buffer) {
  if (subpage()) {
    if (buffer->folios_[0].empty()) return;  // migration by dropping took it
    subpages_.Free(buffer->folios_[0], buffer->subpage_);
    buffer->folios_[0] = Folio();
    return;
  }
  FolioBlock block{.slots = absl::MakeSpan(buffer->folios_, row_slots_),
                   .order = buffer->order_,
                   .direct = const_cast<std::byte*>(buffer->contiguous())};
  allocator().FreeBlock(block);
}

absl::StatusOr<ExtentBuffer*> BufferCacheImpl::MakeBuffer(uint64_t start, AllocFlags flags) {
  ExtentBuffer* buffer = slab_.Allocate();
  if (buffer == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("block ", start, ": no memory for a descriptor"));
  }
  buffer->start_ = start;
  buffer->length_shift_ = static_cast<uint8_t>(std::countr_zero(options_.node_bytes));
  buffer->mirror_ = 0;
  absl::Status status = AllocateFrames(buffer, flags);
  // Out of pages: those of idle buffers will do, wherever they are in the order. A few more each
  // time, because others take them too.
  for (uint64_t wanted = 4;
       absl::IsResourceExhausted(status) && !Has(flags, AllocFlags::kNoReclaim) && wanted <= 64;
       wanted *= 4) {
    const uint64_t all = reclaim_list_.size();
    if (Reclaim(wanted, /*max_scan=*/all, /*spare_accessed=*/false).buffers == 0) break;
    status = AllocateFrames(buffer, flags);
  }
  if (status.ok()) return buffer;
  slab_.Free(buffer);
  return absl::Status(status.code(),
                      absl::StrCat("block ", start, ": ", absl::string_view(status.message())));
}

void BufferCacheImpl::UnmakeBuffer(ExtentBuffer* buffer) {
  FreeFrames(buffer);
  slab_.Free(buffer);
}

void BufferCacheImpl::NoteCreated() {
  Count(counters_.creates);
  const uint64_t cached = counters_.cached.fetch_add(1, std::memory_order_relaxed) + 1;
  uint64_t peak = counters_.peak_cached.load(std::memory_order_relaxed);
  while (peak < cached &&
         !counters_.peak_cached.compare_exchange_weak(peak, cached, std::memory_order_relaxed)) {
  }
}

absl::StatusOr<ExtentBuffer*> BufferCacheImpl::Create(uint64_t start) {
  if (auto status = CheckStart(start); !status.ok()) return status;
  if (ExtentBuffer* found = Find(start)) return found;
  MakeRoom(1);
  auto made = MakeBuffer(start, options_.alloc_flags);
  if (!made.ok()) return made;
  const auto grab = [start](ExtentBuffer* there) {
    const auto got = state::Apply(there->state_, [&](BufferState s) {
      // Under the index's lock it is the index's, so its address can be read without a reference.
      return there->start_ == start ? state::Get(s) : state::Refused(s);
    });
    if (got.result == state::Result::kChanged) return BufferIndex::Grab::kTaken;
    if (got.after.refs == 0) return BufferIndex::Grab::kDead;
    return there->start_ == start ? BufferIndex::Grab::kBusy : BufferIndex::Grab::kOther;
  };
  for (;;) {
    ExtentBuffer* existing = nullptr;
    switch (index_.Insert(*made, state::Pack(state::BornMapped()), grab, &existing)) {
      case BufferIndex::Insertion::kInserted:
        NoteCreated();
        reclaim_list_.Add(*made);
        WakeReclaim();
        return *made;
      case BufferIndex::Insertion::kExists:
        Count(counters_.create_races_lost);
        if (!sync::Planted("loser-leaks")) UnmakeBuffer(*made);
        if (sync::Planted("loser-puts-the-winner")) Put(existing);
        return existing;
      case BufferIndex::Insertion::kBusy:
        state::WaitWhile(existing->state_, BufferFlag::kMigrating);
        continue;
      case BufferIndex::Insertion::kOverlaps:
        UnmakeBuffer(*made);
        return absl::FailedPreconditionError(
            absl::StrCat("block ", start, ": overlaps another block in the cache"));
      case BufferIndex::Insertion::kNoMemory:
        UnmakeBuffer(*made);
        return absl::ResourceExhaustedError(
            absl::StrCat("block ", start, ": no memory for the index"));
    }
  }
}

absl::StatusOr<ExtentBuffer*> BufferCacheImpl::CreateUnmapped(uint64_t start) {
  // Private to a holder, so nobody could move it, whatever the cache's other buffers are.
  const auto flags = static_cast<AllocFlags>(static_cast<uint32_t>(options_.alloc_flags) &
                                             ~static_cast<uint32_t>(AllocFlags::kMovable));
  auto made = MakeBuffer(start, flags);
  if (!made.ok()) return made;
  Count(counters_.unmapped);
  // Release: late readers with a pointer from an earlier life look at the state first.
  (*made)->state_.store(state::Pack(state::BornUnmapped()), std::memory_order_release);
  return *made;
}

// ---- Burying ------------------------------------------------------------------------------------

void BufferCacheImpl::Bury(ExtentBuffer* buffer, bool listed) {
  if (sync::Planted("folios-before-index")) FreeFrames(buffer);
  // Relaxed: the caller killed it, so nobody has changed it since.
  const BufferState s = state::Unpack(buffer->state_.load(std::memory_order_relaxed));
  if (s.has(BufferFlag::kUnmapped)) {
    Uncount(counters_.unmapped);
  } else {
    // Out of the index first: whoever looks the block up from here on makes a new buffer.
    index_.Remove(buffer->start_, buffer);
    if (listed) reclaim_list_.Remove(buffer);
    ForgetFailure(buffer);
    Uncount(counters_.cached);
  }
  if (sync::Planted("descriptor-before-folios")) slab_.Free(buffer);
  // Then the folios, which by then nobody can reach through this buffer.
  FreeFrames(buffer);
  // The descriptor last: from here on it may be somebody else.
  if (!sync::Planted("descriptor-before-folios")) slab_.Free(buffer);
}

// ---- The public face ----------------------------------------------------------------------------

BufferCache::BufferCache(BufferCacheOptions options, BlockSource* source)
    : impl_(std::make_unique<BufferCacheImpl>(std::move(options), source)) {}
BufferCache::~BufferCache() = default;

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
  auto made = impl_->CreateUnmapped(source.start());
  if (!made.ok()) return made.status();
  ExtentBufferRef ref = BufferCacheImpl::Wrap(*made);
  if (auto status = ref->CopyFrom(source, 0, 0, source.length()); !status.ok()) return status;
  ref->set_mirror(source.mirror());
  return ref;
}

absl::Status BufferCache::Read(const ExtentBufferRef& buffer, const ParentCheck* check) {
  EBCACHE_CHECK(buffer, "Read of an empty reference");
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
  return impl_->Writeback(buffer.get());
}
absl::Status BufferCache::WritebackAll() { return impl_->WritebackAll(); }

absl::Status BufferCache::ReinitAsNewBlock(const ExtentBufferRef& buffer, uint32_t header_bytes) {
  EBCACHE_CHECK(buffer, "ReinitAsNewBlock of an empty reference");
  return impl_->ReinitAsNewBlock(buffer.get(), header_bytes);
}

ExtentBufferRef BufferCache::FirstAtOrAfter(uint64_t start) {
  return BufferCacheImpl::Wrap(impl_->NextReferenced(start, /*dirty_only=*/false));
}
ExtentBufferRef BufferCache::NextDirty(uint64_t start) {
  return BufferCacheImpl::Wrap(impl_->NextReferenced(start, /*dirty_only=*/true));
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
