// What the page allocator asks of the owner of a folio: give it up, or let it move.
//
// The folio's private bits name a descriptor (or a group of blocks that share the folio), but by
// the time we look they may name another buffer: the first one died and its descriptor was
// recycled. So the buffer is frozen first, which only an idle one can be, and only then asked
// whether the folio is its. Frozen, its answer stays true.

#include "lib/cache/folio_mover.h"

#include <algorithm>
#include <utility>

#include "lib/cache/extent_buffer_access.h"
#include "lib/cache/page_copy.h"

namespace ebcache {

FolioMover::FolioMover(BufferPool* pool)
    : pool_(pool), frames_(&pool->frames()), id_(frames_->allocator().RegisterOwner(this)) {
  frames_->SetOwner(id_);
}

void FolioMover::Quiesce() { frames_->allocator().QuiesceOwner(id_); }

void FolioMover::End() {
  if (id_ != kNoOwner) frames_->allocator().UnregisterOwner(std::exchange(id_, kNoOwner));
}

// Whether all of them have bytes in the folio.
bool FolioMover::HaveFolio(absl::Span<ExtentBuffer* const> buffers, Folio folio) const {
  return std::all_of(buffers.begin(), buffers.end(), [&](const ExtentBuffer* buffer) {
    const uint32_t folios = frames_->row_slots() >> Inside(buffer).order_;
    return std::count(Inside(buffer).folios_, Inside(buffer).folios_ + folios, folio) != 0;
  });
}

void FolioMover::Thaw(absl::Span<ExtentBuffer* const> frozen) {
  for (ExtentBuffer* buffer : frozen) {
    const auto outcome = state::Apply(Inside(buffer).state_, state::EndMigrate);
    EBCACHE_CHECK(outcome.result == state::Result::kChanged, "a migration ended that was not one");
    EBCACHE_TRACE(thaw, buffer);
    Inside(buffer).state_.notify_all();
  }
  // Reclaim has passed over them, because it could neither free nor park them.
  pool_->RestoreBudget();
}

// Kills them, without freeing the folios that move: those are the allocator's.
void FolioMover::KillFrozen(absl::Span<ExtentBuffer* const> frozen,
                            absl::Span<const FolioMove> moves) {
  for (ExtentBuffer* buffer : frozen) {
    const auto outcome = state::Apply(Inside(buffer).state_, state::ReleaseFrozen);
    EBCACHE_CHECK(outcome.result == state::Result::kDied, "a buffer died that was not frozen");
    Inside(buffer).state_.notify_all();
    // Its users are told while all of its bytes are there.
    pool_->TellForgotten({&buffer, 1});
    for (const FolioMove& move : moves) {
      if (move.moved) DetachFolio(buffer, move.source);
    }
    pool_->Bury({&buffer, 1}, /*listed=*/true, /*told=*/true);
  }
}

// Freezes every buffer that has bytes in one of the folios, or none.
std::optional<FolioMover::Members> FolioMover::Freeze(absl::Span<const FolioMove> moves,
                                                      uint32_t private_bits) {
  absl::InlinedVector<uint32_t, SubpageFrames::kMaxBlocks> numbers;
  if (frames_->subpage()) {
    // Blocks that share a page: the private bits are the group's, which has one folio.
    numbers = frames_->subpages().Close(moves.front().source, private_bits);
  } else if (private_bits < pool_->slab().size()) {
    numbers.push_back(private_bits);
  }
  std::optional<Members> frozen(std::in_place);
  bool all = !numbers.empty();
  for (const uint32_t number : numbers) {
    ExtentBuffer* buffer = pool_->slab().At(number);
    const auto outcome = state::Apply(Inside(buffer).state_, state::BeginMigrate);
    if (outcome.result == state::Result::kRefused) {
      pool_->CountSkipped(state::VerdictOf(outcome.after), moves.size());
      all = false;
      break;
    }
    EBCACHE_TRACE(freeze, buffer);
    frozen->push_back(buffer);
  }
  all = all && std::any_of(moves.begin(), moves.end(),
                           [&](const FolioMove& move) { return HaveFolio(*frozen, move.source); });
  if (all) return frozen;
  Thaw(*frozen);
  if (frames_->subpage() && !numbers.empty())
    frames_->subpages().Reopen(moves.front().source, private_bits);
  return std::nullopt;
}

bool FolioMover::Release(Folio folio, uint32_t private_bits) {
  const FolioMove nowhere = {.source = folio};
  const std::optional<Members> frozen = Freeze(absl::MakeConstSpan(&nowhere, 1), private_bits);
  if (!frozen) return false;
  Count(counters_.folio_releases, frozen->size());
  KillFrozen(*frozen, {});
  return true;
}

bool FolioMover::Migrate(Folio destination, Folio source, uint32_t private_bits) {
  FolioMove move = {.destination = destination, .source = source};
  MigrateTogether(absl::MakeSpan(&move, 1), private_bits);
  return move.moved;
}

void FolioMover::MigrateTogether(absl::Span<FolioMove> moves, uint32_t private_bits) {
  if (frames_->subpage()) {
    for (const FolioMove& move : moves) {
      if (!frames_->subpages().PrepareMove(move.destination)) return;
    }
  }
  const std::optional<Members> frozen = Freeze(moves, private_bits);
  if (!frozen) return;
  for (FolioMove& move : moves) move.moved = HaveFolio(*frozen, move.source);
  const bool drop = pool_->options().migrate_mode == BufferCacheOptions::MigrateMode::kDropBuffer ||
                    std::any_of(frozen->begin(), frozen->end(),
                                [](const ExtentBuffer* buffer) { return buffer->stale(); });
  if (drop) {
    DropFrozen(moves, *frozen);
  } else {
    MoveFrozen(moves, private_bits, *frozen);
  }
}

// These bytes are not wanted any more, so they are not moved. The sources are the allocator's to
// free, so they must not go with the buffers; the destinations turn out not to be needed.
void FolioMover::DropFrozen(absl::Span<FolioMove> moves, absl::Span<ExtentBuffer* const> frozen) {
  const int order = Inside(frozen.front()).order_;
  Count(counters_.folio_releases, frozen.size());
  KillFrozen(frozen, moves);
  for (FolioMove& move : moves) {
    if (move.moved) frames_->allocator().FreeBulk(order, absl::MakeSpan(&move.destination, 1));
  }
}

void FolioMover::MoveFrozen(absl::Span<const FolioMove> moves, uint32_t private_bits,
                            absl::Span<ExtentBuffer* const> frozen) {
  const size_t bytes = frames_->allocator().page_bytes() << Inside(frozen.front()).order_;
  uint64_t moved = 0;
  for (const FolioMove& move : moves) {
    if (!move.moved) continue;
    const std::byte* from = frames_->allocator().Address(move.source);
    std::byte* to = frames_->allocator().Address(move.destination);
    if (from != nullptr && to != nullptr) CopyPages(to, from, bytes);
    for (ExtentBuffer* buffer : frozen) {
      std::replace(Inside(buffer).folios_,
                   Inside(buffer).folios_ + (frames_->row_slots() >> Inside(buffer).order_),
                   move.source, move.destination);
    }
    if (frames_->subpage()) {
      frames_->subpages().Moved(move.destination, move.source);
      frames_->subpages().Reopen(move.destination, private_bits);
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
void FolioMover::Readdress(ExtentBuffer* buffer) {
  std::byte* first = frames_->allocator().Address(Inside(buffer).folios_[0]);
  if (first == nullptr) return;  // frames without bytes have no address to keep
  if (frames_->subpage()) {
    frames_->PlaceFront(buffer, first + frames_->subpage_offset(buffer));
    return;
  }
  const uint32_t folios = frames_->row_slots() >> Inside(buffer).order_;
  const uint32_t folio_pages = uint32_t{1} << Inside(buffer).order_;
  bool neighbours = true;
  for (uint32_t i = 1; i < folios; ++i) {
    neighbours = neighbours && Inside(buffer).folios_[i].pfn() ==
                                   Inside(buffer).folios_[i - 1].pfn() + folio_pages;
  }
  const bool were_neighbours = buffer->front_bytes() == buffer->length();
  frames_->PlaceFront(buffer, neighbours ? first : nullptr);
  if (were_neighbours != neighbours) {
    Count(were_neighbours ? counters_.contiguity_lost : counters_.contiguity_gained);
  }
}

// Takes one folio away from a buffer that was killed, without freeing it.
void FolioMover::DetachFolio(ExtentBuffer* buffer, Folio folio) {
  if (frames_->subpage()) {
    frames_->subpages().Free(folio, Inside(buffer).subpage_, /*folio_goes_elsewhere=*/true);
    Inside(buffer).folios_[0] = Folio();
    return;
  }
  const uint32_t folios = frames_->row_slots() >> Inside(buffer).order_;
  for (uint32_t i = 0; i < folios; ++i) {
    if (Inside(buffer).folios_[i] == folio) Inside(buffer).folios_[i] = Folio();
  }
}

}  // namespace ebcache
