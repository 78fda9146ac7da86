// The buddy allocator against a bitmap.

#include "lib/mm/region/buddy.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <map>
#include <vector>

namespace ebcache {
namespace {

constexpr RegionGeometry kGeometry = {
    .page_bytes = 4096, .frames = 256, .pageblock_order = 3, .superpageblock_order = 6};

constexpr ZoneNumber kZone{0};
constexpr std::array<PageblockNumber, 2> kBoth = {PageblockNumber(0), PageblockNumber(1)};

struct Step {
  enum Kind { kTake, kClaim, kPut, kSetMobility, kIsolate, kRestore } kind;
  uint32_t a;
  uint32_t b;
  uint32_t c;

  friend std::ostream& operator<<(std::ostream& out, const Step& step) {
    static constexpr const char* kNames[] = {"kTake",        "kClaim",   "kPut",
                                             "kSetMobility", "kIsolate", "kRestore"};
    return out << "{Step::" << kNames[step.kind] << ", " << step.a << ", " << step.b << ", "
               << step.c << "}";
  }
};

rc::Gen<Step> AnyStep() {
  return rc::gen::apply(
      [](Step::Kind kind, uint32_t a, uint32_t b, uint32_t c) {
        return Step{kind, a, b, c};
      },
      rc::gen::weightedElement<Step::Kind>({{10, Step::kTake},
                                            {3, Step::kClaim},
                                            {10, Step::kPut},
                                            {2, Step::kSetMobility},
                                            {1, Step::kIsolate},
                                            {1, Step::kRestore}}),
      rc::gen::inRange<uint32_t>(0, 1000), rc::gen::inRange<uint32_t>(0, 3),
      rc::gen::inRange<uint32_t>(0, 7));
}

class Model {
 public:
  explicit Model(const Buddy::Options& options)
      : options_(options),
        frames_(OsCalls::Real(), kGeometry, /*phantom=*/true),
        buddy_(&frames_, kGeometry, options),
        free_(kGeometry.frames, true) {
    EXPECT_TRUE(frames_.Reserve().ok());
    const uint32_t step = uint32_t{1} << options.max_order;
    for (FrameNumber pfn; pfn < kGeometry.EndFrame(); pfn += step)
      buddy_.Put(pfn, options.max_order);
    Check();
  }

  void Perform(const Step& step) {
    const int order = static_cast<int>(step.c) % (options_.max_order + 1);
    const ZoneNumber zone(step.a % buddy_.zones());
    const auto kind = static_cast<Mobility>(step.b);
    const PageblockNumber block(step.a % kGeometry.pageblocks());
    switch (step.kind) {
      case Step::kTake: {
        const bool possible = HasFreeBlock(zone, kind, order);
        Hold(buddy_.Take(zone, kind, order), order, possible);
        break;
      }
      case Step::kClaim: {
        const int claimed = std::max(order, kGeometry.pageblock_order);
        const auto to = static_cast<Mobility>((step.b + 1) % kRequestMobilities);
        const bool possible = HasFreeBlock(zone, kind, claimed);
        const FrameNumber pfn = buddy_.Claim(zone, kind, to, order);
        Hold(pfn, order, possible);
        if (pfn != kNoFrame) RC_ASSERT(buddy_.mobility(kGeometry.PageblockOf(pfn)) == to);
        break;
      }
      case Step::kPut:
        if (!held_.empty()) Free(std::next(held_.begin(), step.a % held_.size()));
        break;
      case Step::kSetMobility:
        if (buddy_.mobility(block) == Mobility::kIsolated) break;
        buddy_.SetMobility(block, kind);
        break;
      case Step::kIsolate:
        buddy_.SetMobility(block, Mobility::kIsolated);
        break;
      case Step::kRestore:
        if (buddy_.mobility(block) != Mobility::kIsolated) break;
        buddy_.SetMobility(block, Mobility::kMovable);
        buddy_.Remerge(block);
        break;
    }
    Check();
  }

  // All is free again, in the largest blocks.
  void FreeAll() {
    for (PageblockNumber block; block < kGeometry.EndPageblock(); ++block) {
      if (buddy_.mobility(block) == Mobility::kIsolated) {
        buddy_.SetMobility(block, Mobility::kMovable);
        buddy_.Remerge(block);
      }
    }
    while (!held_.empty()) Free(held_.begin());
    Check();
    // A change of kind splits for good what nobody took or freed since: merge it by hand.
    for (PageblockNumber block; block < kGeometry.EndPageblock(); ++block) buddy_.Remerge(block);
    uint32_t largest = 0;
    for (ZoneNumber zone; zone.value() < buddy_.zones(); ++zone) {
      for (int kind = 0; kind < kMobilities; ++kind) {
        const FreeArea& area = buddy_.area(zone, static_cast<Mobility>(kind));
        largest += area.blocks[static_cast<size_t>(options_.max_order)];
      }
    }
    RC_ASSERT(largest == kGeometry.frames >> options_.max_order);
  }

