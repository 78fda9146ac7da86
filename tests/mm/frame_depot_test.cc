#include "lib/mm/frame_depot.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "lib/mm/depot_releaser.h"
#include "lib/mm/owner_table.h"

namespace ebcache {
namespace {

constexpr uint32_t kFrames = 1024;
constexpr uint32_t kStep = 16;
constexpr size_t kFrameBytes = 4096;

// A table that counts every look at a frame that was never prepared.
class StrictSource final : public FrameSource {
 public:
  explicit StrictSource(int* violations, uint32_t most = kFrames)
      : violations_(violations), most_(most) {}

  PageFrame& frame(FrameNumber pfn) override {
    if (pfn.value() >= ever_prepared_) ++*violations_;
    return frames_[pfn.value() % kFrames];
  }
  absl::Status Prepare(FrameNumber end) override {
    if (end.value() > kFrames) ++*violations_;
    prepared_ = std::max(prepared_, (end.value() + kStep - 1) / kStep * kStep);
    ever_prepared_ = std::max(ever_prepared_, prepared_);
    return absl::OkStatus();
  }
  bool Purge(FrameNumber first, uint32_t count) override {
    for (FrameNumber pfn = first; pfn < first + count; ++pfn) {
      if (frame(pfn).Load() !=
          FrameState{.use = FrameUse::kFree, .private_bits = frame(pfn).Load().private_bits}) {
        ++*violations_;
      }
    }
    return true;
  }
  bool Retreat(FrameNumber end) override {
    if (end.value() % kStep != 0 || end.value() > prepared_) ++*violations_;
    prepared_ = end.value();
    return true;
  }
  uint32_t most_frames() const override { return most_; }
  uint32_t frames_per_step() const override { return kStep; }
  uint64_t prepared_bytes() const override { return prepared_ * kFrameBytes; }
  uint32_t prepared() const { return prepared_; }

 private:
  int* const violations_;
  const uint32_t most_;
  uint32_t prepared_ = 0;
  uint32_t ever_prepared_ = 0;
  std::vector<PageFrame> frames_{kFrames};
};

struct Fixture {
  int violations = 0;
  StrictSource* const source = new StrictSource(&violations);
  FrameDepot depot{std::unique_ptr<FrameSource>(source), 16};
  ThreadList list{depot.list_capacity()};

  Fixture() { depot.Enlist(list); }
  ~Fixture() { depot.Retire(list); }

  uint64_t ResidentBytes() {
    AllocatorStats stats;
    depot.AddStats(stats, kFrameBytes);
    return stats.from_os_bytes;
  }
};

TEST(FrameDepotTest, ListsAreSmallWhereFramesAreFew) {
  const auto capacity = [](uint32_t frames, uint32_t wanted) {
    int violations = 0;
    return FrameDepot(std::make_unique<StrictSource>(&violations, frames), wanted).list_capacity();
  };
  EXPECT_EQ(capacity(32, 128), 2u);
  EXPECT_EQ(capacity(1024, 128), 16u);
  EXPECT_EQ(capacity(1 << 20, 128), 128u);
  EXPECT_EQ(capacity(1 << 20, 8), 8u);
  EXPECT_EQ(capacity(1 << 20, 1000), ThreadList::kMaxCapacity);
}

TEST(FrameDepotTest, FreshFramesAreTakenOneByOneUsedOnesInBatches) {
  Fixture f;
  ASSERT_TRUE(f.depot.Refill(f.list, 1).ok());
  EXPECT_EQ(f.list.size(), 1u);
  std::vector<Folio> slots(31);
  ASSERT_TRUE(f.depot.Fill(f.list, 31, {.use = FrameUse::kListed}, absl::MakeSpan(slots)).ok());
  EXPECT_EQ(f.list.size(), 0u);
  for (Folio slot : slots) {
    if (f.list.full()) f.depot.Drain(f.list);
    f.list.Push(FirstFrameOf(slot));
  }
  while (f.list.size() > 0) f.list.Pop();
  ASSERT_TRUE(f.depot.Refill(f.list, 1).ok());
  EXPECT_EQ(f.list.size(), f.list.capacity() / 2);
  EXPECT_EQ(f.violations, 0);
}

TEST(FrameDepotTest, RefillKeepsTheOrderOfFreeing) {
  Fixture f;
  std::vector<uint32_t> given;
  ASSERT_TRUE(f.depot.Refill(f.list, 16).ok());
  while (f.list.size() > 0) given.push_back(f.list.Pop().value());
  for (uint32_t i = 0; i < 16; ++i) EXPECT_EQ(given[i], i);  // fresh: in order of number
  for (uint32_t i = 0; i < 16; ++i) f.list.Push(FrameNumber(i));
  f.depot.Drain(f.list);  // 0 to 7 go
  EXPECT_EQ(f.list.Pop().value(), 15u);
  while (f.list.size() > 0) f.list.Pop();
  ASSERT_TRUE(f.depot.Refill(f.list, 3).ok());
  for (uint32_t i = 8; i-- > 0;) EXPECT_EQ(f.list.Pop().value(), i);  // the last freed comes first
}

// ---- The reserve --------------------------------------------------------------------------------

constexpr uint32_t kReserve = 24;

// All frames of a depot with a reserve, in the caller's hands.
struct Reserved {
  int violations = 0;
  FrameDepot depot{std::make_unique<StrictSource>(&violations), 16, kReserve};
  ThreadList list{depot.list_capacity()};
  std::vector<Folio> all;

