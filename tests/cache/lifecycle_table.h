// The lifecycle table of docs/lifecycle.md, written down a second time.

#ifndef EBCACHE_TESTS_CACHE_LIFECYCLE_TABLE_H_
#define EBCACHE_TESTS_CACHE_LIFECYCLE_TABLE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lib/cache/buffer_state.h"

namespace ebcache::state {

inline constexpr uint32_t kAllFlags = (1u << 12) - 1;
inline constexpr uint32_t kMostRefsTried = 6;

inline constexpr uint32_t kUptodate = Bit(BufferFlag::kUptodate);
inline constexpr uint32_t kDirty = Bit(BufferFlag::kDirty);
inline constexpr uint32_t kWriteback = Bit(BufferFlag::kWriteback);
inline constexpr uint32_t kTreeRef = Bit(BufferFlag::kTreeRef);
inline constexpr uint32_t kStale = Bit(BufferFlag::kStale);
inline constexpr uint32_t kUnmapped = Bit(BufferFlag::kUnmapped);
inline constexpr uint32_t kWriteErr = Bit(BufferFlag::kWriteErr);
inline constexpr uint32_t kZonedZeroout = Bit(BufferFlag::kZonedZeroout);
inline constexpr uint32_t kReading = Bit(BufferFlag::kReading);
inline constexpr uint32_t kMigrating = Bit(BufferFlag::kMigrating);
inline constexpr uint32_t kAccessed = Bit(BufferFlag::kAccessed);
inline constexpr uint32_t kParked = Bit(BufferFlag::kParked);
inline constexpr uint32_t kUnderIo = kDirty | kWriteback;
// What is in memory is not on disk.
inline constexpr uint32_t kNewerThanDisk = kDirty | kWriteback | kWriteErr;

// The table: when a step is allowed, and what it makes of references and flags. Written with masks
// and numbers, so that it shares nothing with the functions it is held against.
struct Row {
  std::string name;
  std::function<Outcome(BufferState)> step;
  std::function<bool(uint32_t refs, uint32_t flags)> allowed;
  std::function<BufferState(uint32_t refs, uint32_t flags)> becomes;
};

inline bool Holder(uint32_t refs, uint32_t flags) {
  if (flags & kMigrating) return false;
  return flags & kTreeRef ? refs >= 2 : refs >= 1;
}
inline bool Idle(uint32_t refs, uint32_t flags) {
  return refs == 1 &&
         (flags & (kTreeRef | kUnderIo | kReading | kMigrating | kUnmapped)) == kTreeRef;
}
inline bool MayBeBad(uint32_t refs, uint32_t flags) {
  return Holder(refs, flags) && !(flags & (kUnmapped | kReading | kNewerThanDisk));
}
inline BufferState AfterPut(uint32_t refs, uint32_t flags) {
  const bool last_of_stale =
      (flags & kTreeRef) && refs == 2 && (flags & kStale) && !(flags & kUnderIo);
  if (last_of_stale) return {0, flags & ~kTreeRef};
  if (Idle(refs - 1, flags)) return {refs - 1, flags & ~kParked};
  return {refs - 1, flags};
}
inline BufferState WithTreeRef(uint32_t refs, uint32_t flags) {
  return flags & kTreeRef ? BufferState{refs, flags} : BufferState{refs + 1, flags | kTreeRef};
}

// References, and what reclaim does with those that are idle.
inline std::vector<Row> ReferenceRows() {
  return {
      {"Get", Get, [](uint32_t r, uint32_t f) { return r > 0 && !(f & kMigrating); },
       [](uint32_t r, uint32_t f) {
         return BufferState{r + 1, f | kAccessed};
       }},
      {"GetForLookup", GetForLookup,
       [](uint32_t r, uint32_t f) { return r > 0 && !(f & kMigrating); },
       [](uint32_t r, uint32_t f) {
         return BufferState{r + 1, f | kAccessed};
       }},
      {"Share", Share, Holder,
       [](uint32_t r, uint32_t f) {
         return BufferState{r + 1, f};
       }},
      {"Put", Put, Holder, AfterPut},
      {"PutStale", PutStale, Holder,
       [](uint32_t r, uint32_t f) { return AfterPut(r, f | kStale); }},
      // A put; and where the buffer is idle after it, its end in the same step.
      {"PutNoCache", PutNoCache, Holder,
       [](uint32_t r, uint32_t f) {
         const BufferState put = AfterPut(r, f);
         return Idle(put.refs, put.flags) ? BufferState{0, put.flags & ~kTreeRef} : put;
       }},
      // That, unless the buffer was found: then a put.
      {"PutBehind", PutBehind, Holder,
       [](uint32_t r, uint32_t f) {
         const BufferState put = AfterPut(r, f);
         if (f & kAccessed) return put;
         return Idle(put.refs, put.flags) ? BufferState{0, put.flags & ~kTreeRef} : put;
       }},
      {"TryRelease", TryRelease, Idle,
       [](uint32_t, uint32_t f) {
         return BufferState{0, f & ~kTreeRef};
       }},
      {"ForgetAccess", ForgetAccess, [](uint32_t r, uint32_t) { return r > 0; },
       [](uint32_t r, uint32_t f) {
         return BufferState{r, f & ~kAccessed};
       }},
      {"Park", Park,
       [](uint32_t r, uint32_t f) {
         return r > 0 && !(f & (kMigrating | kUnmapped)) && !Idle(r, f);
       },
       [](uint32_t r, uint32_t f) {
         return BufferState{r, f | kParked};
       }},
  };
}

inline std::vector<Row> ReadRows() {
  return {
      // Only where the disk has bytes that are missing here: never where those here are newer. Who
      // reads wants the block, so it is not STALE any more.
      {"BeginRead", BeginRead,
       [](uint32_t r, uint32_t f) {
         return Holder(r, f) && !(f & (kUnmapped | kUptodate | kReading | kNewerThanDisk));
       },
       [](uint32_t r, uint32_t f) { return WithTreeRef(r + 1, (f & ~kStale) | kReading); }},
      {"EndRead(valid)", [](BufferState s) { return EndRead(s, true); },
       [](uint32_t r, uint32_t f) { return Holder(r, f) && (f & kReading); },
       [](uint32_t r, uint32_t f) {
         return BufferState{r, (f & ~kReading) | kUptodate};
       }},
      // Does not stay in the cache: STALE, in the same step, so that a reader that comes after it
      // and reads the block keeps it.
      {"EndRead(invalid)", [](BufferState s) { return EndRead(s, false); },
       [](uint32_t r, uint32_t f) { return Holder(r, f) && (f & kReading); },
       [](uint32_t r, uint32_t f) {
         return BufferState{r, (f & ~kReading & ~kUptodate) | kStale};
       }},
      // Bytes that were found to be no good: those of the disk, and no newer ones.
      {"ClearUptodate", ClearUptodate, MayBeBad,
       [](uint32_t r, uint32_t f) {
         return BufferState{r, f & ~kUptodate};
       }},
      {"BeginReread", BeginReread, MayBeBad,
       [](uint32_t r, uint32_t f) {
         return WithTreeRef(r + 1, (f & ~kStale & ~kUptodate) | kReading);
       }},
      {"SetUptodate", SetUptodate,
       [](uint32_t r, uint32_t f) { return Holder(r, f) && !(f & kReading); },
       [](uint32_t r, uint32_t f) {
         return BufferState{r, f | kUptodate};
       }},
  };
}

inline std::vector<Row> WriteRows() {
  return {
      // Only bytes that are the block's may go to disk.
      {"SetDirty", SetDirty,
       [](uint32_t r, uint32_t f) {
         return Holder(r, f) && (f & (kUnmapped | kUptodate)) == kUptodate;
       },
       [](uint32_t r, uint32_t f) { return WithTreeRef(r, f | kDirty); }},
      // Given up by name. What a write has under way is the write's: it may still fail.
      {"ClearDirty", ClearDirty, Holder,
       [](uint32_t r, uint32_t f) {
         return BufferState{r, f & kWriteback ? f & ~kDirty : f & ~kDirty & ~kWriteErr};
       }},
      // One write at a time. That the last one failed is known until one has succeeded.
      {"BeginWriteback", BeginWriteback,
       [](uint32_t r, uint32_t f) { return Holder(r, f) && (f & kUnderIo) == kDirty; },
       [](uint32_t r, uint32_t f) {
         return BufferState{r + 1, (f & ~kDirty) | kWriteback};
       }},
      // What was dirtied meanwhile is still to be written; the error is over.
      {"EndWriteback(written)", [](BufferState s) { return EndWriteback(s, true); },
       [](uint32_t r, uint32_t f) { return Holder(r, f) && (f & kWriteback); },
       [](uint32_t r, uint32_t f) {
         return BufferState{r, f & ~kWriteback & ~kWriteErr};
       }},
      // The bytes stay, stay the newest, and have to be written.
      {"EndWriteback(failed)", [](BufferState s) { return EndWriteback(s, false); },
       [](uint32_t r, uint32_t f) { return Holder(r, f) && (f & kWriteback); },
       [](uint32_t r, uint32_t f) {
         return BufferState{r, (f & ~kWriteback) | kDirty | kWriteErr};
       }},
      // Given up by name, so that the next reader gets the disk's.
      {"GiveUpWrite", GiveUpWrite,
       [](uint32_t r, uint32_t f) { return Holder(r, f) && (f & kUnderIo) == kDirty; },
       [](uint32_t r, uint32_t f) {
         return BufferState{r, f & ~kDirty & ~kWriteErr & ~kUptodate};
       }},
      {"ReinitAsNewBlock", ReinitAsNewBlock,
       [](uint32_t r, uint32_t f) { return Holder(r, f) && !(f & (kWriteback | kReading)); },
       [](uint32_t r, uint32_t f) {
         return BufferState{r, (f & ~kStale & ~kDirty & ~kWriteErr & ~kZonedZeroout) | kUptodate};
       }},
  };
}

inline std::vector<Row> MoveRows() {
  return {
      {"BeginMigrate", BeginMigrate, Idle,
       [](uint32_t r, uint32_t f) {
         return BufferState{r, f | kMigrating};
       }},
      {"EndMigrate", EndMigrate, [](uint32_t, uint32_t f) { return (f & kMigrating) != 0; },
       [](uint32_t r, uint32_t f) {
         return BufferState{r, f & ~kMigrating};
       }},
      {"ReleaseFrozen", ReleaseFrozen, [](uint32_t, uint32_t f) { return (f & kMigrating) != 0; },
       [](uint32_t, uint32_t f) {
         return BufferState{0, f & ~kMigrating & ~kTreeRef};
       }},
  };
}

inline const std::vector<Row>& Table() {
  static const std::vector<Row> table = [] {
    std::vector<Row> all;
    for (const auto& rows : {ReferenceRows(), ReadRows(), WriteRows(), MoveRows()}) {
      all.insert(all.end(), rows.begin(), rows.end());
    }
    return all;
  }();
  return table;
}

}  // namespace ebcache::state

#endif  // EBCACHE_TESTS_CACHE_LIFECYCLE_TABLE_H_
