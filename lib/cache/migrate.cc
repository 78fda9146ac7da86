// What the page allocator asks of the owner of a folio: give it up, or let it move.
//
// The folio's private bits name a descriptor (or a group of blocks that share the folio), but by
// the time we look they may name somebody else: the buffer died and its descriptor was recycled. So
// the buffer is frozen first, which only an idle one can be, and only then asked whether the folio
// is its. Frozen, its answer stays true.

#include "lib/cache/buffer_cache_impl.h"
#include "lib/cache/page_copy.h"

namespace ebcache {

bool BufferCacheImpl::HasFolio(const ExtentBuffer* buffer, Folio folio) const {
  const uint32_t folios = row_slots_ >> buffer->order_;
  for (uint32_t i = 0; i < folios; ++i) {
    if (buffer->folios_[i] == folio) return true;
  }
  return false;
}

void BufferCacheImpl::Thaw(absl::Span<ExtentBuffer* const> frozen) {
  for (ExtentBuffer* buffer : frozen) {
    const auto outcome = state::Apply(buffer->state_, state::EndMigrate);
    EBCACHE_CHECK(outcome.result == state::Result::kChanged, "a migration ended that was not one");
    buffer->state_.notify_all();
  }
}

void BufferCacheImpl::KillFrozen(absl::Span<ExtentBuffer* const> frozen) {
  for (ExtentBuffer* buffer : frozen) {
    const auto outcome = state::Apply(buffer->state_, state::ReleaseFrozen);
    EBCACHE_CHECK(outcome.result == state::Result::kDied, "a buffer died that was not frozen");
    buffer->state_.notify_all();
    Bury(buffer, /*listed=*/true);
  }
}

// Freezes every buffer that has bytes in the folio, or none.
bool BufferCacheImpl::Freeze(Folio folio, uint32_t private_bits, Members& frozen) {
  absl::InlinedVector<uint32_t, 1> numbers;
  if (subpage()) {
    numbers = subpages_.Close(folio, private_bits);
  } else if (private_bits < slab_.size()) {
    numbers.push_back(private_bits);
  }
  bool all = !numbers.empty();
  for (const uint32_t number : numbers) {
    ExtentBuffer* buffer = slab_.At(number);
    const auto outcome = state::Apply(buffer->state_, state::BeginMigrate);
    if (outcome.result == state::Result::kRefused) {
      Count(counters_.skipped[static_cast<size_t>(state::VerdictOf(outcome.after))]);
      all = false;
      break;
    }
    frozen.push_back(buffer);
    if (!HasFolio(buffer, folio)) {
      all = false;
      break;
    }
  }
  if (all) return true;
  Thaw(frozen);
  frozen.clear();
  if (subpage() && !numbers.empty()) subpages_.Reopen(folio, private_bits);
  return false;
}

bool BufferCacheImpl::Release(Folio folio, uint32_t private_bits) {
  Members frozen;
  if (!Freeze(folio, private_bits, frozen)) return false;
  Count(counters_.folio_releases, frozen.size());
  KillFrozen(frozen);
  return true;
}

// The block's bytes in `source` are in `destination` now. One address for the whole block is kept
// only where there is one: a single folio, or neighbours by luck.
void BufferCacheImpl::Repoint(ExtentBuffer* buffer, Folio destination, Folio source) {
  const uint32_t folios = row_slots_ >> buffer->order_;
  const uint32_t folio_pages = uint32_t{1} << buffer->order_;
  bool neighbours = true;
  for (uint32_t i = 0; i < folios; ++i) {
    if (buffer->folios_[i] == source) buffer->folios_[i] = destination;
    if (i > 0) {
      neighbours =
          neighbours && buffer->folios_[i].pfn() == buffer->folios_[i - 1].pfn() + folio_pages;
    }
  }
  std::byte* first = allocator().Address(buffer->folios_[0]);
  const bool was_direct = buffer->direct_ != nullptr;
  if (subpage()) {
    buffer->direct_ = first == nullptr ? nullptr : first + subpage_offset(buffer);
  } else {
    buffer->direct_ = neighbours ? first : nullptr;
  }
  if (first != nullptr && was_direct != (buffer->direct_ != nullptr)) {
    Count(was_direct ? counters_.contiguity_lost : counters_.contiguity_gained);
  }
}

bool BufferCacheImpl::Migrate(Folio destination, Folio source, uint32_t private_bits) {
  Members frozen;
  if (!Freeze(source, private_bits, frozen)) return false;
  const bool drop = options_.migrate_mode == BufferCacheOptions::MigrateMode::kDropBuffer;
  bool stale = false;
  for (const ExtentBuffer* buffer : frozen) stale = stale || buffer->stale();
  const int order = frozen.front()->order_;
  if (drop || stale) {
    // Nobody wants these bytes moved. The source is the allocator's to free, so it must not go with
    // the buffer; the destination turns out not to be needed.
    for (ExtentBuffer* buffer : frozen) DetachFolio(buffer, source);
    Count(counters_.folio_releases, frozen.size());
    KillFrozen(frozen);
    allocator().FreeBulk(order, absl::MakeSpan(&destination, 1));
    return true;
  }
  const std::byte* from = allocator().Address(source);
  std::byte* to = allocator().Address(destination);
  if (from != nullptr && to != nullptr) {
    CopyPages(to, from, allocator().page_bytes() << order);
  }
  for (ExtentBuffer* buffer : frozen) Repoint(buffer, destination, source);
  if (subpage()) {
    subpages_.Moved(destination, source);
    subpages_.Reopen(destination, private_bits);
  }
  Count(counters_.migrations, frozen.size());
  Thaw(frozen);
  return true;
}

// Takes one folio away from a frozen buffer that is about to be killed, without freeing it.
void BufferCacheImpl::DetachFolio(ExtentBuffer* buffer, Folio folio) {
  if (subpage()) {
    subpages_.Free(folio, buffer->subpage_, /*folio_goes_elsewhere=*/true);
    buffer->folios_[0] = Folio();
    return;
  }
  const uint32_t folios = row_slots_ >> buffer->order_;
  for (uint32_t i = 0; i < folios; ++i) {
    if (buffer->folios_[i] == folio) buffer->folios_[i] = Folio();
  }
}

}  // namespace ebcache
