// Bytes of blocks, in one piece and in several: the same answers, and none beyond the end.

#include "ebcache/block_bytes.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace ebcache {
namespace {

std::vector<std::byte> Numbered(size_t length) {
  std::vector<std::byte> bytes(length);
  for (size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::byte>(i * 7);
  return bytes;
}

// A block that shows its first `piece` bytes where they lie, and copies all others.
struct Pieces {
  std::vector<std::byte> bytes;
  mutable int calls = 0;

  static const std::byte* Beyond(const void* block, size_t offset, size_t length,
                                 std::byte* scratch) {
    const auto& self = *static_cast<const Pieces*>(block);
    ++self.calls;
    if (offset > self.bytes.size() || length > self.bytes.size() - offset) return nullptr;
    if (length != 0) std::memcpy(scratch, self.bytes.data() + offset, length);
    return scratch;
  }
  BlockBytes View(size_t piece) const { return {bytes.data(), piece, bytes.size(), this, &Beyond}; }
};

TEST(BlockBytes, EveryRangeOfABlock) {
  constexpr size_t kLength = 12;
  const Pieces pieces{.bytes = Numbered(kLength)};
  const BlockBytes whole(absl::MakeConstSpan(pieces.bytes));
  EXPECT_EQ(whole.contiguous(), pieces.bytes.data());
  for (const size_t piece : {size_t{0}, size_t{4}, kLength}) {
    const BlockBytes block = piece == kLength ? whole : pieces.View(piece);
    EXPECT_EQ(block.length(), kLength);
    EXPECT_EQ(block.front_bytes(), piece);
    for (size_t offset = 0; offset <= kLength + 2; ++offset) {
      for (size_t length = 0; length <= kLength + 2; ++length) {
        std::array<std::byte, kLength + 2> scratch;
        const std::byte* const at = block.View(offset, length, scratch.data());
        const bool inside = offset + length <= kLength;
        ASSERT_EQ(at != nullptr, inside) << piece << ": " << offset << "+" << length;
        if (inside) {
          ASSERT_EQ(std::memcmp(at, pieces.bytes.data() + offset, length), 0);
        }
        std::vector<std::byte> copied(length, std::byte{0xee});
        ASSERT_EQ(block.Copy(offset, absl::MakeSpan(copied)), inside);
        for (size_t i = 0; i < length; ++i) {
          ASSERT_EQ(copied[i], inside ? pieces.bytes[offset + i] : std::byte{0xee});
        }
      }
    }
    // A length that would wrap.
    std::byte scratch{};
    EXPECT_EQ(block.View(1, ~size_t{0}, &scratch), nullptr);
    EXPECT_EQ(block.View(~size_t{0}, 2, &scratch), nullptr);
  }
}

TEST(BlockBytes, WhatLiesInFrontIsShownThereAndNotAskedFor) {
  const Pieces pieces{.bytes = Numbered(16)};
  const BlockBytes block = pieces.View(8);
  std::array<std::byte, 16> scratch;
  EXPECT_EQ(block.View(0, 8, scratch.data()), pieces.bytes.data());
  EXPECT_EQ(block.View(7, 1, scratch.data()), pieces.bytes.data() + 7);
  EXPECT_EQ(pieces.calls, 0);
  EXPECT_EQ(block.View(7, 2, scratch.data()), scratch.data());
  EXPECT_EQ(pieces.calls, 1);
  EXPECT_EQ(block.contiguous(), nullptr);
}

TEST(BlockBytes, LoadsLittleEndianIntegersOrNothing) {
  const std::vector<std::byte> bytes = {std::byte{0x78}, std::byte{0x56}, std::byte{0x34},
                                        std::byte{0x12}, std::byte{0xff}};
  const BlockBytes block(absl::MakeConstSpan(bytes));
  EXPECT_EQ(block.Load<uint32_t>(0), 0x12345678u);
  EXPECT_EQ(block.Load<uint16_t>(3), 0xff12u);
  EXPECT_EQ(block.Load<uint16_t>(4), std::nullopt);
}

}  // namespace
}  // namespace ebcache
