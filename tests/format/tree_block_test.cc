// The views of tree blocks, on blocks of either layout.

#include <gtest/gtest.h>

#include <string>

#include "ebcache/on_disk.h"
#include "tests/format/buffer_pool.h"
#include "tests/format/format_bytes.h"

namespace ebcache::testing {
namespace {

class TreeBlockTest : public ::testing::TestWithParam<Layout> {
 protected:
  BufferPool pool_{16384, GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Layouts, TreeBlockTest,
                         ::testing::Values(Layout::kContiguous, Layout::kPages),
                         [](const auto& info) {
                           return info.param == Layout::kContiguous ? "Contiguous" : "Pages";
                         });

TEST_P(TreeBlockTest, HeaderFields) {
  const ExtentBufferRef buffer =
      pool_.Make(65536, NodeBytes({.fsid = UuidOf(0x77),
                                   .bytenr = 65536,
                                   .generation = 1234,
                                   .owner = kTreeLogId,
                                   .level = 3},
                                  {{{1, 2, 3}, 4096, 5}, {{1, 2, 4}, 8192, 6}}));
  const Header header(*buffer);
  EXPECT_EQ(header.fsid(), UuidOf(0x77));
  EXPECT_EQ(header.bytenr(), 65536);
  EXPECT_EQ(header.flags(), uint64_t{1} << 56 | 1);
  EXPECT_EQ(header.generation(), 1234);
  EXPECT_EQ(header.owner(), kTreeLogId);
  EXPECT_EQ(header.item_count(), 2);
  EXPECT_EQ(header.level(), 3);
}

// Enough slots for some to straddle the pages of 4 KiB.
TEST_P(TreeBlockTest, EverySlotOfANode) {
  std::vector<KeyPointer> pointers;
  for (uint64_t i = 0; i < 400; ++i) {
    pointers.push_back({{0x1122334455667788 + i, static_cast<uint8_t>(i), ~i}, 4096 * i, i << 40});
  }
  const ExtentBufferRef node = pool_.Make(0, NodeBytes({.level = 1}, pointers));
  for (uint32_t slot = 0; slot < 400; ++slot) {
    EXPECT_EQ(NodeKey(*node, slot), pointers[slot].key);
    EXPECT_EQ(LoadKeyPointer(*node, slot).key, pointers[slot].key);
    EXPECT_EQ(LoadKeyPointer(*node, slot).bytenr, pointers[slot].bytenr);
    EXPECT_EQ(LoadKeyPointer(*node, slot).generation, pointers[slot].generation);
  }
}

TEST_P(TreeBlockTest, EverySlotOfALeaf) {
  std::vector<LeafItem> items;
  for (uint64_t i = 0; i < 400; ++i) {
    items.push_back(
        {{i, kStringItemType, ~i}, std::string(i % 20, static_cast<char>('a' + i % 26))});
  }
  const ExtentBufferRef leaf = pool_.Make(0, LeafBytes({}, items));
  for (uint32_t slot = 0; slot < 400; ++slot) {
    EXPECT_EQ(LeafKey(*leaf, slot), items[slot].key);
    const ItemHead head = LoadItemHead(*leaf, slot);
    EXPECT_EQ(head.key, items[slot].key);
    std::string data(head.size, '?');
    ASSERT_TRUE(
        leaf->Read(head.offset, {reinterpret_cast<std::byte*>(data.data()), data.size()}).ok());
    EXPECT_EQ(data, items[slot].data);
  }
}

TEST_P(TreeBlockTest, KeysThatLeaveTheBlockReadAsZero) {
  const ExtentBufferRef buffer = pool_.Make(0, Bytes(16384, std::byte{0xff}));
  EXPECT_EQ(LoadKey(*buffer, 16384 - kKeyBytes), kMaxKey);
  EXPECT_EQ(LoadKey(*buffer, 16384 - 9), (Key{~uint64_t{0}, 0xff, 0}));
  EXPECT_EQ(LoadKey(*buffer, 16384), kMinKey);
  EXPECT_EQ(LoadKey(*buffer, ~size_t{0} - 16), kMinKey);
  EXPECT_EQ(LeafKey(*buffer, 0xffffffff), kMinKey);
  EXPECT_EQ(LoadKeyPointer(*buffer, 0xffffffff).bytenr, 0);
}

}  // namespace
}  // namespace ebcache::testing
