// A cache's beginning and end, and the public face.

#include "ebcache/buffer_cache.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>

#include "ebcache/allocators.h"
#include "lib/cache/buffer_cache_impl.h"
#include "lib/cache/extent_buffer_access.h"

namespace ebcache {

namespace {

// Of a private buffer: a sector, as devices have it.
constexpr uint32_t kLeastBytes = 512;

BufferCacheOptions Complete(BufferCacheOptions options) {
  EBCACHE_CHECK(std::has_single_bit(options.node_bytes) && options.node_bytes >= 4096 &&
                    options.node_bytes <= 65536,
                "BufferCacheOptions::node_bytes must be a power of two from 4096 to 65536");
  EBCACHE_CHECK(
      options.low_room_percent <= options.high_room_percent && options.high_room_percent <= 50,
      "BufferCacheOptions: low_room_percent <= high_room_percent <= 50");
  EBCACHE_CHECK(options.user_bytes <= BufferCacheOptions::kMostUserBytes,
                "BufferCacheOptions::user_bytes must be 4096 or less");
  constexpr auto kAllFlags = AllocFlags::kMovable | AllocFlags::kReclaimable | AllocFlags::kNoFail |
                             AllocFlags::kNoWarn | AllocFlags::kNoReclaim |
                             AllocFlags::kGroupedUnmovable;
  EBCACHE_CHECK((options.alloc_flags & kAllFlags) == options.alloc_flags,
                "BufferCacheOptions::alloc_flags: no such flag");
  EBCACHE_CHECK(options.migrate_mode == BufferCacheOptions::MigrateMode::kKeepBuffer ||
                    options.migrate_mode == BufferCacheOptions::MigrateMode::kDropBuffer,
                "BufferCacheOptions::migrate_mode: no such mode");
  if (!options.on_dirty_limit) options.dirty_limit_bytes = 0;
  if (options.allocator == nullptr) options.allocator = HeapAllocator();
  return options;
}

}  // namespace

BufferCacheImpl::BufferCacheImpl(BufferCacheOptions options, BlockSource* source)
    : pool_(this, Complete(std::move(options)), source), io_(&pool_, source), mover_(&pool_) {}

BufferCacheImpl::~BufferCacheImpl() {
  pool_.StopReclaim();
  mover_.Quiesce();
  uint64_t unwritten = 0;
  const auto tell_of_unwritten = [&](const ExtentBuffer* buffer) {
    ++unwritten;
    if (options().on_unwritten) options().on_unwritten(buffer->start(), io_.WriteError(buffer));
  };
  pool_.BuryAll(tell_of_unwritten, tell_of_held_.has_value() ? &*tell_of_held_ : nullptr);
  if (unwritten != 0 && !options().on_unwritten && !tell_of_held_.has_value()) {
    std::fprintf(stderr, "ebcache: a cache was destroyed with %llu blocks that were not written\n",
                 static_cast<unsigned long long>(unwritten));
  }
  mover_.End();
}

absl::Status BufferCacheImpl::CheckOurs(const ExtentBuffer& buffer) const {
  if (Inside(&buffer).cache_ == this) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("block ", buffer.start(), ": the buffer is another cache's"));
}

// ---- The public face ----------------------------------------------------------------------------

BufferCache::BufferCache(BufferCacheOptions options, BlockSource* source)
    : impl_(std::make_unique<BufferCacheImpl>(std::move(options), source)) {}
BufferCache::~BufferCache() = default;

void BufferCache::Destroy(std::unique_ptr<BufferCache> cache,
                          absl::FunctionRef<void(const ExtentBuffer&, BufferState)> tell) {
  const auto tell_of_held = [&](const ExtentBuffer* buffer) { tell(*buffer, buffer->state()); };
  cache->impl_->TellOfHeld(tell_of_held);
  cache.reset();
}

absl::Status BufferCache::status() const { return impl_->status(); }
uint32_t BufferCache::node_bytes() const { return impl_->options().node_bytes; }
PageAllocator& BufferCache::allocator() const { return impl_->allocator(); }

ExtentBuffer* BufferCache::FindBuffer(uint64_t start) { return impl_->pool().Find(start); }

bool BufferCache::MayBeCached(uint64_t start) const { return impl_->pool().MayHave(start); }

absl::StatusOr<ExtentBufferRef> BufferCache::Create(uint64_t start) {
  auto made = impl_->pool().Create(start);
  if (!made.ok()) return made.status();
  return ExtentBufferRef::Adopt(*made);
}

absl::StatusOr<BufferCache::Created> BufferCache::CreateOrFind(uint64_t start, NewBytes bytes) {
  const auto made = impl_->pool().CreateOrFind(start, bytes);
  if (!made.ok()) return made.status();
  return Created{.buffer = ExtentBufferRef::Adopt(made->buffer), .is_new = made->is_new};
}

absl::StatusOr<ExtentBufferRef> BufferCache::CreateDummy(uint64_t start, uint32_t bytes) {
  if (bytes == 0) bytes = node_bytes();
  if (!std::has_single_bit(bytes) || bytes < kLeastBytes || bytes > node_bytes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("block ", start, ": a private buffer has a power of two of bytes, from ",
                     kLeastBytes, " to ", node_bytes(), ", not ", bytes));
  }
  auto made = impl_->pool().CreateUnmapped(start, bytes);
  if (!made.ok()) return made.status();
  ExtentBufferRef ref = ExtentBufferRef::Adopt(*made);
  for (absl::Span<std::byte> segment : ref->mutable_segments()) {
    std::memset(segment.data(), 0, segment.size());
  }
  return ref;
}

