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
                            .order = static_cast<uint8_t>(*rc::gen::inRange(0, 10)),
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

}  // namespace
}  // namespace ebcache