 private:
  bool HasFreeBlock(ZoneNumber zone, Mobility kind, int order) const {
    return buddy_.area(zone, kind).HasAtLeast(order);
  }

  void Hold(FrameNumber pfn, int order, bool possible) {
    RC_ASSERT((pfn != kNoFrame) == possible);
    if (pfn == kNoFrame) return;
    RC_ASSERT(pfn == AlignedDown(pfn, order));
    for (uint32_t i = 0; i < uint32_t{1} << order; ++i) {
      RC_ASSERT(free_[pfn.value() + i]);  // not held by anybody
      free_[pfn.value() + i] = false;
    }
    held_[pfn] = order;
    frames_[pfn].Store(FrameState::Allocated({}, order));
  }

  void Free(std::map<FrameNumber, int>::iterator it) {
    const auto [pfn, order] = *it;
    held_.erase(it);
    for (uint32_t i = 0; i < uint32_t{1} << order; ++i) free_[pfn.value() + i] = true;
    buddy_.Put(pfn, order);
  }

  // The lists say what the bitmap says, every block once, in the list it belongs to; and what can
  // merge has merged.
  void Check() {
    std::vector<bool> listed(kGeometry.frames, false);
    std::map<FrameNumber, int> blocks;
    for (ZoneNumber zone; zone.value() < buddy_.zones(); ++zone) {
      for (int kind = 0; kind < kMobilities; ++kind) {
        CheckArea(zone, static_cast<Mobility>(kind), listed, blocks);
      }
    }
    RC_ASSERT(listed == free_);
    for (const auto& [pfn, order] : blocks) {
      // Buddies that a change of kind has split may stay apart, until one is taken or freed.
      if (order >= kGeometry.pageblock_order) continue;
      const auto buddy = blocks.find(BuddyOf(pfn, order));
      RC_ASSERT(buddy == blocks.end() || buddy->second != order);
    }
  }

  void CheckArea(ZoneNumber zone, Mobility kind, std::vector<bool>& listed,
                 std::map<FrameNumber, int>& blocks) {
    const FreeArea& area = buddy_.area(zone, kind);
    for (int order = 0; order < FreeArea::kOrders; ++order) {
      const auto n = static_cast<size_t>(order);
      RC_ASSERT((area.blocks[n] != 0) == ((area.nonempty >> order & 1) != 0));
      uint32_t count = 0;
      FrameNumber previous = kNoFrame;
      for (FrameNumber pfn = area.First(order); pfn != kNoFrame; ++count) {
        const FreeBlock block = frames_[pfn].LoadFreeBlock();
        RC_ASSERT(frames_[pfn].Load().use == FrameUse::kFree);
        RC_ASSERT(block.order == order);
        RC_ASSERT(block.previous == previous);
        RC_ASSERT(pfn == AlignedDown(pfn, order));
        RC_ASSERT(buddy_.ZoneOf(pfn) == zone);
        RC_ASSERT(buddy_.mobility(kGeometry.PageblockOf(pfn)) == kind);
        // Each isolated page block is somebody's own.
        if (kind == Mobility::kIsolated) RC_ASSERT(order <= kGeometry.pageblock_order);
        for (uint32_t i = 0; i < uint32_t{1} << order; ++i) {
          RC_ASSERT(!listed[pfn.value() + i]);
          listed[pfn.value() + i] = true;
          const bool isolated =
              buddy_.mobility(kGeometry.PageblockOf(pfn + i)) == Mobility::kIsolated;
          RC_ASSERT(isolated == (kind == Mobility::kIsolated));
        }
        blocks[pfn] = order;
        previous = pfn;
        pfn = block.next;
      }
      RC_ASSERT(count == area.blocks[n]);
    }
  }

