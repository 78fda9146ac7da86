// The life of an extent buffer, as pure functions from state to outcome.
//
// A buffer's whole state is {references, flags}. Each function below is one step of the lifecycle:
// given a state, it tells whether the step may be made there, and what the state becomes. No
// atomics and no memory are involved; state_word.h applies the steps by compare-and-swap, and the
// tests enumerate every state under every step. docs/lifecycle.md is the essay.
//
// Where a buffer must be, by state:
//
//   refs == 0                      dead. Out of the index or on its way out; never comes back.
//   UNMAPPED                       private to its holders: not in the index, no TREE_REF, not
//                                  moved.
//   else                           in the index; found by address.
//   TREE_REF                       one of the references is the cache's: the buffer stays when its
//                                  last user has gone.
//   refs == 1, TREE_REF, no IO     idle: may be released or moved at any time.
//   DIRTY or WRITEBACK (under_io)  the bytes must not go: no step that kills is allowed, and no
//                                  read may begin. UPTODATE.
//   WRITE_ERR                      the last write that ended failed, and the bytes are DIRTY, or on
//                                  their way to the disk again.
//   READING                        refs counts the reader, so the buffer is not idle.
//   STALE                          dies in the step that makes it idle.
//   MIGRATING                      refs == 1, the cache's, and no step but the mover's is allowed.
//   PARKED                         not idle: the put that makes it idle takes PARKED away.
//
// A step that takes or gives up a reference is for the caller's own; "holder" below means that the
// caller has a reference of its own. A holder's step in a state where it cannot hold one (a put of
// the cache's reference, anything on the dead) is kRefused: the caller turns that into a CHECK.

#ifndef EBCACHE_LIB_CACHE_BUFFER_STATE_H_
#define EBCACHE_LIB_CACHE_BUFFER_STATE_H_

#include <cstdint>

#include "ebcache/extent_buffer.h"
#include "ebcache/internal/sync.h"

namespace ebcache::state {

enum class Result : uint8_t {
  kRefused,  // not allowed in this state; nothing changes
  kKept,     // allowed, and the state is as it was
  kChanged,
  kDied,  // changed, and references are down to 0: the caller buries the buffer
};

struct Outcome {
  Result result = Result::kRefused;
  BufferState after;

