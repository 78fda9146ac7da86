#include "lib/format/checksum.h"

#include <absl/strings/escaping.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

namespace ebcache {
namespace {

constexpr ChecksumType kAllTypes[] = {ChecksumType::kCrc32c, ChecksumType::kXxhash64,
                                      ChecksumType::kSha256, ChecksumType::kBlake2b};

absl::Span<const std::byte> AsBytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// The bytes in use, in the order in which they are on disk.
std::string HexChecksum(ChecksumType type, const std::string& text) {
  const Checksum checksum = *ComputeChecksum(type, {AsBytes(text)});
  return absl::BytesToHexString(
      {reinterpret_cast<const char*>(checksum.data()), ChecksumBytes(type)});
}

// RFC 3720, B.4; the values are little-endian here.
TEST(Checksum, Crc32cVectors) {
  std::string ascending(32, '\0');
  std::iota(ascending.begin(), ascending.end(), '\0');
  const std::string descending(ascending.rbegin(), ascending.rend());
  EXPECT_EQ(HexChecksum(ChecksumType::kCrc32c, std::string(32, '\0')), "aa36918a");
  EXPECT_EQ(HexChecksum(ChecksumType::kCrc32c, std::string(32, '\xff')), "43aba862");
  EXPECT_EQ(HexChecksum(ChecksumType::kCrc32c, ascending), "4e79dd46");
  EXPECT_EQ(HexChecksum(ChecksumType::kCrc32c, descending), "5cdb3f11");
  EXPECT_EQ(HexChecksum(ChecksumType::kCrc32c, "123456789"), "839206e3");
  EXPECT_EQ(HexChecksum(ChecksumType::kCrc32c, ""), "00000000");
}

// XXH64 with seed 0, as the specification's reference gives it; little-endian.
TEST(Checksum, Xxhash64Vectors) {
  EXPECT_EQ(HexChecksum(ChecksumType::kXxhash64, ""), "99e9d85137db46ef");
  EXPECT_EQ(HexChecksum(ChecksumType::kXxhash64, "abc"), "990977adf52cbc44");
}

// FIPS 180-4.
TEST(Checksum, Sha256Vectors) {
  EXPECT_EQ(HexChecksum(ChecksumType::kSha256, ""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HexChecksum(ChecksumType::kSha256, "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// RFC 7693's function with a digest of 32 bytes.
TEST(Checksum, Blake2bVectors) {
  EXPECT_EQ(HexChecksum(ChecksumType::kBlake2b, ""),
            "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  EXPECT_EQ(HexChecksum(ChecksumType::kBlake2b, "abc"),
            "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

TEST(Checksum, UnusedBytesAreZero) {
  for (ChecksumType type : kAllTypes) {
    const Checksum checksum = *ComputeChecksum(type, {AsBytes("x")});
    EXPECT_TRUE(std::all_of(checksum.begin() + ChecksumBytes(type), checksum.end(),
                            [](std::byte byte) { return byte == std::byte{0}; }))
        << ChecksumName(type);
  }
}

RC_GTEST_PROP(ChecksumProperty, PiecesMakeNoDifference, (std::string text)) {
  std::vector<absl::Span<const std::byte>> pieces;
  for (absl::Span<const std::byte> rest = AsBytes(text); !rest.empty();) {
    const auto length = *rc::gen::inRange<size_t>(1, rest.size() + 1);
    pieces.push_back(rest.subspan(0, length));
    pieces.push_back(rest.subspan(0, 0));
    rest.remove_prefix(length);
  }
  for (ChecksumType type : kAllTypes) {
    RC_ASSERT(*ComputeChecksum(type, pieces) == *ComputeChecksum(type, {AsBytes(text)}));
  }
}

TEST(Checksum, BlockChecksumLeavesOutTheAreaInFront) {
  const std::string body = "what is protected";
  const std::string block = std::string(kChecksumAreaBytes, 'c') + body;
  for (ChecksumType type : kAllTypes) {
    const Checksum expected = *ComputeChecksum(type, {AsBytes(body)});
    EXPECT_EQ(*ComputeBlockChecksum(type, {AsBytes(block)}), expected);
    // The area may end inside of any piece.
    for (size_t cut = 0; cut <= block.size(); ++cut) {
      absl::Span<const std::byte> bytes = AsBytes(block);
      EXPECT_EQ(*ComputeBlockChecksum(type, {bytes.subspan(0, cut), bytes.subspan(cut)}), expected);
    }
  }
}

TEST(Checksum, ShorterThanTheAreaIsEmpty) {
  EXPECT_EQ(*ComputeBlockChecksum(ChecksumType::kSha256, {AsBytes("short")}),
            *ComputeChecksum(ChecksumType::kSha256, {}));
}

TEST(Checksum, ComparesOnlyTheBytesInUse) {
  Checksum stored{};
  Checksum computed{};
  stored[4] = std::byte{1};
  EXPECT_TRUE(CompareChecksums(ChecksumType::kCrc32c, stored, computed).ok());
  EXPECT_FALSE(CompareChecksums(ChecksumType::kXxhash64, stored, computed).ok());
  stored[3] = std::byte{0xab};
  EXPECT_EQ(CompareChecksums(ChecksumType::kCrc32c, stored, computed).message(),
            "checksum mismatch (crc32c): wanted 0x000000ab, found 0x00000000");
}

TEST(Checksum, TypesOnDisk) {
  EXPECT_EQ(ChecksumTypeFromDisk(0), ChecksumType::kCrc32c);
  EXPECT_EQ(ChecksumTypeFromDisk(3), ChecksumType::kBlake2b);
  EXPECT_EQ(ChecksumTypeFromDisk(4), std::nullopt);
  EXPECT_EQ(ChecksumTypeFromDisk(0xffff), std::nullopt);
}

}  // namespace
}  // namespace ebcache
