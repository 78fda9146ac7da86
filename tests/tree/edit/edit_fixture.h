// Blocks for tests of edits, of every node size, and "refused, and no byte was changed".

#ifndef EBCACHE_TESTS_TREE_EDIT_EDIT_FIXTURE_H_
#define EBCACHE_TESTS_TREE_EDIT_EDIT_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ebcache/on_disk.h"
#include "lib/format/check/tree_block_checker.h"
#include "lib/tree/edit/leaf_edit.h"
#include "lib/tree/edit/mutable_block.h"
#include "tests/format/format_bytes.h"
#include "tests/tree/edit/edit_entries.h"

namespace ebcache::testing {

inline Key K(uint64_t number) { return {256, kStringItemType, number}; }

// The text outlives what is made of it: a literal, or a string of the caller's.
inline absl::Span<const std::byte> DataOf(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// A block with the memory that it is in.
struct OwnBlock {
  explicit OwnBlock(uint32_t node_bytes, uint8_t level = 0)
      : bytes(node_bytes),
        view(*edit::MutableBlock::Init(absl::MakeSpan(bytes), {.fsid = UuidOf(0x11),
                                                               .bytenr = 65536,
                                                               .generation = 7,
                                                               .owner = kCsumTreeId,
                                                               .level = level})) {}
  OwnBlock(const OwnBlock&) = delete;
  OwnBlock& operator=(const OwnBlock&) = delete;

  // Appends items or pointers.
  void Fill(const Entries& entries) {
    for (const Entry& entry : entries) {
      ASSERT_EQ(edit::InsertItem(
                    view, view.item_count(),
                    {entry.key, static_cast<uint32_t>(entry.value.size()), DataOf(entry.value)}),
                edit::Result::kDone);
    }
  }

  std::vector<std::byte> bytes;
  edit::MutableBlock view;
};

// The leaf is these items and nothing else: its bytes behind the checksum are those of a leaf that
// was written at one go, zeroes between heads and data, and the checker lets it pass.
inline void ExpectLeaf(const OwnBlock& leaf, const Entries& entries) {
  std::vector<LeafItem> items;
  for (const Entry& entry : entries) items.push_back({entry.key, entry.value});
  const Bytes expected = LeafBytes(
      {.node_bytes = static_cast<uint32_t>(leaf.bytes.size()), .owner = kCsumTreeId}, items);
  EXPECT_EQ(EntriesOf(leaf.view), entries);
  EXPECT_TRUE(std::equal(leaf.bytes.begin() + kHeaderBytes, leaf.bytes.end(),
                         expected.begin() + kHeaderBytes))
      << "not the bytes of such a leaf";
  EXPECT_EQ(CheckTreeBlockBytes(leaf.bytes, {}), absl::OkStatus());
}

// The edit of these blocks is refused for that reason, and changes no byte of them.
inline void ExpectRefused(edit::Result reason, const std::vector<OwnBlock*>& blocks,
                          const std::function<edit::Result()>& edit) {
  std::vector<std::vector<std::byte>> before;
  for (const OwnBlock* block : blocks) before.push_back(block->bytes);
  EXPECT_EQ(edit(), reason);
  for (size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_TRUE(before[i] == blocks[i]->bytes) << "a refusal changed block " << i;
  }
}

class OfEveryNodeSize : public ::testing::TestWithParam<uint32_t> {
 protected:
  uint32_t node_bytes() const { return GetParam(); }
  uint32_t area() const { return node_bytes() - kHeaderBytes; }
  uint32_t most_item() const { return area() - kItemBytes; }
};

#define EBCACHE_FOR_ALL_NODE_SIZES(suite) \
  INSTANTIATE_TEST_SUITE_P(NodeSizes, suite, ::testing::Values(4096u, 16384u, 65536u))

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_TREE_EDIT_EDIT_FIXTURE_H_
