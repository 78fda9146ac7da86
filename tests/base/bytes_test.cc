#include "lib/base/bytes.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <vector>

namespace ebcache {
namespace {

constexpr std::array<std::byte, 9> kBytes = {
    std::byte{0x01}, std::byte{0x23}, std::byte{0x45}, std::byte{0x67}, std::byte{0x89},
    std::byte{0xab}, std::byte{0xcd}, std::byte{0xef}, std::byte{0x80}};

// While compiling and when run, from an even address and from an odd one.
static_assert(LoadLe8(kBytes, 8) == 0x80);
static_assert(LoadLe16(kBytes, 0) == 0x2301);
static_assert(LoadLe16(kBytes, 7) == 0x80ef);
static_assert(LoadLe32(kBytes, 1) == 0x89674523);
static_assert(LoadLe64(kBytes, 0) == 0xefcdab8967452301);
static_assert(LoadLe64(kBytes, 1) == 0x80efcdab89674523);

TEST(Bytes, LowestByteFirst) {
  const std::vector<std::byte> bytes(kBytes.begin(), kBytes.end());
  EXPECT_EQ(LoadLe8(bytes, 8), 0x80);
  EXPECT_EQ(LoadLe16(bytes, 7), 0x80ef);
  EXPECT_EQ(LoadLe32(bytes, 1), 0x89674523);
  EXPECT_EQ(LoadLe64(bytes, 1), 0x80efcdab89674523);
}

constexpr std::array<std::byte, 9> Stored() {
  std::array<std::byte, 9> bytes{};
  StoreLe64(absl::MakeSpan(bytes), 0, 0xefcdab8967452301);
  StoreLe8(absl::MakeSpan(bytes), 8, 0x80);
  return bytes;
}
static_assert(Stored() == kBytes);

TEST(Bytes, StoresTouchNothingElse) {
  std::vector<std::byte> bytes(10, std::byte{0xee});
  StoreLe16(absl::MakeSpan(bytes), 1, 0x0102);
  StoreLe32(absl::MakeSpan(bytes), 4, 0x03040506);
  const std::vector<int> expected = {0xee, 2, 1, 0xee, 6, 5, 4, 3, 0xee, 0xee};
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(std::to_integer<int>(bytes[i]), expected[i]) << i;
  }
}

// The half that no test on this host would otherwise run.
TEST(Bytes, HostsOfEitherOrder) {
  EXPECT_EQ(LittleEndianOf<std::endian::big>(uint8_t{0x12}), 0x12);
  EXPECT_EQ(LittleEndianOf<std::endian::big>(uint16_t{0x1234}), 0x3412);
  EXPECT_EQ(LittleEndianOf<std::endian::big>(uint32_t{0x12345678}), 0x78563412);
  EXPECT_EQ(LittleEndianOf<std::endian::big>(uint64_t{0x0123456789abcdef}), 0xefcdab8967452301);
  EXPECT_EQ(LittleEndianOf<std::endian::little>(uint32_t{0x12345678}), 0x12345678);
}

template <typename T>
void ExpectRoundTrip(T value, size_t offset) {
  std::vector<std::byte> bytes(24);
  StoreLe<T>(value, bytes.data() + offset);
  RC_ASSERT(LoadLe<T>(bytes.data() + offset) == value);
  // One byte after the other, which is what the order means.
  for (size_t i = 0; i < sizeof(T); ++i) {
    RC_ASSERT(std::to_integer<uint64_t>(bytes[offset + i]) == (uint64_t{value} >> (8 * i) & 0xff));
  }
}

RC_GTEST_PROP(BytesProperty, RoundTrip, (uint64_t value)) {
  const size_t offset = *rc::gen::inRange<size_t>(0, 16);
  ExpectRoundTrip<uint8_t>(static_cast<uint8_t>(value), offset);
  ExpectRoundTrip<uint16_t>(static_cast<uint16_t>(value), offset);
  ExpectRoundTrip<uint32_t>(static_cast<uint32_t>(value), offset);
  ExpectRoundTrip<uint64_t>(value, offset);
}

}  // namespace
}  // namespace ebcache
