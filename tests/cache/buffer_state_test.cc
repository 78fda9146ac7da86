// Every state under every step, against the lifecycle table (lifecycle_table.h).

#include "lib/cache/buffer_state.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lib/cache/state_word.h"
#include "tests/cache/lifecycle_table.h"

namespace ebcache::state {
namespace {

class EveryState : public testing::TestWithParam<size_t> {};

TEST_P(EveryState, GivesTheOutcomeOfTheTable) {
  const Row& row = Table()[GetParam()];
  uint64_t allowed = 0;
  for (uint32_t flags = 0; flags <= kAllFlags; ++flags) {
    for (uint32_t refs = 0; refs <= kMostRefsTried; ++refs) {
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

INSTANTIATE_TEST_SUITE_P(Steps, EveryState, testing::Range<size_t>(0, 26), [](const auto& info) {
  std::string name = Table()[info.param].name;
  std::erase_if(name, [](char c) { return c == '(' || c == ')'; });
  return name;
});

TEST(EveryStep, IsInTheTable) { EXPECT_EQ(Table().size(), 26u); }

// ---- What holds along every path ----------------------------------------------------------------

// States that can be reached from birth, holders' steps being made only where there is a holder.
std::set<std::pair<uint32_t, uint32_t>> Reachable() {
  std::set<std::pair<uint32_t, uint32_t>> seen;
  std::deque<BufferState> todo = {BornMapped(), BornZeroed(), BornUnmapped()};
  while (!todo.empty()) {
    const BufferState s = todo.front();
    todo.pop_front();
    if (s.refs > kMostRefsTried || !seen.insert({s.refs, s.flags}).second) continue;
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
      if (row.name == "ReinitAsNewBlock" || row.name == "BeginRead" || row.name == "BeginReread") {
        continue;
      }
      EXPECT_TRUE(row.step({refs, flags}).after.has(BufferFlag::kStale)) << row.name;
    }
  }
}

// ---- Verdicts -----------------------------------------------------------------------------------

TEST(Verdict, IsEligibleExactlyWhereReleaseIsAllowed) {
  std::map<ReleaseVerdict, int> met;
  for (uint32_t flags = 0; flags <= kAllFlags; ++flags) {
    for (uint32_t refs = 0; refs <= kMostRefsTried; ++refs) {
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
    for (uint32_t refs = 0; refs <= kMostRefsTried; ++refs) states.push_back({refs, flags});
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