absl::StatusOr<ExtentBufferRef> BufferCache::Clone(const ExtentBuffer& source) {
  if (source.length() > node_bytes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("block ", source.start(), ": a clone of its ", source.length(),
                     " bytes does not fit a cache of blocks of ", node_bytes()));
  }
  auto made = impl_->pool().CreateUnmapped(source.start(), source.length());
  if (!made.ok()) return made.status();
  ExtentBufferRef ref = ExtentBufferRef::Adopt(*made);
  if (auto status = ref->CopyFrom(source, 0, 0, source.length()); !status.ok()) return status;
  ref->set_mirror(source.mirror());
  return ref;
}

absl::Status BufferCache::Read(const ExtentBufferRef& buffer, const ParentCheck* check) {
  EBCACHE_CHECK(buffer, "Read of an empty reference");
  if (auto status = impl_->CheckOurs(*buffer); !status.ok()) return status;
  return impl_->io().Read(buffer.get(), check);
}

absl::Status BufferCache::Reread(const ExtentBufferRef& buffer, const ParentCheck* check) {
  EBCACHE_CHECK(buffer, "Reread of an empty reference");
  if (auto status = impl_->CheckOurs(*buffer); !status.ok()) return status;
  return impl_->io().Reread(buffer.get(), check);
}

absl::StatusOr<ExtentBufferRef> BufferCache::ReadBlock(uint64_t start, const ParentCheck* check) {
  auto buffer = Create(start);
  if (!buffer.ok()) return buffer;
  if (auto status = impl_->io().Read(buffer->get(), check); !status.ok()) return status;
  return buffer;
}

void BufferCache::ReadBlocks(absl::Span<const uint64_t> starts,
                             absl::Span<const ParentCheck* const> checks,
                             absl::Span<absl::StatusOr<ExtentBufferRef>> results) {
  EBCACHE_CHECK(results.size() == starts.size(), "ReadBlocks: one result for each block");
  EBCACHE_CHECK(checks.empty() || checks.size() == starts.size(),
                "ReadBlocks: no checks, or one for each block");
  impl_->io().ReadBlocks(starts, checks, results);
}

absl::Status BufferCache::Writeback(const ExtentBufferRef& buffer) {
  EBCACHE_CHECK(buffer, "Writeback of an empty reference");
  if (auto status = impl_->CheckOurs(*buffer); !status.ok()) return status;
  return impl_->io().Writeback(buffer.get());
}
absl::Status BufferCache::WritebackAll() { return impl_->io().WritebackAll(); }
absl::Status BufferCache::WritebackMany(absl::Span<const ExtentBufferRef> buffers,
                                        WriteDurability durability) {
  for (const ExtentBufferRef& buffer : buffers) {
    EBCACHE_CHECK(buffer, "WritebackMany of an empty reference");
    if (auto status = impl_->CheckOurs(*buffer); !status.ok()) return status;
  }
  return impl_->io().WritebackMany(buffers, durability);
}
absl::Status BufferCache::WriteError(const ExtentBufferRef& buffer) const {
  EBCACHE_CHECK(buffer, "WriteError of an empty reference");
  if (auto status = impl_->CheckOurs(*buffer); !status.ok()) return status;
  return impl_->io().WriteError(buffer.get());
}
absl::StatusOr<bool> BufferCache::GiveUpWrite(const ExtentBufferRef& buffer) {
  EBCACHE_CHECK(buffer, "GiveUpWrite of an empty reference");
  if (auto status = impl_->CheckOurs(*buffer); !status.ok()) return status;
  return impl_->io().GiveUpWrite(buffer.get());
}
uint64_t BufferCache::GiveUpWrites() { return impl_->io().GiveUpWrites(); }

absl::Status BufferCache::ReinitAsNewBlock(const ExtentBufferRef& buffer, uint32_t header_bytes) {
  EBCACHE_CHECK(buffer, "ReinitAsNewBlock of an empty reference");
  if (auto status = impl_->CheckOurs(*buffer); !status.ok()) return status;
  const absl::Status status = impl_->io().TryReinitAsNewBlock(buffer.get(), header_bytes);
  EBCACHE_CHECK(!absl::IsInvalidArgument(status),
                "ReinitAsNewBlock needs a reference, and no read or write under way");
  return status;
}

absl::Status BufferCache::TryReinitAsNewBlock(const ExtentBufferRef& buffer,
                                              uint32_t header_bytes) {
  EBCACHE_CHECK(buffer, "TryReinitAsNewBlock of an empty reference");
  if (auto status = impl_->CheckOurs(*buffer); !status.ok()) return status;
  return impl_->io().TryReinitAsNewBlock(buffer.get(), header_bytes);
}

ExtentBufferRef BufferCache::FirstAtOrAfter(uint64_t start) {
  return ExtentBufferRef::Adopt(impl_->pool().NextReferenced(start, BufferPool::Wanted::kAny));
}
ExtentBufferRef BufferCache::NextDirty(uint64_t start) {
  return ExtentBufferRef::Adopt(impl_->pool().NextReferenced(start, BufferPool::Wanted::kDirty));
}

uint64_t BufferCache::DropCaches() { return impl_->pool().DropCaches(); }
uint64_t BufferCache::Shrink(uint64_t bytes) { return impl_->pool().Shrink(bytes); }
void BufferCache::SetBudget(uint64_t budget_bytes) { impl_->pool().SetBudget(budget_bytes); }
uint64_t BufferCache::budget_bytes() const { return impl_->pool().budget_bytes(); }

bool BufferCache::ReleaseFolio(Folio folio, uint32_t private_bits) {
  return impl_->mover().Release(folio, private_bits);
}
bool BufferCache::MigrateFolio(Folio destination, Folio source, uint32_t private_bits) {
  return impl_->mover().Migrate(destination, source, private_bits);
}

}  // namespace ebcache
