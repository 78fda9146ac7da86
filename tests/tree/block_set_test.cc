#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "ebcache/btree.h"

namespace ebcache {
namespace {

TEST(BlockSet, KnowsWhatWasInserted) {
  BlockSet set(16384);
  EXPECT_FALSE(set.Contains(16384));
  EXPECT_TRUE(set.Insert(16384));
  EXPECT_FALSE(set.Insert(16384));
  EXPECT_TRUE(set.Contains(16384));
  EXPECT_FALSE(set.Contains(0));
  EXPECT_FALSE(set.Contains(32768));
  EXPECT_EQ(set.size(), 1);
}

TEST(BlockSet, TellsBlocksApartThatAreNotAligned) {
  BlockSet set(16384);
  EXPECT_TRUE(set.Insert(16384));
  EXPECT_TRUE(set.Insert(16384 + 4096));
  EXPECT_FALSE(set.Insert(16384 + 4096));
  EXPECT_TRUE(set.Contains(16384 + 4096));
  EXPECT_FALSE(set.Contains(16384 + 8192));
  EXPECT_EQ(set.size(), 2);
}

TEST(BlockSet, HoldsTheEndsOfTheAddressSpace) {
  BlockSet set(4096);
  const uint64_t last = ~uint64_t{0} - 4095;
  EXPECT_TRUE(set.Insert(0));
  EXPECT_TRUE(set.Insert(last));
  EXPECT_TRUE(set.Contains(0));
  EXPECT_TRUE(set.Contains(last));
  EXPECT_FALSE(set.Contains(last - 4096));
}

TEST(BlockSetDeathTest, WantsAPowerOfTwo) { EXPECT_DEATH(BlockSet(12288), "power of two"); }

RC_GTEST_PROP(BlockSet, IsASet, ()) {
  const uint32_t node_bytes = *rc::gen::element<uint32_t>(4096, 16384, 65536);
  // Dense runs, so that blocks meet in the words and pages of bits, also where these end.
  const auto address =
      rc::gen::apply([](uint64_t base, uint64_t block) { return base + block * 4096; },
                     rc::gen::element<uint64_t>(0, uint64_t{4090} * 4096, uint64_t{4095} * 16384,
                                                uint64_t{1} << 60),
                     rc::gen::inRange<uint64_t>(0, 40));
  const std::vector<uint64_t> addresses = *rc::gen::container<std::vector<uint64_t>>(address);
  BlockSet set(node_bytes);
  std::set<uint64_t> model;
  for (uint64_t bytenr : addresses) {
    RC_ASSERT(set.Contains(bytenr) == model.contains(bytenr));
    RC_ASSERT(set.Insert(bytenr) == model.insert(bytenr).second);
    RC_ASSERT(set.size() == model.size());
  }
  for (uint64_t bytenr : addresses) {
    for (uint64_t neighbour : {bytenr - 4096, bytenr, bytenr + 4096}) {
      RC_ASSERT(set.Contains(neighbour) == model.contains(neighbour));
    }
  }
}

}  // namespace
}  // namespace ebcache
