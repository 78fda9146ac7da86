// Making buffers and burying the dead, one by one and many at once.
//
// Many at once take each lock once: two threads that read batches into one cache would otherwise
// meet at its locks for every block of them.

#include <absl/container/inlined_vector.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "lib/cache/buffer_pool.h"
#include "lib/cache/extent_buffer_access.h"

namespace ebcache {

namespace {

// Blocks lie at multiples of the smallest sector size, not necessarily of their own size: converted
// filesystems are like that.
constexpr uint64_t kStartAlignment = 4096;

// Buffers made together. The index's lock is held for as long as it takes to enter so many.
constexpr size_t kMadeTogether = 16;

// An error about a block; without words where there is no memory for them.
absl::Status ErrorOf(absl::StatusCode code, uint64_t start, absl::string_view what) noexcept {
  try {
    return absl::Status(code, absl::StrCat("block ", start, ": ", what));
  } catch (const std::bad_alloc&) {
    return absl::Status(code, "");
  }
}

void ZeroAll(ExtentBuffer* buffer) {
  for (absl::Span<std::byte> segment : buffer->mutable_segments()) {
    std::memset(segment.data(), 0, segment.size());
  }
}

absl::Status NoMemoryFor(uint64_t start, const char* what) noexcept {
  return ErrorOf(absl::StatusCode::kResourceExhausted, start, what);
}

}  // namespace

// ---- Memory for one -----------------------------------------------------------------------------

absl::Status BufferPool::CheckStart(uint64_t start) const {
  if (start % kStartAlignment != 0) {
    return ErrorOf(absl::StatusCode::kInvalidArgument, start, "not a multiple of 4096");
  }
  if (start > ~uint64_t{0} - options_.node_bytes) {
    return ErrorOf(absl::StatusCode::kInvalidArgument, start, "ends beyond the address space");
  }
  return absl::OkStatus();
}

// Gives a dead descriptor what a block at `start` needs.
absl::Status BufferPool::Furnish(ExtentBuffer* buffer, uint64_t start, AllocFlags flags) noexcept {
  Inside(buffer).start_ = start;
  Inside(buffer).length_shift_ = static_cast<uint8_t>(std::countr_zero(options_.node_bytes));
  Inside(buffer).mirror_ = 0;
  absl::Status status = frames_.Allocate(buffer, flags);
  // Out of pages: those of idle buffers will do, wherever they are in the order. A few more each
  // time, because others take them too.
  for (uint64_t wanted = 4;
       absl::IsResourceExhausted(status) && !Has(flags, AllocFlags::kNoReclaim) && wanted <= 64;
       wanted *= 4) {
    const uint64_t all = reclaim_list_.size();
    if (Reclaim(wanted, /*max_scan=*/all, /*spare_accessed=*/false).buffers == 0) break;
    status = frames_.Allocate(buffer, flags);
  }
  if (status.ok()) {
    if (slab_.user_bytes() != 0) std::memset(slab_.UserBytesOf(buffer), 0, slab_.user_bytes());
    return status;
  }
  if (!status.message().empty()) return ErrorOf(status.code(), start, status.message());
  return ErrorOf(status.code(), start,
                 absl::IsInternal(status) ? "the allocator threw an exception" : "out of memory");
}

absl::StatusOr<ExtentBuffer*> BufferPool::MakeBuffer(uint64_t start, AllocFlags flags) {
  ExtentBuffer* buffer = nullptr;
  if (slab_.Allocate({&buffer, 1}) == 0) return NoMemoryFor(start, "no memory for a descriptor");
  absl::Status status = Furnish(buffer, start, flags);
  if (status.ok()) return buffer;
  slab_.Free({&buffer, 1});
  return status;
}

void BufferPool::UnmakeBuffer(ExtentBuffer* buffer) {
  frames_.Free(buffer);
  slab_.Free({&buffer, 1});
}

// ---- Making -------------------------------------------------------------------------------------

// A reference on the buffer that is in the index already, if it is the same block's. Under the
// index's lock it is the index's, so its address can be read without a reference.
BufferIndex::Grab BufferPool::GrabForNewcomer(ExtentBuffer* there, uint64_t start) {
  const auto got = state::Apply(Inside(there).state_, [&](BufferState s) {
    return Inside(there).start_ == start ? state::GetForLookup(s) : state::Refused(s);
  });
  if (got.result == state::Result::kChanged) return BufferIndex::Grab::kTaken;
  if (got.after.refs >= state::kMostRefs) TooManyReferences();
  if (got.after.refs == 0) return BufferIndex::Grab::kDead;
  return Inside(there).start_ == start ? BufferIndex::Grab::kBusy : BufferIndex::Grab::kOther;
}

void BufferPool::NoteCreated(uint64_t count) {
  Count(counters_.creates, count);
  const uint64_t cached = counters_.cached.fetch_add(count, std::memory_order_relaxed) + count;
  uint64_t peak = counters_.peak_cached.load(std::memory_order_relaxed);
  while (peak < cached &&
         !counters_.peak_cached.compare_exchange_weak(peak, cached, std::memory_order_relaxed)) {
  }
}

// A buffer that was found, with a reference for the caller; unless its users have lost count.
absl::StatusOr<ExtentBuffer*> BufferPool::UnlessTooMany(ExtentBuffer* found) {
  const uint32_t refs = found->state().refs;
  if (refs <= state::kMaxRefs) [[likely]]
    return found;
  const uint64_t start = Inside(found).start_;
  Put(found);
  return absl::ResourceExhaustedError(absl::StrCat(
      "block ", start, ": has ", refs - 1, " references; its users do not put what they take"));
}

absl::StatusOr<ExtentBuffer*> BufferPool::Found(ExtentBuffer* found) {
  NoteAccess(CacheAccess::kFound, Inside(found).start_);
  return UnlessTooMany(found);
}

absl::StatusOr<ExtentBuffer*> BufferPool::Create(uint64_t start) {
  if (auto status = CheckStart(start); !status.ok()) return status;
  if (ExtentBuffer* found = Find(start)) return Found(found);
  const auto made = MakeMapped(start, NewBytes::kUndefined);
  if (!made.ok()) return made.status();
  return made->buffer;
}

absl::StatusOr<BufferPool::Made> BufferPool::CreateOrFind(uint64_t start, NewBytes bytes) {
  if (auto status = CheckStart(start); !status.ok()) return status;
  ExtentBuffer* const found = Find(start);
  if (found == nullptr) return MakeMapped(start, bytes);
  const auto usable = Found(found);
  if (!usable.ok()) return usable.status();
  return Made{.buffer = *usable};
}

absl::StatusOr<BufferPool::Made> BufferPool::MakeMapped(uint64_t start, NewBytes bytes) {
  MakeRoom(1);
  auto made = MakeBuffer(start, options_.alloc_flags);
  if (!made.ok()) return made.status();
  const bool zeroed = bytes == NewBytes::kZeroed;
  if (zeroed) ZeroAll(*made);
  const BufferState born = zeroed ? state::BornZeroed() : state::BornMapped();
  for (;;) {
    BufferIndex::Newcomer newcomer{.buffer = *made};
    index_.Insert({&newcomer, 1}, state::Pack(born), GrabForNewcomer);
    if (newcomer.outcome == BufferIndex::Insertion::kBusy) {
      state::WaitWhile(Inside(newcomer.existing).state_, BufferFlag::kMigrating);
      continue;
    }
    const bool inserted = newcomer.outcome == BufferIndex::Insertion::kInserted;
    if (inserted) Welcome({&*made, 1});
    const auto outcome = Outcome(newcomer);
    if (!outcome.ok()) return outcome.status();
    return Made{.buffer = *outcome, .is_new = inserted};
  }
}

// Those that are in the index now. Their maker still has its first reference on each.
void BufferPool::Welcome(absl::Span<ExtentBuffer* const> newcomers) {
  NoteCreated(newcomers.size());
  for (ExtentBuffer* buffer : newcomers) {
    EBCACHE_TRACE(create, buffer);
    NoteAccess(CacheAccess::kMade, Inside(buffer).start_);
  }
  reclaim_list_.Add(newcomers);
  // After they are on the list: of several threads that go over the budget together, the last one
  // there sees the newcomers of all.
  RestoreBudget();
  WakeReclaim();
}

// Converts an insertion's outcome to Create's result. Not for kBusy.
absl::StatusOr<ExtentBuffer*> BufferPool::Outcome(const BufferIndex::Newcomer& newcomer) {
  const uint64_t start = Inside(newcomer.buffer).start_;
  if (newcomer.outcome == BufferIndex::Insertion::kInserted) return newcomer.buffer;
  if (newcomer.outcome == BufferIndex::Insertion::kExists) {
    Count(counters_.create_races_lost);
    NoteAccess(CacheAccess::kFound, start);
    UnmakeBuffer(newcomer.buffer);
    return newcomer.existing;
  }
  UnmakeBuffer(newcomer.buffer);
  if (newcomer.outcome == BufferIndex::Insertion::kNoMemory) {
    return NoMemoryFor(start, "no memory for the index");
  }
  return ErrorOf(absl::StatusCode::kAlreadyExists, start, "overlaps another block in the cache");
}

void BufferPool::CreateMany(absl::Span<const uint64_t> starts,
                            absl::Span<absl::StatusOr<ExtentBufferRef>> results) {
  std::vector<ExtentBuffer*> candidates(starts.size());
  index_.Candidates(starts, absl::MakeSpan(candidates));
  absl::InlinedVector<size_t, kMadeTogether> absent;
  for (size_t i = 0; i < starts.size(); ++i) {
    if (auto status = CheckStart(starts[i]); !status.ok()) {
      results[i] = status;
    } else if (ExtentBuffer* found = Find(starts[i], candidates[i])) {
      auto usable = Found(found);
      results[i] = usable.ok() ? absl::StatusOr<ExtentBufferRef>(ExtentBufferRef::Adopt(*usable))
                               : usable.status();
    } else {
      absent.push_back(i);
    }
  }
  const size_t together = std::min<size_t>(kMadeTogether, MostRoomAtOnce());
  for (size_t begin = 0; begin < absent.size(); begin += together) {
    const size_t count = std::min(together, absent.size() - begin);
    CreateAbsent(absl::MakeConstSpan(absent).subspan(begin, count), starts, results);
  }
}

// Makes the blocks `which` of `starts`, kMadeTogether at the most, of which none was there at the
// last look. Nothing here throws: each block has an answer of its own.
void BufferPool::CreateAbsent(absl::Span<const size_t> which, absl::Span<const uint64_t> starts,
                              absl::Span<absl::StatusOr<ExtentBufferRef>> results) {
  MakeRoom(which.size());
  std::array<ExtentBuffer*, kMadeTogether> buffers;
  const size_t count = slab_.Allocate({buffers.data(), which.size()});
  for (const size_t i : which.subspan(count))
    results[i] = NoMemoryFor(starts[i], "no memory for a descriptor");
  std::array<BufferIndex::Newcomer, kMadeTogether> newcomers;
  std::array<size_t, kMadeTogether> places;  // of the newcomers in `results`
  size_t furnished = 0;
  for (size_t n = 0; n < count; ++n) {
    const size_t i = which[n];
    if (auto status = Furnish(buffers[n], starts[i], options_.alloc_flags); !status.ok()) {
      slab_.Free({&buffers[n], 1});
      results[i] = std::move(status);
      continue;
    }
    newcomers[furnished] = {.buffer = buffers[n]};
    places[furnished++] = i;
  }
  index_.Insert({newcomers.data(), furnished}, state::Pack(state::BornMapped()), GrabForNewcomer);
  size_t inserted = 0;
  for (size_t n = 0; n < furnished; ++n) {
    if (newcomers[n].outcome == BufferIndex::Insertion::kInserted)
      buffers[inserted++] = newcomers[n].buffer;
  }
  if (inserted != 0) Welcome({buffers.data(), inserted});
  for (size_t n = 0; n < furnished; ++n) {
    // One that is being moved has to be waited for, which Create does.
    const bool busy = newcomers[n].outcome == BufferIndex::Insertion::kBusy;
    if (busy) {
      UnmakeBuffer(newcomers[n].buffer);
    }
    auto made = busy ? Create(starts[places[n]]) : Outcome(newcomers[n]);
    if (made.ok()) {
      results[places[n]] = ExtentBufferRef::Adopt(*made);
    } else {
      results[places[n]] = made.status();
    }
  }
}

absl::StatusOr<ExtentBuffer*> BufferPool::CreateUnmapped(uint64_t start, uint32_t bytes) {
  // Private to a holder, so the cache could not move it, whatever its other buffers are.
  const auto flags = static_cast<AllocFlags>(static_cast<uint32_t>(options_.alloc_flags) &
                                             ~static_cast<uint32_t>(AllocFlags::kMovable));
  auto made = MakeBuffer(start, flags);
  if (!made.ok()) return made;
  if (bytes != options_.node_bytes) frames_.Shorten(*made, bytes);
  Count(counters_.unmapped);
  // Release: late readers with a pointer from an earlier life look at the state first.
  Inside(*made).state_.store(state::Pack(state::BornUnmapped()), std::memory_order_release);
  EBCACHE_TRACE(create_private, *made);
  return *made;
}

// ---- Burying ------------------------------------------------------------------------------------

void BufferPool::Bury(absl::Span<ExtentBuffer* const> dead, bool listed, bool told) {
  // Relaxed: the caller killed them, so no other thread has changed them since.
  const bool unmapped = state::Unpack(Inside(dead[0]).state_.load(std::memory_order_relaxed))
                            .has(BufferFlag::kUnmapped);
  if (unmapped) {
    Uncount(counters_.unmapped);
  } else {
    // Out of the index first: a thread that looks the block up from here on makes a new buffer.
    index_.Remove(dead);
    for (ExtentBuffer* buffer : dead) {
      if (listed) reclaim_list_.Remove(buffer);
      read_errors_.Forget(buffer);
    }
    Uncount(counters_.cached, dead.size());
  }
  if (slab_.user_bytes() != 0 && !told) TellForgotten(dead);
  // Then the folios, which by then no thread can reach through these buffers.
  for (ExtentBuffer* buffer : dead) {
    EBCACHE_TRACE(free, buffer);
    frames_.Free(buffer);
  }
  // The descriptors last: from here on they may be other blocks'.
  slab_.Free(dead);
}

void BufferPool::TellForgotten(absl::Span<ExtentBuffer* const> dead) noexcept {
  if (source_ == nullptr || slab_.user_bytes() == 0) return;
  for (ExtentBuffer* buffer : dead) source_->Forget(*buffer, slab_.UserBytesOf(buffer));
}

void BufferPool::BuryAll(Tell tell_of_unwritten, const Tell* tell_of_held) {
  for (uint32_t i = 0; i < slab_.size(); ++i) {
    ExtentBuffer* buffer = slab_.At(i);
    // Relaxed: the cache goes, and its owner has seen to it that no other thread is in it.
    const BufferState s = state::Unpack(Inside(buffer).state_.load(std::memory_order_relaxed));
    if (s.refs == 0) continue;
    const bool held = s.refs != 1 || !s.has(BufferFlag::kTreeRef);
    EBCACHE_CHECK(!held || tell_of_held != nullptr,
                  "a BufferCache was destroyed while references to its buffers were held");
    if (tell_of_held != nullptr && (held || s.under_io())) (*tell_of_held)(buffer);
    if (s.under_io()) tell_of_unwritten(buffer);
    // Dirty or not: no writer is left. What burying wants to know stays.
    const BufferState dead{0, s.flags & state::Bit(BufferFlag::kUnmapped)};
    Inside(buffer).state_.store(state::Pack(dead), std::memory_order_relaxed);
    Bury({&buffer, 1}, /*listed=*/!s.has(BufferFlag::kUnmapped));
  }
}

}  // namespace ebcache
