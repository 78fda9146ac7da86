// What the page allocator asks of the owner of a folio: give it up, or let it move.
//
// The folio's private bits name a descriptor (or a group of blocks that share the folio), but by
// the time we look they may name another buffer: the first one died and its descriptor was
// recycled. So the buffer is frozen first, which only an idle one can be, and only then asked
// whether the folio is its. Frozen, its answer stays true.

#include <algorithm>

#include "lib/cache/buffer_cache_impl.h"
#include "lib/cache/page_copy.h"

namespace ebcache {

// Whether all of them have bytes in the folio.
bool BufferCacheImpl::HaveFolio(absl::Span<ExtentBuffer* const> buffers, Folio folio) const {
  return std::all_of(buffers.begin(), buffers.end(), [&](const ExtentBuffer* buffer) {
    const uint32_t folios = row_slots_ >> buffer->order_;
    return std::count(buffer->folios_, buffer->folios_ + folios, folio) != 0;
  });
}

void BufferCacheImpl::Thaw(absl::Span<ExtentBuffer* const> frozen) {
  for (ExtentBuffer* buffer : frozen) {
    const auto outcome = state::Apply(buffer->state_, state::EndMigrate);
    EBCACHE_CHECK(outcome.result == state::Result::kChanged, "a migration ended that was not one");
    buffer->state_.notify_all();
  }
  // Reclaim has passed over them, because it could neither free nor park them.
  RestoreBudget();
}

void BufferCacheImpl::KillFrozen(absl::Span<ExtentBuffer* const> frozen) {
  for (ExtentBuffer* buffer : frozen) {
    const auto outcome = state::Apply(buffer->state_, state::ReleaseFrozen);
    EBCACHE_CHECK(outcome.result == state::Result::kDied, "a buffer died that was not frozen");
    buffer->state_.notify_all();
    Bury({&buffer, 1}, /*listed=*/true);
  }
}

// Freezes every buffer that has bytes in one of the folios, or none.
bool BufferCacheImpl::Freeze(absl::Span<const FolioMove> moves, uint32_t private_bits,
                             Members& frozen) {
  absl::InlinedVector<uint32_t, SubpageFrames::kMaxBlocks> numbers;
  if (subpage()) {
    // Blocks that share a page: the private bits are the group's, which has one folio.
    numbers = subpages_.Close(moves.front().source, private_bits);
  } else if (private_bits < slab_.size()) {
    numbers.push_back(private_bits);
  }
  bool all = !numbers.empty();
  for (const uint32_t number : numbers) {
    ExtentBuffer* buffer = slab_.At(number);
    const auto outcome = state::Apply(buffer->state_, state::BeginMigrate);
    if (outcome.result == state::Result::kRefused) {
      Count(counters_.skipped[static_cast<size_t>(state::VerdictOf(outcome.after))], moves.size());
      all = false;
      break;
    }
    frozen.push_back(buffer);
  }
  all = all && std::any_of(moves.begin(), moves.end(),
                           [&](const FolioMove& move) { return HaveFolio(frozen, move.source); });
  if (all) return true;
  Thaw(frozen);
  frozen.clear();
  if (subpage() && !numbers.empty()) subpages_.Reopen(moves.front().source, private_bits);
  return false;
}

bool BufferCacheImpl::Release(Folio folio, uint32_t private_bits) {
  Members frozen;
  const FolioMove nowhere = {.source = folio};
  if (!Freeze(absl::MakeConstSpan(&nowhere, 1), private_bits, frozen)) return false;
  Count(counters_.folio_releases, frozen.size());
  KillFrozen(frozen);
  return true;
}

bool BufferCacheImpl::Migrate(Folio destination, Folio source, uint32_t private_bits) {
  FolioMove move = {.destination = destination, .source = source};
  MigrateTogether(absl::MakeSpan(&move, 1), private_bits);
  return move.moved;
}

void BufferCacheImpl::MigrateTogether(absl::Span<FolioMove> moves, uint32_t private_bits) {
  if (subpage()) {
    for (const FolioMove& move : moves) {
      if (!subpages_.PrepareMove(move.destination)) return;
    }
  }
  Members frozen;
  if (!Freeze(moves, private_bits, frozen)) return;
  for (FolioMove& move : moves) move.moved = HaveFolio(frozen, move.source);
  const bool drop = options_.migrate_mode == BufferCacheOptions::MigrateMode::kDropBuffer ||
                    std::any_of(frozen.begin(), frozen.end(),
                                [](const ExtentBuffer* buffer) { return buffer->stale(); });
  if (drop) {
    DropFrozen(moves, frozen);
  } else {
    MoveFrozen(moves, private_bits, frozen);
  }
}

// These bytes are not wanted any more, so they are not moved. The sources are the allocator's to
// free, so they must not go with the buffers; the destinations turn out not to be needed.
void BufferCacheImpl::DropFrozen(absl::Span<FolioMove> moves,
                                 absl::Span<ExtentBuffer* const> frozen) {
  const int order = frozen.front()->order_;
  for (const FolioMove& move : moves) {
    if (!move.moved) continue;
    for (ExtentBuffer* buffer : frozen) DetachFolio(buffer, move.source);
  }
  Count(counters_.folio_releases, frozen.size());
  KillFrozen(frozen);
  for (FolioMove& move : moves) {
    if (move.moved) allocator().FreeBulk(order, absl::MakeSpan(&move.destination, 1));
  }
}

void BufferCacheImpl::MoveFrozen(absl::Span<const FolioMove> moves, uint32_t private_bits,
                                 absl::Span<ExtentBuffer* const> frozen) {
  const size_t bytes = allocator().page_bytes() << frozen.front()->order_;
  uint64_t moved = 0;
  for (const FolioMove& move : moves) {
    if (!move.moved) continue;
    const std::byte* from = allocator().Address(move.source);
    std::byte* to = allocator().Address(move.destination);
    if (from != nullptr && to != nullptr) CopyPages(to, from, bytes);
    for (ExtentBuffer* buffer : frozen) {
      std::replace(buffer->folios_, buffer->folios_ + (row_slots_ >> buffer->order_), move.source,
                   move.destination);
    }
    if (subpage()) {
      subpages_.Moved(move.destination, move.source);
      subpages_.Reopen(move.destination, private_bits);
    }
    moved += frozen.size();
  }
  PublishPages();
  Count(counters_.migrations, moved);
  for (ExtentBuffer* buffer : frozen) Readdress(buffer);
  Thaw(frozen);
}

// One address for the whole block is kept only where there is one: a single folio, or neighbours by
// luck.
void BufferCacheImpl::Readdress(ExtentBuffer* buffer) {
  std::byte* first = allocator().Address(buffer->folios_[0]);
  if (first == nullptr) return;  // frames without bytes have no address to keep
  if (subpage()) {
    PlaceFront(buffer, first + subpage_offset(buffer));
    return;
  }
  const uint32_t folios = row_slots_ >> buffer->order_;
  const uint32_t folio_pages = uint32_t{1} << buffer->order_;
  bool neighbours = true;
  for (uint32_t i = 1; i < folios; ++i) {
    neighbours =
        neighbours && buffer->folios_[i].pfn() == buffer->folios_[i - 1].pfn() + folio_pages;
  }
  const bool were_neighbours = buffer->in_one_piece();
  PlaceFront(buffer, neighbours ? first : nullptr);
  if (were_neighbours != neighbours) {
    Count(were_neighbours ? counters_.contiguity_lost : counters_.contiguity_gained);
  }
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