  const Buddy::Options options_;
  RegionFrames frames_;
  Buddy buddy_;
  std::vector<bool> free_;
  std::map<FrameNumber, int> held_;
};

void RunAgainstModel(const Buddy::Options& options) {
  Model model(options);
  for (const Step& step : *rc::gen::container<std::vector<Step>>(AnyStep())) model.Perform(step);
  model.FreeAll();
}

RC_GTEST_PROP(Buddy, ZonePerSuperpageblock, ()) {
  RunAgainstModel({.zone_per_superpageblock = true, .max_order = 6});
}

RC_GTEST_PROP(Buddy, OneZoneAsInLinux, ()) {
  RunAgainstModel(
      {.zone_per_superpageblock = false, .max_order = 4, .free_pageblocks_are_movable = false});
}

// A folio of several page blocks, of which one was isolated while it was in use.
TEST(Buddy, PageblocksOfOneFolioComeBackApart) {
  RegionFrames frames(OsCalls::Real(), kGeometry, /*phantom=*/true);
  ASSERT_TRUE(frames.Reserve().ok());
  Buddy buddy(&frames, kGeometry, {.max_order = 6});
  buddy.Put(FrameNumber(0), 6);
  const int order = kGeometry.pageblock_order + 1;
  ASSERT_EQ(buddy.Take(kZone, Mobility::kMovable, order), FrameNumber(0));
  frames[FrameNumber(0)].Store(FrameState::Allocated({}, order));
  buddy.SetMobility(PageblockNumber(1), Mobility::kIsolated);
  buddy.Put(FrameNumber(0), order);
  const auto n = static_cast<size_t>(kGeometry.pageblock_order);
  EXPECT_EQ(buddy.area(kZone, Mobility::kIsolated).blocks[n], 1u);
  EXPECT_GE(buddy.area(kZone, Mobility::kMovable).blocks[n], 1u);
  buddy.SetMobility(PageblockNumber(1), Mobility::kMovable);
  buddy.Remerge(PageblockNumber(1));
  EXPECT_EQ(buddy.area(kZone, Mobility::kMovable).blocks[6], 1u);
}

// Two threads have isolated a page block each, neighbours, and each takes its own when it is free.
TEST(Buddy, NeighboursThatAreBothIsolatedStayApart) {
  RegionFrames frames(OsCalls::Real(), kGeometry, /*phantom=*/true);
  ASSERT_TRUE(frames.Reserve().ok());
  Buddy buddy(&frames, kGeometry, {.max_order = 6});
  buddy.Put(FrameNumber(0), 6);
  const int order = kGeometry.pageblock_order;
  for (const PageblockNumber block : kBoth) {
    ASSERT_EQ(buddy.Take(kZone, Mobility::kMovable, order), kGeometry.FirstFrame(block));
    frames[kGeometry.FirstFrame(block)].Store(FrameState::Allocated({}, order));
  }
  for (const PageblockNumber block : kBoth) buddy.SetMobility(block, Mobility::kIsolated);
  for (const PageblockNumber block : kBoth) buddy.Put(kGeometry.FirstFrame(block), order);
  for (const PageblockNumber block : {kBoth[1], kBoth[0]}) {
    buddy.TakeRange(kGeometry.FirstFrame(block), kGeometry.pageblock_frames());
    frames[kGeometry.FirstFrame(block)].Store(FrameState::Allocated({}, order));
  }
  // The same for one folio over both.
  for (const PageblockNumber block : kBoth) buddy.Put(kGeometry.FirstFrame(block), order);
  for (const PageblockNumber block : kBoth) {
    buddy.SetMobility(block, Mobility::kMovable);
    buddy.Remerge(block);
  }
  EXPECT_EQ(buddy.area(kZone, Mobility::kMovable).blocks[6], 1u);
}

// A page block taken apart comes back as what it was, in order of number.
TEST(Buddy, FreshFramesComeInOrder) {
  RegionFrames frames(OsCalls::Real(), kGeometry, /*phantom=*/true);
  ASSERT_TRUE(frames.Reserve().ok());
  Buddy buddy(&frames, kGeometry, {.max_order = 6});
  buddy.Put(FrameNumber(0), 6);
  for (uint32_t i = 0; i < 64; ++i) {
    ASSERT_EQ(buddy.Take(kZone, Mobility::kMovable, 0), FrameNumber(i));
    frames[FrameNumber(i)].Store(FrameState::Allocated({}, 0));
  }
  EXPECT_EQ(buddy.Take(kZone, Mobility::kMovable, 0), kNoFrame);
  for (uint32_t i = 0; i < 64; ++i) buddy.Put(FrameNumber(i * 37 % 64), 0);
  EXPECT_EQ(buddy.area(kZone, Mobility::kMovable).blocks[6], 1u);
}

}  // namespace
}  // namespace ebcache
