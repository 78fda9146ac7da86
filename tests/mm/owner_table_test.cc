#include "lib/mm/owner_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/mm/allocator_cases.h"

namespace ebcache {
namespace {

using ::testing::HasSubstr;

TEST(OwnerTableTest, NumbersAreUsedAgain) {
  OwnerTable table;
  TestOwner a(true), b(true);
  const OwnerId first = table.Register(&a);
  const OwnerId second = table.Register(&b);
  EXPECT_NE(first, kNoOwner);
  EXPECT_NE(first, second);
  EXPECT_EQ(table.Find(first), &a);
  EXPECT_EQ(table.Find(second), &b);
  table.Unregister(first);
  EXPECT_EQ(table.Register(&b), first);
  EXPECT_EQ(table.Find(kNoOwner), nullptr);
}

TEST(OwnerTableTest, MovableNeedsAnOwnerWhoCanMove) {
  OwnerTable table;
  TestOwner mover(true), squatter(false);
  const OwnerId can = table.Register(&mover);
  const OwnerId cannot = table.Register(&squatter);
  EXPECT_TRUE(table.CheckContract({.flags = AllocFlags::kMovable, .owner = can}).ok());
  EXPECT_TRUE(table.CheckContract({.owner = cannot}).ok());
  EXPECT_TRUE(table.CheckContract({.flags = AllocFlags::kReclaimable}).ok());
  EXPECT_EQ(table.breaches(), 0u);

  const absl::Status by_squatter =
      table.CheckContract({.flags = AllocFlags::kMovable | AllocFlags::kNoFail, .owner = cannot});
  EXPECT_TRUE(absl::IsInvalidArgument(by_squatter));
  EXPECT_THAT(std::string(by_squatter.message()), HasSubstr("\"squatter\""));
  EXPECT_TRUE(absl::IsInvalidArgument(table.CheckContract({.flags = AllocFlags::kMovable})));
  EXPECT_EQ(table.breaches(), 2u);
}

TEST(OwnerTableTest, HoldsTwoHundredFiftyFive) {
  OwnerTable table;
  std::vector<TestOwner> owners(256, TestOwner(true));
  for (int i = 0; i < 255; ++i) EXPECT_EQ(table.Register(&owners[i]), i + 1);
  EXPECT_EQ(table.Register(&owners[255]), kNoOwner);
  table.Unregister(100);
  EXPECT_EQ(table.Register(&owners[255]), 100);
}

TEST(OwnerTableTest, NobodyIsNotAnOwner) {
  OwnerTable table;
  EXPECT_DEATH(table.Register(nullptr), "registering a null folio owner");
  EXPECT_DEATH(table.Unregister(kNoOwner), "unregistering nobody");
  EXPECT_DEATH(table.Find(3), "was never registered, or is gone");
}

}  // namespace
}  // namespace ebcache