  friend constexpr bool operator==(const Outcome&, const Outcome&) = default;
};

// More references than anything sane takes. Beyond, Get refuses rather than overflow, and so do the
// calls that make and read blocks.
inline constexpr uint32_t kMaxRefs = uint32_t{1} << 30;
// Lookups go on for as long again: for them a refusal would say that the block is not cached.
inline constexpr uint32_t kMostRefs = uint32_t{1} << 31;

constexpr uint32_t Bit(BufferFlag flag) { return static_cast<uint32_t>(flag); }

constexpr BufferState With(BufferState s, BufferFlag flag) { return {s.refs, s.flags | Bit(flag)}; }
constexpr BufferState Without(BufferState s, BufferFlag flag) {
  return {s.refs, s.flags & ~Bit(flag)};
}

constexpr Outcome Refused(BufferState s) { return {Result::kRefused, s}; }
constexpr Outcome Became(BufferState before, BufferState after) {
  if (after == before) return {Result::kKept, after};
  return {after.refs == 0 ? Result::kDied : Result::kChanged, after};
}

// Whether a holder other than the cache can have a reference.
constexpr bool CanHaveHolder(BufferState s) {
  return !s.has(BufferFlag::kMigrating) && s.refs > (s.has(BufferFlag::kTreeRef) ? 1u : 0u);
}

// Sets TREE_REF, with its reference, where it is missing: the kernel's check_buffer_tree_ref.
constexpr BufferState EnsureTreeRef(BufferState s) {
  if (s.has(BufferFlag::kTreeRef)) return s;
  s = With(s, BufferFlag::kTreeRef);
  ++s.refs;
  return s;
}

// ---- Birth --------------------------------------------------------------------------------------

// Entering the index: the maker's reference and the cache's.
constexpr BufferState BornMapped() { return {2, Bit(BufferFlag::kTreeRef)}; }
// The same with all bytes in place: zeroes.
constexpr BufferState BornZeroed() { return With(BornMapped(), BufferFlag::kUptodate); }
// A dummy or a clone: its holder's reference only.
constexpr BufferState BornUnmapped() {
  return {1, Bit(BufferFlag::kUnmapped) | Bit(BufferFlag::kUptodate)};
}

// ---- Idleness -----------------------------------------------------------------------------------

// Why the buffer can or cannot go. The one place that decides what "idle" means.
constexpr ReleaseVerdict VerdictOf(BufferState s) {
  if (s.refs == 0) return ReleaseVerdict::kDead;
  if (s.has(BufferFlag::kUnmapped)) return ReleaseVerdict::kUnmapped;
  if (s.has(BufferFlag::kMigrating)) return ReleaseVerdict::kMigrating;
  if (s.has(BufferFlag::kReading)) return ReleaseVerdict::kReading;
  if (s.has(BufferFlag::kWriteback)) return ReleaseVerdict::kWriteback;
  if (s.has(BufferFlag::kDirty)) return ReleaseVerdict::kDirty;
  if (s.refs > 1) return ReleaseVerdict::kInUse;
  if (!s.has(BufferFlag::kTreeRef)) return ReleaseVerdict::kNoTreeRef;
  return ReleaseVerdict::kEligible;
}

// ---- References ---------------------------------------------------------------------------------

// By any thread that found the buffer. Refused when dead (not found) or MIGRATING (wait, try
// again). ACCESSED is written only when it was clear, but the reference makes that free.
constexpr Outcome GetBelow(BufferState s, uint32_t most_refs) {
  if (s.refs == 0 || s.refs >= most_refs || s.has(BufferFlag::kMigrating)) return Refused(s);
  const BufferState before = s;
  ++s.refs;
  return Became(before, With(s, BufferFlag::kAccessed));
}
constexpr Outcome Get(BufferState s) { return GetBelow(s, kMaxRefs); }
// Get for lookups, where the plain way of it was not possible.
constexpr Outcome GetForLookup(BufferState s) { return GetBelow(s, kMostRefs); }

// By a holder, for a second reference of its own: no trace for reclaim.
constexpr Outcome Share(BufferState s) {
  if (!CanHaveHolder(s) || s.refs >= kMaxRefs) return Refused(s);
  const BufferState before = s;
  ++s.refs;
  return Became(before, s);
}

// A holder gives up its reference. The last user of a STALE buffer takes the cache's reference
// along in the same step, unless bytes still have to be written: then the end of the IO does it.
// A put that makes a PARKED buffer idle takes PARKED away, and the caller tells reclaim.
constexpr Outcome Put(BufferState s) {
  if (!CanHaveHolder(s)) return Refused(s);
  const BufferState before = s;
  if (s.has(BufferFlag::kTreeRef) && s.has(BufferFlag::kStale) && s.refs == 2 && !s.under_io()) {
    s = Without(s, BufferFlag::kTreeRef);
    s.refs = 0;
    return Became(before, s);
  }
  --s.refs;
  if (s.has(BufferFlag::kParked) && VerdictOf(s) == ReleaseVerdict::kEligible) {
    s = Without(s, BufferFlag::kParked);
  }
  return Became(before, s);
}

// Marks STALE and puts, as one step.
constexpr Outcome PutStale(BufferState s) {
  if (!CanHaveHolder(s)) return Refused(s);
  const Outcome put = Put(With(s, BufferFlag::kStale));
  return Became(s, put.after);
}

// A holder that does not expect the block to be wanted again: where this makes the buffer idle it goes
// in the same step. Nothing else is different from a put, and nothing for other holders.
constexpr Outcome PutNoCache(BufferState s) {
  const Outcome put = Put(s);
  if (put.result != Result::kChanged || VerdictOf(put.after) != ReleaseVerdict::kEligible)
    return put;
  BufferState dead = Without(put.after, BufferFlag::kTreeRef);
  dead.refs = 0;
  return Became(s, dead);
}

// A walk that needs a block once and had it read for itself: PutNoCache, unless another reader has found
// the block since.
constexpr Outcome PutBehind(BufferState s) {
  return s.has(BufferFlag::kAccessed) ? Put(s) : PutNoCache(s);
}

// ---- Release ------------------------------------------------------------------------------------

// By any thread: kills an idle buffer. The check and the kill are one step, so no thread can take a
// reference between them.
constexpr Outcome TryRelease(BufferState s) {
  if (VerdictOf(s) != ReleaseVerdict::kEligible) return Refused(s);
  const BufferState before = s;
  s = Without(s, BufferFlag::kTreeRef);
  s.refs = 0;
  return Became(before, s);
}

// Reclaim passes over a buffer that was found since, once.
constexpr Outcome ForgetAccess(BufferState s) {
  if (s.refs == 0) return Refused(s);
  return Became(s, Without(s, BufferFlag::kAccessed));
}

// By reclaim: the buffer cannot go now. Its last put will say when it can. Refused where there is
// no such put to come: it is idle, moving (which ends without one), or dead.
constexpr Outcome Park(BufferState s) {
  if (s.refs == 0 || s.has(BufferFlag::kMigrating) || s.has(BufferFlag::kUnmapped) ||
      VerdictOf(s) == ReleaseVerdict::kEligible) {
    return Refused(s);
  }
  return Became(s, With(s, BufferFlag::kParked));
}

// ---- Reading ------------------------------------------------------------------------------------

// By a holder: claims the read. UPTODATE is tested in the step that sets READING, so no holder
// reads again what has just been read. The reader's own reference keeps the buffer until EndRead.
//
// Never where the bytes in memory may be newer than the disk's, whatever UPTODATE says. A read of a
// STALE buffer takes STALE away: the reader wants the block. (If the read fails, EndRead brings it
// back.)
constexpr Outcome BeginRead(BufferState s) {
  const bool newer = s.under_io() || s.has(BufferFlag::kWriteErr);
  if (!CanHaveHolder(s) || s.has(BufferFlag::kUnmapped) || s.has(BufferFlag::kUptodate) ||
      s.has(BufferFlag::kReading) || newer) {
    return Refused(s);
  }
  const BufferState before = s;
  s = EnsureTreeRef(With(Without(s, BufferFlag::kStale), BufferFlag::kReading));
  ++s.refs;
  return Became(before, s);
}

// By the reader, which then wakes those that wait and puts its reference. What could not be read is
// STALE from this step on: the last put takes it out of the cache. Another reader that begins
// after this step takes STALE away again, and no later step of this reader brings it back.
constexpr Outcome EndRead(BufferState s, bool valid) {
  if (!CanHaveHolder(s) || !s.has(BufferFlag::kReading)) return Refused(s);
  const BufferState before = s;
  s = Without(s, BufferFlag::kReading);
  if (valid) return Became(before, With(s, BufferFlag::kUptodate));
  s = Without(s, BufferFlag::kUptodate);
  s = With(s, BufferFlag::kStale);
  return Became(before, s);
}

// By a holder that has the bytes to itself: it has found that they are not good. Refused where they
// may be newer than the disk's, which GiveUpWrite is for, during a read, and for dummies and clones.
constexpr Outcome ClearUptodate(BufferState s) {
  const bool newer = s.under_io() || s.has(BufferFlag::kWriteErr);
  if (!CanHaveHolder(s) || s.has(BufferFlag::kUnmapped) || s.has(BufferFlag::kReading) || newer) {
    return Refused(s);
  }
  return Became(s, Without(s, BufferFlag::kUptodate));
}

// The same, and the read of other bytes begins in the same step: no reader in between takes the read
// for one of its own.
constexpr Outcome BeginReread(BufferState s) {
  const Outcome cleared = ClearUptodate(s);
  if (cleared.result == Result::kRefused) return cleared;
  return Became(s, BeginRead(cleared.after).after);
}

// By a holder that has filled in all bytes.
constexpr Outcome SetUptodate(BufferState s) {
  if (!CanHaveHolder(s) || s.has(BufferFlag::kReading)) return Refused(s);
  return Became(s, With(s, BufferFlag::kUptodate));
}

// ---- Writing ------------------------------------------------------------------------------------

// By a holder of bytes that are in place: what is not UPTODATE must not reach the disk.
constexpr Outcome SetDirty(BufferState s) {
  if (!CanHaveHolder(s) || s.has(BufferFlag::kUnmapped) || !s.has(BufferFlag::kUptodate)) {
    return Refused(s);
  }
  return Became(s, EnsureTreeRef(With(s, BufferFlag::kDirty)));
}

// By a holder: the bytes need not be written, be it that a write of them has failed. A write that
// is under way is left to its end, with what it may have failed at before.
constexpr Outcome ClearDirty(BufferState s) {
  if (!CanHaveHolder(s)) return Refused(s);
  const BufferState before = s;
  s = Without(s, BufferFlag::kDirty);
  if (!s.has(BufferFlag::kWriteback)) s = Without(s, BufferFlag::kWriteErr);
  return Became(before, s);
}

// By a holder: DIRTY turns into WRITEBACK, and the writer's own reference is taken, in one step:
// there is no moment in which the buffer looks clean. WRITE_ERR stays until a write has succeeded.
// Refused when there is nothing to write or a write is under way.
constexpr Outcome BeginWriteback(BufferState s) {
  if (!CanHaveHolder(s) || !s.has(BufferFlag::kDirty) || s.has(BufferFlag::kWriteback)) {
    return Refused(s);
  }
  const BufferState before = s;
  s = With(Without(s, BufferFlag::kDirty), BufferFlag::kWriteback);
  ++s.refs;
  return Became(before, s);
}

// By the writer, which then puts its reference and wakes those that wait. After a failure the bytes
// are still the newest there are, and nowhere else: UPTODATE, DIRTY again, and WRITE_ERR.
constexpr Outcome EndWriteback(BufferState s, bool written) {
  if (!CanHaveHolder(s) || !s.has(BufferFlag::kWriteback)) return Refused(s);
  const BufferState before = s;
  s = Without(s, BufferFlag::kWriteback);
  if (written) {
    s = Without(s, BufferFlag::kWriteErr);
  } else {
    s = With(s, BufferFlag::kWriteErr);
    s = With(s, BufferFlag::kDirty);
  }
  return Became(before, s);
}

// By a holder that has the bytes to itself: gives up bytes that are not on disk. They are not
// UPTODATE any more, so that the next reader gets those of the disk. Refused when there is nothing
// to give up, or a write is under way.
constexpr Outcome GiveUpWrite(BufferState s) {
  const bool written = s.has(BufferFlag::kWriteback);
  if (!CanHaveHolder(s) || !s.has(BufferFlag::kDirty) || written) return Refused(s);
  const BufferState before = s;
  s = Without(Without(s, BufferFlag::kDirty), BufferFlag::kWriteErr);
  return Became(before, Without(s, BufferFlag::kUptodate));
}

// By a holder that has the bytes to itself: the block was freed without having been written, and is
// allocated anew at the same address. Not while its old contents are still being written.
constexpr Outcome ReinitAsNewBlock(BufferState s) {
  if (!CanHaveHolder(s) || s.has(BufferFlag::kWriteback) || s.has(BufferFlag::kReading)) {
    return Refused(s);
  }
  const BufferState before = s;
  s = Without(Without(s, BufferFlag::kStale), BufferFlag::kDirty);
  s = Without(Without(s, BufferFlag::kWriteErr), BufferFlag::kZonedZeroout);
  return Became(before, With(s, BufferFlag::kUptodate));
}

// ---- Migration ----------------------------------------------------------------------------------

// By any thread, the mover from then on: freezes an idle buffer. Until EndMigrate no other thread
// can take a reference, so what the descriptor says stays true.
constexpr Outcome BeginMigrate(BufferState s) {
  if (VerdictOf(s) != ReleaseVerdict::kEligible) return Refused(s);
  return Became(s, With(s, BufferFlag::kMigrating));
}

// By the mover, which then wakes those that wait.
constexpr Outcome EndMigrate(BufferState s) {
  if (!s.has(BufferFlag::kMigrating)) return Refused(s);
  return Became(s, Without(s, BufferFlag::kMigrating));
}

// By the mover: kills it instead. MIGRATING goes too, so that those that wait look again and find
// it dead.
constexpr Outcome ReleaseFrozen(BufferState s) {
  if (!s.has(BufferFlag::kMigrating)) return Refused(s);
  const BufferState before = s;
  s = Without(Without(s, BufferFlag::kMigrating), BufferFlag::kTreeRef);
  s.refs = 0;
  return Became(before, s);
}

}  // namespace ebcache::state

#endif  // EBCACHE_LIB_CACHE_BUFFER_STATE_H_
