// Every state under every step, against the lifecycle table written down a second time.

#include "lib/cache/buffer_state.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lib/cache/state_word.h"

namespace ebcache::state {
namespace {

constexpr uint32_t kAllFlags = (1u << 12) - 1;
constexpr uint32_t kMostRefs = 6;

constexpr uint32_t kUptodate = Bit(BufferFlag::kUptodate);
constexpr uint32_t kDirty = Bit(BufferFlag::kDirty);
constexpr uint32_t kWriteback = Bit(BufferFlag::kWriteback);
constexpr uint32_t kTreeRef = Bit(BufferFlag::kTreeRef);
constexpr uint32_t kStale = Bit(BufferFlag::kStale);
constexpr uint32_t kUnmapped = Bit(BufferFlag::kUnmapped);
constexpr uint32_t kWriteErr = Bit(BufferFlag::kWriteErr);
constexpr uint32_t kZonedZeroout = Bit(BufferFlag::kZonedZeroout);
constexpr uint32_t kReading = Bit(BufferFlag::kReading);
constexpr uint32_t kMigrating = Bit(BufferFlag::kMigrating);
constexpr uint32_t kAccessed = Bit(BufferFlag::kAccessed);
constexpr uint32_t kParked = Bit(BufferFlag::kParked);
constexpr uint32_t kUnderIo = kDirty | kWriteback;
// What is in memory is not on disk.
constexpr uint32_t kNewerThanDisk = kDirty | kWriteback | kWriteErr;

// The table: when a step is allowed, and what it makes of references and flags. Written with masks
// and numbers, so that it shares nothing with the functions it is held against.
struct Row {
  std::string name;
  std::function<Outcome(BufferState)> step;
  std::function<bool(uint32_t refs, uint32_t flags)> allowed;
  std::function<BufferState(uint32_t refs, uint32_t flags)> becomes;
};

bool Holder(uint32_t refs, uint32_t flags) {
  if (flags & kMigrating) return false;
  return flags & kTreeRef ? refs >= 2 : refs >= 1;
}
bool Idle(uint32_t refs, uint32_t flags) {
  return refs == 1 &&
         (flags & (kTreeRef | kUnderIo | kReading | kMigrating | kUnmapped)) == kTreeRef;
}
BufferState AfterPut(uint32_t refs, uint32_t flags) {
  const bool last_of_stale =
      (flags & kTreeRef) && refs == 2 && (flags & kStale) && !(flags & kUnderIo);
  if (last_of_stale) return {0, flags & ~kTreeRef};
  if (Idle(refs - 1, flags)) return {refs - 1, flags & ~kParked};
  return {refs - 1, flags};
}
BufferState WithTreeRef(uint32_t refs, uint32_t flags) {
  return flags & kTreeRef ? BufferState{refs, flags} : BufferState{refs + 1, flags | kTreeRef};
}

// References, and what reclaim does with those that are idle.
std::vector<Row> ReferenceRows() {
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

std::vector<Row> ReadRows() {
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
      {"SetUptodate", SetUptodate,
       [](uint32_t r, uint32_t f) { return Holder(r, f) && !(f & kReading); },
       [](uint32_t r, uint32_t f) {
         return BufferState{r, f | kUptodate};
       }},
  };
}

std::vector<Row> WriteRows() {
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

std::vector<Row> MoveRows() {
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

const std::vector<Row>& Table() {
  static const std::vector<Row> table = [] {
    std::vector<Row> all;
    for (const auto& rows : {ReferenceRows(), ReadRows(), WriteRows(), MoveRows()}) {
      all.insert(all.end(), rows.begin(), rows.end());
    }
    return all;
  }();
  return table;
}

class EveryState : public testing::TestWithParam<size_t> {};

TEST_P(EveryState, GivesTheOutcomeOfTheTable) {
  const Row& row = Table()[GetParam()];
  uint64_t allowed = 0;
  for (uint32_t flags = 0; flags <= kAllFlags; ++flags) {
    for (uint32_t refs = 0; refs <= kMostRefs; ++refs) {
      const BufferState before{refs, flags};
      const Outcome outcome = row.step(before);
      if (!row.allowed(refs, flags)) {
        ASSERT_EQ(outcome.result, Result::kRefused) << row.name << " in " << before.ToString();
        ASSERT_EQ(outcome.after, before);
        continue;
      }
      ++allowed;
      const BufferState after = row.becomes(refs, flags);
      ASSERT_EQ(outcome.after, after)
          << row.name << " in " << before.ToString() << " gave " << outcome.after.ToString();
      const Result result = after == before   ? Result::kKept
                            : after.refs == 0 ? Result::kDied
                                              : Result::kChanged;
      ASSERT_EQ(outcome.result, result) << row.name << " in " << before.ToString();
    }
  }
  EXPECT_GT(allowed, 0u) << row.name;
}

INSTANTIATE_TEST_SUITE_P(Steps, EveryState, testing::Range<size_t>(0, 22), [](const auto& info) {
  std::string name = Table()[info.param].name;
  std::erase_if(name, [](char c) { return c == '(' || c == ')'; });
  return name;
});

TEST(EveryStep, IsInTheTable) { EXPECT_EQ(Table().size(), 22u); }

// ---- What holds along every path ----------------------------------------------------------------

// States that can be reached from birth, holders' steps being made only where there is a holder.
std::set<std::pair<uint32_t, uint32_t>> Reachable() {
  std::set<std::pair<uint32_t, uint32_t>> seen;
  std::deque<BufferState> todo = {BornMapped(), BornUnmapped()};
  while (!todo.empty()) {
    const BufferState s = todo.front();
    todo.pop_front();
    if (s.refs > kMostRefs || !seen.insert({s.refs, s.flags}).second) continue;
    for (const Row& row : Table()) {
      const Outcome outcome = row.step(s);
      if (outcome.result != Result::kRefused) todo.push_back(outcome.after);
    }
  }
  return seen;
}

TEST(Reachable, StatesKeepTheInvariants) {
  const auto states = Reachable();
  EXPECT_GT(states.size(), 100u);
  for (const auto& [refs, flags] : states) {
    const std::string name = BufferState{refs, flags}.ToString();
    if (flags & kMigrating) {
      EXPECT_EQ(refs, 1u) << name;
      EXPECT_TRUE(flags & kTreeRef) << name;
      EXPECT_FALSE(flags & (kUnderIo | kReading)) << name;
    }
    if (flags & kUnmapped) {
      EXPECT_FALSE(flags & (kTreeRef | kDirty | kWriteback | kReading | kMigrating)) << name;
    }
    if (flags & kParked) {
      EXPECT_FALSE(Idle(refs, flags)) << "idle, and reclaim was not told: " << name;
      EXPECT_FALSE(flags & kMigrating) << name;
    }
    if (refs == 0) {
      EXPECT_FALSE(flags & kTreeRef) << name;
      EXPECT_FALSE(flags & kUnderIo) << "dead with bytes to write: " << name;
    }
  }
}

TEST(Dead, StaysDead) {
  for (uint32_t flags = 0; flags <= kAllFlags; ++flags) {
    if (flags & kMigrating) continue;  // cannot be: the dead are thawed
    for (const Row& row : Table()) {
      EXPECT_EQ(row.step({0, flags}).result, Result::kRefused) << row.name;
    }
  }
}

TEST(UnderIo, NothingKills) {
  for (const auto& [refs, flags] : Reachable()) {
    if ((flags & kUnderIo) == 0) continue;
    for (const Row& row : Table()) {
      EXPECT_NE(row.step({refs, flags}).result, Result::kDied)
          << row.name << " in " << BufferState{refs, flags}.ToString();
    }
  }
}

// A read in flight is protected by the reader's own reference.
TEST(Reading, NothingKillsWhileTheReaderHoldsItsReference) {
  for (const auto& [refs, flags] : Reachable()) {
    if ((flags & kReading) == 0) continue;
    for (const Row& row : Table()) {
      // Puts by anybody else leave the reader's reference: at least two, with the cache's.
      if (refs >= 3) {
        EXPECT_NE(row.step({refs, flags}).result, Result::kDied)
            << row.name << " in " << BufferState{refs, flags}.ToString();
      }
    }
  }
}

// ---- What was promised of writes: the bytes are there until they are on disk, or given up by name
// --

// The steps by which a caller says that it does not want the bytes any more.
const std::set<std::string>& GivingUp() {
  static const std::set<std::string> steps = {"ClearDirty", "GiveUpWrite", "ReinitAsNewBlock"};
  return steps;
}

// From DIRTY a buffer comes to a state without DIRTY and WRITEBACK only by a write that has
// succeeded, or by giving up.
TEST(Unwritten, IsUnderIoUntilWrittenOrGivenUp) {
  for (const auto& [refs, flags] : Reachable()) {
    if ((flags & kUnderIo) == 0) continue;
    for (const Row& row : Table()) {
      const Outcome outcome = row.step({refs, flags});
      if (outcome.after.under_io()) continue;
      EXPECT_TRUE(GivingUp().contains(row.name) || row.name == "EndWriteback(written)")
          << row.name << " in " << BufferState{refs, flags}.ToString();
    }
  }
}

// The newest bytes are in memory, and readers get them: no read may begin, none be under way.
TEST(Unwritten, IsUptodateAndNotRead) {
  for (const auto& [refs, flags] : Reachable()) {
    if ((flags & kNewerThanDisk) == 0) continue;
    const BufferState s{refs, flags};
    EXPECT_TRUE(s.has(BufferFlag::kUptodate)) << s.ToString();
    EXPECT_FALSE(s.has(BufferFlag::kReading)) << s.ToString();
    EXPECT_EQ(BeginRead(s).result, Result::kRefused) << s.ToString();
  }
}

// And whatever UPTODATE says.
TEST(Unwritten, IsNeverReadOver) {
  for (uint32_t flags = 0; flags <= kAllFlags; ++flags) {
    if ((flags & kNewerThanDisk) == 0) continue;
    EXPECT_EQ(BeginRead({3, flags & ~kUptodate}).result, Result::kRefused);
  }
}

// A failure is known until a write has succeeded, or the bytes are given up; and so long the buffer
// can be written again, or is being.
TEST(WriteErr, StaysUntilWrittenOrGivenUp) {
  uint64_t failed = 0;
  for (const auto& [refs, flags] : Reachable()) {
    if ((flags & kWriteErr) == 0) continue;
    ++failed;
    const BufferState s{refs, flags};
    EXPECT_TRUE(s.under_io()) << s.ToString();
    for (const Row& row : Table()) {
      if (GivingUp().contains(row.name) || row.name == "EndWriteback(written)") continue;
      EXPECT_TRUE(row.step(s).after.has(BufferFlag::kWriteErr))
          << row.name << " in " << s.ToString();
    }
    // With a reference of its own anybody may try again, unless somebody does.
    const BufferState held = Get(s).after;
    EXPECT_NE(BeginWriteback(held).result == Result::kChanged, s.has(BufferFlag::kWriteback))
        << s.ToString();
  }
  EXPECT_GT(failed, 0u);
}

// A write that is under way ends before anything else is decided.
TEST(Writeback, IsEndedByTheWriterOnly) {
  for (const auto& [refs, flags] : Reachable()) {
    if ((flags & kWriteback) == 0) continue;
    for (const Row& row : Table()) {
      if (row.name.starts_with("EndWriteback")) continue;
      EXPECT_TRUE(row.step({refs, flags}).after.has(BufferFlag::kWriteback)) << row.name;
    }
  }
}

TEST(Stale, IsClearedByWhoWantsTheBlock) {
  for (const auto& [refs, flags] : Reachable()) {
    if ((flags & kStale) == 0) continue;
    for (const Row& row : Table()) {
      if (row.name == "ReinitAsNewBlock" || row.name == "BeginRead") continue;
      EXPECT_TRUE(row.step({refs, flags}).after.has(BufferFlag::kStale)) << row.name;
    }
  }
}

// ---- Verdicts -----------------------------------------------------------------------------------

TEST(Verdict, IsEligibleExactlyWhereReleaseIsAllowed) {
  std::map<ReleaseVerdict, int> met;
  for (uint32_t flags = 0; flags <= kAllFlags; ++flags) {
    for (uint32_t refs = 0; refs <= kMostRefs; ++refs) {
      const ReleaseVerdict verdict = VerdictOf({refs, flags});
      ++met[verdict];
      EXPECT_EQ(verdict == ReleaseVerdict::kEligible, Idle(refs, flags));
      EXPECT_NE(ReleaseVerdictName(verdict), "unknown");
    }
  }
  EXPECT_EQ(met.size(), static_cast<size_t>(kReleaseVerdicts));
}

TEST(Verdict, NamesTheReason) {
  EXPECT_EQ(VerdictOf({0, 0}), ReleaseVerdict::kDead);
  EXPECT_EQ(VerdictOf({1, kUnmapped | kUptodate}), ReleaseVerdict::kUnmapped);
  EXPECT_EQ(VerdictOf({1, kTreeRef | kMigrating}), ReleaseVerdict::kMigrating);
  EXPECT_EQ(VerdictOf({3, kTreeRef | kReading}), ReleaseVerdict::kReading);
  EXPECT_EQ(VerdictOf({2, kTreeRef | kWriteback}), ReleaseVerdict::kWriteback);
  EXPECT_EQ(VerdictOf({1, kTreeRef | kDirty}), ReleaseVerdict::kDirty);
  EXPECT_EQ(VerdictOf({2, kTreeRef}), ReleaseVerdict::kInUse);
  EXPECT_EQ(VerdictOf({1, kUptodate}), ReleaseVerdict::kNoTreeRef);
  EXPECT_EQ(VerdictOf({1, kTreeRef | kStale}), ReleaseVerdict::kEligible);
}

// ---- The short ways (state_word.h) --------------------------------------------------------------

std::vector<BufferState> StatesAndManyReferences() {
  std::vector<BufferState> states;
  for (uint32_t flags = 0; flags <= kAllFlags; ++flags) {
    for (uint32_t refs = 0; refs <= kMostRefs; ++refs) states.push_back({refs, flags});
    for (uint32_t refs : {kMaxRefs - 1, kMaxRefs, kMaxRefs + 1, ~uint32_t{0}}) {
      states.push_back({refs, flags});
    }
  }
  return states;
}

// What `plainly` makes of a word is what the step makes of the state, or nothing; and it makes
// something of it exactly where `wanted` says.
void ExpectTheShortWay(bool (*plainly)(sync::Atomic<uint64_t>&), Outcome (*step)(BufferState),
                       const std::function<bool(uint32_t refs, uint32_t flags)>& wanted) {
  for (const BufferState before : StatesAndManyReferences()) {
    sync::Atomic<uint64_t> word{Pack(before)};
    const bool done = plainly(word);
    const Outcome outcome = step(before);
    ASSERT_EQ(Unpack(word.load()), done ? outcome.after : before) << before.ToString();
    ASSERT_EQ(done, wanted(before.refs, before.flags)) << before.ToString();
    if (done) {
      ASSERT_EQ(outcome.result, Result::kChanged) << before.ToString();
    }
  }
}

TEST(GetPlainly, IsGetWhereThereIsNoMoreToIt) {
  ExpectTheShortWay(GetPlainly, Get, [](uint32_t refs, uint32_t flags) {
    return refs > 0 && refs < kMaxRefs && !(flags & (kMigrating | kUnmapped));
  });
}

TEST(PutPlainly, IsPutWhereThereIsNoMoreToIt) {
  ExpectTheShortWay(PutPlainly, Put, [](uint32_t refs, uint32_t flags) {
    return refs >= 2 && (flags & kTreeRef) && !(flags & (kStale | kParked | kMigrating));
  });
}

// ---- Single steps -------------------------------------------------------------------------------

TEST(Get, RefusesRatherThanOverflow) {
  EXPECT_EQ(Get({kMaxRefs, kTreeRef}).result, Result::kRefused);
  EXPECT_EQ(Get({kMaxRefs - 1, kTreeRef}).result, Result::kChanged);
  // Lookups go on for longer, and end as well.
  EXPECT_EQ(GetForLookup({kMaxRefs, kTreeRef}).result, Result::kChanged);
  EXPECT_EQ(GetForLookup({state::kMostRefs - 1, kTreeRef}).result, Result::kChanged);
  EXPECT_EQ(GetForLookup({state::kMostRefs, kTreeRef}).result, Result::kRefused);
  EXPECT_EQ(GetForLookup({~uint32_t{0}, kTreeRef}).result, Result::kRefused);
  EXPECT_EQ(Share({kMaxRefs, kTreeRef}).result, Result::kRefused);
}

TEST(BufferState, PrintsItself) {
  EXPECT_EQ((BufferState{2, kUptodate | kTreeRef}).ToString(), "refs 2 UPTODATE|TREE_REF");
  EXPECT_EQ((BufferState{0, 0}).ToString(), "refs 0");
}

}  // namespace
}  // namespace ebcache::state