  Reserved() : all(kFrames) {
    depot.Enlist(list);
    EXPECT_TRUE(
        depot.Fill(list, kFrames, {.use = FrameUse::kListed}, absl::MakeSpan(all), true).ok());
  }
  ~Reserved() { depot.Retire(list); }

  // Gives so many back, past the list.
  void GiveBack(uint32_t count) {
    for (; count > 0; --count) {
      if (list.full()) depot.Drain(list);
      list.Push(FirstFrameOf(all.back()));
      all.pop_back();
    }
    depot.DrainAll(list);
  }
};

TEST(FrameDepotReserve, IsForThoseWhoMayUseIt) {
  int violations = 0;
  FrameDepot depot(std::make_unique<StrictSource>(&violations), 16, kReserve);
  EXPECT_EQ(depot.MostFrames(/*use_reserve=*/false), kFrames - kReserve);
  EXPECT_EQ(depot.MostFrames(/*use_reserve=*/true), kFrames);
  ThreadList list(depot.list_capacity());
  depot.Enlist(list);
  std::vector<Folio> slots(kFrames - kReserve + 1);
  const FrameState state{.use = FrameUse::kListed};
  EXPECT_FALSE(depot.Fill(list, slots.size(), state, absl::MakeSpan(slots)).ok());
  EXPECT_FALSE(depot.reserve_in_use());
  slots.resize(kFrames - kReserve);
  EXPECT_TRUE(depot.Fill(list, slots.size(), state, absl::MakeSpan(slots)).ok());
  EXPECT_FALSE(depot.reserve_in_use());
  EXPECT_FALSE(depot.Refill(list, 1).ok());
  EXPECT_EQ(list.size(), 0u);
  EXPECT_TRUE(depot.Refill(list, 1, /*use_reserve=*/true).ok());
  EXPECT_TRUE(depot.reserve_in_use());
  depot.Retire(list);
}

// A list is filled with more than is wanted, but never out of the reserve: what is in a list
// anybody takes.
TEST(FrameDepotReserve, ListsDoNotEatIt) {
  for (uint32_t beyond = 1; beyond <= 12; ++beyond) {
    Reserved f;
    f.GiveBack(kReserve + beyond);
    EXPECT_FALSE(f.depot.reserve_in_use()) << beyond;
    ASSERT_TRUE(f.depot.Refill(f.list, 1).ok());
    EXPECT_EQ(f.list.size(), std::min(beyond, f.list.capacity() / 2)) << beyond;
  }
}

TEST(FrameDepotReserve, OfOneThatIsHalfSpentNobodyElseGetsAny) {
  Reserved f;
  f.GiveBack(kReserve - 1);
  EXPECT_TRUE(f.depot.reserve_in_use());
  EXPECT_FALSE(f.depot.Refill(f.list, 1).ok());
  EXPECT_TRUE(f.depot.Refill(f.list, 1, /*use_reserve=*/true).ok());
  EXPECT_EQ(f.list.size(), 1u) << "of the reserve no more than is wanted";
  f.depot.DrainAll(f.list);
  f.GiveBack(1);
  EXPECT_FALSE(f.depot.reserve_in_use()) << "all of it is back";
  EXPECT_FALSE(f.depot.Refill(f.list, 1).ok());
  f.GiveBack(1);
  EXPECT_TRUE(f.depot.Refill(f.list, 1).ok());
}

// ---- What could be released -----------------------------------------------------------------

TEST(FrameDepotReleasable, FoliosInUseFromAFrameOnAndAround) {
  Fixture f;
  std::vector<Folio> slots(kFrames);
  const FrameState movable{.use = FrameUse::kAllocated, .movable = true, .owner = 3};
  ASSERT_TRUE(f.depot.Fill(f.list, kFrames, movable, absl::MakeSpan(slots)).ok());
  f.source->frame(FrameNumber(5))
      .Store({.use = FrameUse::kAllocated, .reclaimable = true, .owner = 4});
  f.source->frame(FrameNumber(6)).Store({.use = FrameUse::kAllocated, .owner = 5});
  f.source->frame(FrameNumber(7)).Store({.use = FrameUse::kListed});
  FrameDepot::Releasable found;
  std::vector<uint32_t> seen;
  FrameNumber next(3);
  do {
    found.clear();
    next = f.depot.FindReleasable(next, found);
    ASSERT_LE(found.size(), FrameDepot::kMostFound);
    for (const FrameDepot::InUse& folio : found) {
      EXPECT_EQ(folio.state.owner, folio.pfn == FrameNumber(5) ? 4 : 3);
      seen.push_back(folio.pfn.value());
    }
  } while (next != FrameNumber(0));
  std::vector<uint32_t> wanted = {3, 4, 5};
  for (uint32_t pfn = 8; pfn < kFrames; ++pfn) wanted.push_back(pfn);
  EXPECT_EQ(seen, wanted);
  // From beyond the last that was ever given out: the end, and nothing.
  found.clear();
  EXPECT_EQ(f.depot.FindReleasable(FrameNumber(kFrames + 5), found), FrameNumber(0));
  EXPECT_TRUE(found.empty());
}

// An owner that says yes, and notes what it was asked for.
class Noting final : public FolioOwner {
 public:
  std::string_view name() const override { return "noting"; }
  bool movable() const override { return true; }
  bool Release(Folio folio, uint32_t) override {
    asked.push_back(folio.pfn());
    return says_yes;
  }
  std::vector<uint32_t> asked;
  bool says_yes = true;
};

// One request after the other goes on where the last one stopped, so that it is not always the same
// folios that go; one that is spared is not asked; and where all refuse, all were asked once.
TEST(DepotReleaserTest, GoesOnWhereItStopped) {
  Fixture f;
  OwnerTable owners;
  Noting owner, spared;
  const OwnerId id = owners.Register(&owner), spared_id = owners.Register(&spared);
  constexpr uint32_t kInUse = 3 * FrameDepot::kMostFound;
  std::vector<Folio> slots(kInUse);
  const FrameState state{.use = FrameUse::kAllocated, .movable = true, .owner = id};
  ASSERT_TRUE(f.depot.Fill(f.list, kInUse, state, absl::MakeSpan(slots)).ok());
  f.source->frame(FrameNumber(1))
      .Store({.use = FrameUse::kAllocated, .movable = true, .owner = spared_id});
  DepotReleaser releaser(&f.depot, &owners);
  ASSERT_TRUE(releaser.ReleaseSome(spared_id));
  ASSERT_FALSE(owner.asked.empty());
  const uint32_t last = owner.asked.back();
  EXPECT_EQ(owner.asked.front(), 0u);
  owner.asked.clear();
  ASSERT_TRUE(releaser.ReleaseSome(spared_id));
  EXPECT_EQ(owner.asked.front(), last + 1);
  owner.asked.clear();
  owner.says_yes = false;
  EXPECT_FALSE(releaser.ReleaseSome(spared_id));
  std::vector<uint32_t> wanted;
  for (uint32_t pfn = 0; pfn < kInUse; ++pfn) {
    if (pfn != 1) wanted.push_back(pfn);
  }
  std::sort(owner.asked.begin(), owner.asked.end());
  owner.asked.erase(std::unique(owner.asked.begin(), owner.asked.end()), owner.asked.end());
  EXPECT_EQ(owner.asked, wanted);
  EXPECT_TRUE(spared.asked.empty());
  spared.says_yes = false;
  EXPECT_FALSE(releaser.ReleaseSome(kNoOwner));
  EXPECT_EQ(spared.asked.front(), 1u);
}

// Steps in any order: a frame is nowhere twice, and none is touched before it is prepared.
RC_GTEST_PROP(FrameDepotProperty, NoFrameTwiceAndNoneUnprepared, ()) {
  Fixture f;
  std::set<uint32_t> held;
  const auto take = [&](uint32_t pfn) {
    RC_ASSERT(pfn < f.source->prepared());
    RC_ASSERT(held.insert(pfn).second);
  };
  const auto steps = *rc::gen::container<std::vector<std::pair<int, uint32_t>>>(
      rc::gen::pair(rc::gen::inRange(0, 4), rc::gen::inRange<uint32_t>(1, 60)));
  for (const auto& [kind, n] : steps) {
    if (kind == 0) {
      const uint32_t wanted = std::min(n, f.list.capacity());
      if (f.list.size() < wanted && !f.depot.Refill(f.list, wanted).ok()) continue;
      RC_ASSERT(f.list.size() >= wanted);
      for (uint32_t i = 0; i < wanted; ++i) take(f.list.Pop().value());
    } else if (kind == 1) {
      std::vector<Folio> slots(n);
      if (!f.depot.Fill(f.list, n, {.use = FrameUse::kListed}, absl::MakeSpan(slots)).ok()) {
        RC_ASSERT(held.size() + n > kFrames);
        continue;
      }
      for (Folio slot : slots) take(slot.pfn());
    } else if (kind == 2) {
      for (uint32_t i = 0; i < n && !held.empty(); ++i) {
        const auto it = i % 2 == 0 ? held.begin() : std::prev(held.end());
        if (f.list.full()) f.depot.Drain(f.list);
        f.list.Push(FrameNumber(*it));
        held.erase(it);
      }
    } else {
      const uint64_t before = f.ResidentBytes();
      const size_t given_back = f.depot.Trim(f.list, kFrameBytes);
      RC_ASSERT(f.ResidentBytes() == before - given_back);
      RC_ASSERT(f.ResidentBytes() >= held.size() * kFrameBytes);
      RC_ASSERT(f.ResidentBytes() < (held.size() + kStep) * kFrameBytes);
    }
    RC_ASSERT(f.violations == 0);
  }
}

}  // namespace
}  // namespace ebcache
