#include "lib/mm/page_frame.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace ebcache {
namespace {

TEST(PageFrameTest, FreshMemoryIsAnUntouchedFrame) {
  EXPECT_EQ(FrameState::Unpack(0), FrameState{});
  EXPECT_EQ(FrameState{}.Pack(), 0u);
  EXPECT_EQ(PageFrame().Load().use, FrameUse::kUntouched);
}

RC_GTEST_PROP(PageFrameProperty, EveryFieldSurvivesPacking, ()) {
  const FrameState state = {.use = static_cast<FrameUse>(*rc::gen::inRange(0, 4)),
                            .movable = *rc::gen::arbitrary<bool>(),
                            .reclaimable = *rc::gen::arbitrary<bool>(),
                            .purged = *rc::gen::arbitrary<bool>(),
                            .moving = *rc::gen::arbitrary<bool>(),
                            .order = static_cast<uint8_t>(*rc::gen::inRange(0, 19)),
                            .owner = *rc::gen::arbitrary<OwnerId>(),
                            .private_bits = *rc::gen::arbitrary<uint32_t>()};
  RC_ASSERT(FrameState::Unpack(state.Pack()) == state);
}

TEST(PageFrameTest, AllocationTakesOverTheRequest) {
  const FrameState state = FrameState::Allocated(
      {.flags = AllocFlags::kMovable | AllocFlags::kNoWarn, .owner = 7, .private_bits = 0xdeadbeef},
      3);
  EXPECT_EQ(state, (FrameState{.use = FrameUse::kAllocated,
                               .movable = true,
                               .order = 3,
                               .owner = 7,
                               .private_bits = 0xdeadbeef}));
}

TEST(PageFrameTest, PrivateBitsChangeNothingElse) {
  PageFrame frame;
  FrameState state = FrameState::Allocated({.flags = AllocFlags::kReclaimable, .owner = 255}, 9);
  frame.Store(state);
  frame.SetPrivate(42);
  state.private_bits = 42;
  EXPECT_EQ(frame.Load(), state);
}

TEST(PageFrameTest, FreeReturnsWhatWasAndLeavesItListed) {
  PageFrame frame;
  const FrameState state = FrameState::Allocated({.owner = 1, .private_bits = 5}, 2);
  frame.Store(state);
  EXPECT_EQ(frame.Free(2), state);
  EXPECT_EQ(frame.Load(), FrameState{.use = FrameUse::kListed});
}

TEST(PageFrameTest, FreeBlocksKeepTheirLinks) {
  PageFrame frame;
  for (const FreeBlock& block :
       {FreeBlock{}, FreeBlock{.order = 18, .previous = FrameNumber(0), .next = FrameNumber(5)},
        FreeBlock{.order = 3, .previous = FreeBlock::kNone - 1}}) {
    frame.StoreFreeBlock(block);
    EXPECT_EQ(frame.LoadFreeBlock().order, block.order);
    EXPECT_EQ(frame.LoadFreeBlock().previous, block.previous);
    EXPECT_EQ(frame.LoadFreeBlock().next, block.next);
    EXPECT_EQ(frame.Load().use, FrameUse::kFree);
    EXPECT_EQ(frame.Load().order, block.order);
  }
}

TEST(PageFrameTest, OnlyMovableFoliosInUseAreMovedAndOneMoverAtATime) {
  PageFrame frame;
  EXPECT_FALSE(frame.BeginMove());
  frame.Store(FrameState::Allocated({.owner = 1}, 0));
  EXPECT_FALSE(frame.BeginMove());
  const FrameState movable = FrameState::Allocated({.flags = AllocFlags::kMovable, .owner = 1}, 0);
  frame.Store(movable);
  const auto begun = frame.BeginMove();
  ASSERT_TRUE(begun);
  EXPECT_TRUE(begun->moving);
  EXPECT_FALSE(frame.BeginMove());
  frame.SetPrivate(9);
  EXPECT_TRUE(frame.Load().moving);
  EXPECT_TRUE(frame.EndMove());
  EXPECT_FALSE(frame.Load().moving);
  EXPECT_EQ(frame.Load().private_bits, 9u);
}

TEST(PageFrameTest, AFolioFreedWhileItMovesIsTheMovers) {
  PageFrame frame;
  frame.Store(FrameState::Allocated({.flags = AllocFlags::kMovable, .owner = 1}, 0));
  ASSERT_TRUE(frame.BeginMove());
  EXPECT_TRUE(frame.Free(0).moving);
  EXPECT_FALSE(frame.EndMove());
}

}  // namespace
}  // namespace ebcache
