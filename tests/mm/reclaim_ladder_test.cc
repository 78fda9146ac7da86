// The rungs of the ladder, and the order in which an allocation climbs them.

#include "lib/mm/reclaim_ladder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/mm/allocator_cases.h"

namespace ebcache {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const absl::Status kNone = absl::ResourceExhaustedError("none");

// An allocator without one: what it is asked for, in order.
class ReclaimLadderTest : public testing::Test {
 protected:
  absl::Status Climb(const FolioRequest& request, bool possible = true) {
    return ladder_.Climb(request, kNone,
                         {.possible = possible,
                          .release =
                              [this](OwnerId spared) {
                                steps_.push_back("release, not " + std::to_string(spared));
                                return releases_ > 0 && releases_-- > 0;
                              },
                          .attempt =
                              [this](bool use_reserve) {
                                steps_.push_back(use_reserve ? "reserve" : "try");
                                if (use_reserve) return reserve_;
                                return fails_ > 0 && fails_-- > 0 ? kNone : absl::OkStatus();
                              }});
  }
  AllocatorStats stats() const {
    AllocatorStats stats;
    ladder_.AddStats(stats);
    return stats;
  }

  OwnerTable owners_;
  TestOwner one_{true}, other_{true};
  const OwnerId id_ = owners_.Register(&one_);
  ReclaimLadder ladder_{&owners_, /*no_fail_wait_ms=*/0};
  int releases_ = 0;  // that will go well
  int fails_ = 0;     // of attempts to come
  absl::Status reserve_ = kNone;
  std::vector<std::string> steps_;
};

TEST_F(ReclaimLadderTest, WhatIsNoWantOfMemoryIsNotClimbedFor) {
  const absl::Status wrong = absl::InvalidArgumentError("wrong");
  const auto never = [](auto) -> bool { return ADD_FAILURE(), false; };
  const auto no_attempt = [](bool) { return ADD_FAILURE(), absl::OkStatus(); };
  const FolioRequest no_fail{.flags = AllocFlags::kNoFail};
  for (const absl::Status& status : {absl::OkStatus(), wrong}) {
    EXPECT_EQ(ladder_.Climb(no_fail, status, {.release = never, .attempt = no_attempt}), status);
  }
}

TEST_F(ReclaimLadderTest, OnlyOthersAreAskedForARequestThatMayFail) {
  EXPECT_EQ(Climb({.owner = id_}), kNone);
  EXPECT_THAT(steps_, IsEmpty()) << "there is no other";
  owners_.Register(&other_);
  releases_ = fails_ = 1;
  EXPECT_TRUE(Climb({.owner = id_}).ok());
  EXPECT_THAT(steps_, ElementsAre("release, not 1", "try", "release, not 1", "try"));
  EXPECT_EQ(stats().reclaims_from_others, 1u);
}

// What is on its way between lists is nowhere: once in vain is no proof, twice is.
TEST_F(ReclaimLadderTest, TwiceInVainIsTheEnd) {
  owners_.Register(&other_);
  fails_ = 100;
  EXPECT_EQ(Climb({.owner = id_}), kNone);
  EXPECT_EQ(steps_.size(), 4u);
}

TEST_F(ReclaimLadderTest, NoOwnerIsAskedInVain) {
  owners_.Register(&other_);
  EXPECT_EQ(Climb({.flags = AllocFlags::kNoReclaim, .owner = id_}), kNone);
  EXPECT_EQ(Climb({.owner = id_}, /*possible=*/false), kNone);
  EXPECT_THAT(steps_, IsEmpty());
}

TEST_F(ReclaimLadderTest, NoFailAsksAllThenWaitsThenSpendsTheReserve) {
  releases_ = 1;
  fails_ = 2;
  reserve_ = absl::OkStatus();
  EXPECT_TRUE(Climb({.flags = AllocFlags::kNoFail, .owner = id_}).ok());
  EXPECT_THAT(steps_, ElementsAre("try", "release, not 0", "try", "release, not 0", "reserve"));
  const AllocatorStats counted = stats();
  EXPECT_EQ(counted.no_fail_reclaims, 1u);
  EXPECT_EQ(counted.no_fail_waits, 1u);
  EXPECT_EQ(counted.no_fail_reserves, 1u);
  EXPECT_EQ(counted.no_fail_failures, 0u);
  EXPECT_EQ(counted.reclaims_from_others, 0u);
}

TEST_F(ReclaimLadderTest, NoFailFailsWhenTheReserveIsSpent) {
  fails_ = 100;
  const absl::Status status = Climb({.flags = AllocFlags::kNoFail | AllocFlags::kNoReclaim});
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("the reserve is spent; none"));
  EXPECT_THAT(steps_, ElementsAre("try", "reserve"));
  EXPECT_EQ(stats().no_fail_failures, 1u);
}

// What another thread frees during an attempt ends the wait that follows it.
TEST_F(ReclaimLadderTest, WhatIsFreedMeanwhileIsTriedFor) {
  int attempts = 0;
  const absl::Status status =
      ladder_.Climb({.flags = AllocFlags::kNoFail}, kNone,
                    {.possible = false,
                     .release = [](OwnerId) { return ADD_FAILURE(), false; },
                     .attempt =
                         [&](bool use_reserve) {
                           EXPECT_FALSE(use_reserve);
                           EXPECT_TRUE(ladder_.anyone_waits());
                           if (++attempts == 3) return absl::OkStatus();
                           ladder_.NotifyFreed();
                           return kNone;
                         }});
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(attempts, 3);
  EXPECT_FALSE(ladder_.anyone_waits());
}

// And no other wait: what was freed before an attempt was there for it.
TEST_F(ReclaimLadderTest, WhatWasFreedEndsOneWait) {
  const absl::Status status =
      ladder_.Climb({.flags = AllocFlags::kNoFail}, kNone,
                    {.possible = false,
                     .release = [](OwnerId) { return ADD_FAILURE(), false; },
                     .attempt =
                         [&](bool use_reserve) {
                           if (steps_.empty()) ladder_.NotifyFreed();
                           steps_.push_back(use_reserve ? "reserve" : "try");
                           return kNone;
                         }});
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(steps_, ElementsAre("try", "try", "reserve"));
}

TEST_F(ReclaimLadderTest, LargeFoliosCannotBePromised) {
  const FolioRequest no_fail{.flags = AllocFlags::kNoFail};
  EXPECT_TRUE(ladder_.CheckOrder(no_fail, 1).ok());
  EXPECT_TRUE(ladder_.CheckOrder({}, 2).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(ladder_.CheckOrder(no_fail, 2)));
  EXPECT_EQ(stats().no_fail_refused, 1u);
}

}  // namespace
}  // namespace ebcache
