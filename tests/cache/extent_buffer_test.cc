// The bytes of a block: contiguous or a page array, the same operations give the same bytes and the
// same errors as on a flat array.

#include "ebcache/extent_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "tests/mm/allocator_cases.h"

namespace ebcache {
namespace {

// Every allocator, with pages that are neighbours and with pages of which no two are.
struct Shape {
  AllocatorCase allocator;
  uint32_t node_bytes;
  bool scattered;

  bool contiguous() const {
    return !scattered || node_bytes <= allocator.page_bytes ||
           std::string_view(allocator.name) == "vmap";
  }
};

std::vector<Shape> Shapes() {
  std::vector<Shape> shapes;
  for (const AllocatorCase& allocator : AllAllocatorCases()) {
    for (uint32_t node = 4096; node <= 65536; node *= 2) {
      shapes.push_back({allocator, node, false});
      if (allocator.pages != 0) shapes.push_back({allocator, node, true});
    }
  }
  return shapes;
}

class BytesTest : public testing::TestWithParam<Shape> {
 protected:
  BytesTest() {
    const Shape& shape = GetParam();
    auto allocator = shape.allocator.Make();
    if (shape.scattered) scattered_ = std::make_unique<ScatteredPages>(allocator);
    cache_ = std::make_unique<BufferCache>(
        BufferCacheOptions{.node_bytes = shape.node_bytes, .allocator = allocator});
    buffer_ = *cache_->CreateDummy(1 << 20);
    oracle_.resize(shape.node_bytes);
  }

  size_t size() const { return oracle_.size(); }

  void ExpectSame(const char* after) {
    std::vector<std::byte> bytes(size());
    ASSERT_TRUE(buffer_->Read(0, absl::MakeSpan(bytes)).ok());
    ASSERT_TRUE(bytes == oracle_) << "after " << after;
  }

  void Fill(std::mt19937_64& random) {
    for (std::byte& byte : oracle_) byte = static_cast<std::byte>(random());
    ASSERT_TRUE(buffer_->Write(0, oracle_).ok());
  }

  // One operation each, on the buffer and on the oracle.
  void Overwrite(std::mt19937_64& random, size_t at, size_t length) {
    std::vector<std::byte> data(length);
    for (std::byte& byte : data) byte = static_cast<std::byte>(random());
    ASSERT_TRUE(buffer_->Write(at, data).ok());
    std::copy(data.begin(), data.end(), oracle_.begin() + at);
  }
  void ComparesAsTheOracle(std::mt19937_64& random, size_t at, size_t length) {
    std::vector<std::byte> data(oracle_.begin() + at, oracle_.begin() + at + length);
    ASSERT_EQ(*buffer_->Compare(at, data), 0);
    if (length == 0) return;
    data[random() % length] ^= std::byte{1};
    ASSERT_EQ(*buffer_->Compare(at, data) < 0,
              std::memcmp(oracle_.data() + at, data.data(), length) < 0);
    ASSERT_NE(*buffer_->Compare(at, data), 0);
  }
  void ChangeBits(std::mt19937_64& random, size_t at) {
    const size_t bits = (size() - at) * 8;
    if (bits == 0) return;
    const size_t first = random() % bits;
    const size_t count = random() % (bits - first + 1);
    const bool set = random() % 2 == 0;
    ASSERT_TRUE(
        (set ? buffer_->SetBits(at, first, count) : buffer_->ClearBits(at, first, count)).ok());
    for (size_t bit = first; bit < first + count; ++bit) {
      const std::byte mask{static_cast<uint8_t>(1u << bit % 8)};
      std::byte& byte = oracle_[at + bit / 8];
      byte = set ? byte | mask : byte & ~mask;
    }
    ASSERT_EQ(*buffer_->TestBit(at, first),
              (oracle_[at + first / 8] >> first % 8 & std::byte{1}) != std::byte{0});
  }
  void CopiesToAnother(size_t from, size_t to, size_t length) {
    ExtentBufferRef other = *cache_->Clone(*buffer_);
    ASSERT_TRUE(other->CopyFrom(*buffer_, from, to, length).ok());
    std::vector<std::byte> data(length);
    ASSERT_TRUE(other->Read(to, absl::MakeSpan(data)).ok());
    ASSERT_TRUE(std::equal(data.begin(), data.end(), oracle_.begin() + from));
  }

  std::unique_ptr<ScatteredPages> scattered_;
  std::unique_ptr<BufferCache> cache_;
  ExtentBufferRef buffer_;
  std::vector<std::byte> oracle_;
};

TEST_P(BytesTest, IsContiguousOnlyWhereItShouldBe) {
  const Shape& shape = GetParam();
  EXPECT_EQ(buffer_->contiguous() != nullptr, shape.contiguous());
  size_t total = 0;
  for (const auto& segment : buffer_->segments()) total += segment.size();
  EXPECT_EQ(total, size());
  EXPECT_EQ(buffer_->segments().size(),
            shape.contiguous() ? 1u : shape.node_bytes / shape.allocator.page_bytes);
}

TEST_P(BytesTest, RandomOperationsMatchAFlatArray) {
  std::mt19937_64 random(20240229);
  Fill(random);
  // Ranges end at page boundaries and just beside them more often than chance would have it.
  const auto offset = [&]() -> size_t {
    if (random() % 2 == 0) return random() % (size() + 1);
    const size_t page = random() % (size() / 4096 + 1) * 4096;
    const size_t off = random() % 17;
    return std::min(size(), page + off < 8 ? 0 : page + off - 8);
  };
  for (int i = 0; i < 1000; ++i) {
    const size_t a = offset();
    const size_t b = offset();
    const size_t length = random() % (size() - std::max(a, b) + 1);
    switch (random() % 6) {
      case 0:
        Overwrite(random, a, length);
        break;
      case 1:
        ASSERT_TRUE(buffer_->Move(a, b, length).ok());
        std::memmove(oracle_.data() + a, oracle_.data() + b, length);
        break;
      case 2:
        ASSERT_TRUE(buffer_->Zero(a, length).ok());
        std::memset(oracle_.data() + a, 0, length);
        break;
      case 3:
        ComparesAsTheOracle(random, a, length);
        break;
      case 4:
        ChangeBits(random, a);
        break;
      case 5:
        CopiesToAnother(a, b, length);
        break;
    }
    if (HasFatalFailure()) return;
    if (i % 50 == 0) {
      ASSERT_NO_FATAL_FAILURE(ExpectSame("some operations"));
    }
  }
  ExpectSame("all operations");
}

TEST_P(BytesTest, IntegersReadTheSameAcrossPages) {
  std::mt19937_64 random(7);
  Fill(random);
  for (size_t page = 4096; page <= size(); page += 4096) {
    for (size_t at = page - 9; at <= page && at + 8 <= size(); ++at) {
      uint64_t wide;
      std::memcpy(&wide, oracle_.data() + at, 8);
      ASSERT_EQ(*buffer_->Get<uint64_t>(at), wide);
      ASSERT_EQ(*buffer_->Get<uint32_t>(at), static_cast<uint32_t>(wide));
      ASSERT_EQ(*buffer_->Get<uint16_t>(at), static_cast<uint16_t>(wide));
      ASSERT_EQ(*buffer_->Get<uint8_t>(at), static_cast<uint8_t>(wide));
      std::byte scratch[17];
      if (at + 17 <= size()) {
        ASSERT_EQ(std::memcmp(buffer_->View(at, 17, scratch), oracle_.data() + at, 17), 0);
      }
      ASSERT_TRUE(buffer_->Set<uint64_t>(at, ~wide).ok());
      ASSERT_EQ(*buffer_->Get<uint64_t>(at), ~wide);
      ASSERT_TRUE(buffer_->Set<uint64_t>(at, wide).ok());
    }
  }
  ExpectSame("setting and setting back");
}

TEST_P(BytesTest, LittleEndian) {
  ASSERT_TRUE(buffer_->Set<uint32_t>(0, 0x04030201u).ok());
  EXPECT_EQ(*buffer_->Get<uint8_t>(0), 1);
  EXPECT_EQ(*buffer_->Get<uint16_t>(2), 0x0403);
}

TEST_P(BytesTest, OutOfBoundsIsAnErrorThatTouchesNothing) {
  std::mt19937_64 random(3);
  Fill(random);
  const size_t huge = ~size_t{0};
  std::vector<std::byte> data(16);
  const auto out = absl::StatusCode::kOutOfRange;
  for (const size_t at : {size() - 15, size(), size() + 1, huge, huge - 7}) {
    EXPECT_EQ(buffer_->Read(at, absl::MakeSpan(data)).code(), out) << at;
    EXPECT_EQ(buffer_->Write(at, data).code(), out);
    EXPECT_EQ(buffer_->Compare(at, data).status().code(), out);
    EXPECT_EQ(buffer_->Zero(at, 16).code(), out);
    EXPECT_EQ(buffer_->Move(at, 0, 16).code(), out);
    EXPECT_EQ(buffer_->Move(0, at, 16).code(), out);
    EXPECT_EQ(buffer_->SetBits(at, 0, 16 * 8).code(), out);
    EXPECT_EQ(buffer_->ClearBits(0, at < huge / 8 ? at * 8 : at, 16 * 8).code(), out);
    EXPECT_EQ(buffer_->Load<uint64_t>(std::max(at, size() - 7)), std::nullopt);
    EXPECT_EQ(buffer_->View(at, 16, data.data()), nullptr);
  }
  EXPECT_EQ(buffer_->Zero(1, huge).code(), out);
  EXPECT_EQ(buffer_->SetBits(0, huge, huge).code(), out);
  EXPECT_EQ(buffer_->SetBits(0, 8, huge - 8).code(), out);
  EXPECT_EQ(buffer_->TestBit(0, huge).status().code(), out);
  EXPECT_EQ(buffer_->TestBit(huge, 0).status().code(), out);
  EXPECT_EQ(buffer_->TestBit(0, size() * 8).status().code(), out);
  EXPECT_TRUE(buffer_->TestBit(0, size() * 8 - 1).ok());
  EXPECT_EQ(buffer_->Get<uint64_t>(size() - 7).status().message(),
            "block 1048576: read of 8 bytes at offset " + std::to_string(size() - 7) +
                " leaves its " + std::to_string(size()) + " bytes");
  const auto words = [&](const char* what, size_t at, size_t bytes) {
    return "block 1048576: " + std::string(what) + " of " + std::to_string(bytes) +
           " bytes at offset " + std::to_string(at) + " leaves its " + std::to_string(size()) +
           " bytes";
  };
  EXPECT_EQ(buffer_->Compare(size() - 15, data).status().message(),
            words("compare", size() - 15, 16));
  EXPECT_EQ(buffer_->Write(size() - 15, data).message(), words("write", size() - 15, 16));
  EXPECT_EQ(buffer_->Zero(size() - 3, 9).message(), words("zero", size() - 3, 9));
  ExpectSame("refused operations");
}

// Any two numbers, near every edge and near 2^64: allowed is what ends in the block when it is
// added up in 128 bits.
TEST_P(BytesTest, RangesAreAddedUpWithoutOverflow) {
  __extension__ using uint128 = unsigned __int128;
  std::mt19937_64 random(4);
  Fill(random);
  std::vector<uint64_t> numbers;
  for (const uint64_t edge :
       {uint64_t{0}, uint64_t{size()}, 8 * uint64_t{size()}, uint64_t{1} << 31, uint64_t{1} << 32,
        uint64_t{1} << 61, uint64_t{1} << 63, ~uint64_t{0} - size(), ~uint64_t{0} / 8}) {
    for (uint64_t n = 0; n < 5; ++n) numbers.push_back(edge + n - 2);
  }
  for (const uint64_t a : numbers) {
    for (const uint64_t b : numbers) {
      const bool bytes_fit = uint128{a} + b <= size();
      ASSERT_EQ(buffer_->Zero(a, b).ok(), bytes_fit) << a << " + " << b;
      ASSERT_EQ(buffer_->Move(a, 0, b).ok(), bytes_fit) << a << " + " << b;
      ASSERT_EQ(buffer_->Move(0, a, b).ok(), bytes_fit) << a << " + " << b;
      const bool bit_fits = uint128{a} + b / 8 < size();
      ASSERT_EQ(buffer_->TestBit(a, b).ok(), bit_fits) << a << ", bit " << b;
      const uint128 last = uint128{a} + (uint128{b} + 16) / 8;  // of 17 bits from bit b
      ASSERT_EQ(buffer_->SetBits(a, b, 17).ok(), last < size()) << a << ", bits from " << b;
      ASSERT_EQ(buffer_->ClearBits(a, b, 17).ok(), last < size()) << a << ", bits from " << b;
      const bool bits_fit = b == 0 ? a <= size() : uint128{a} + (uint128{b} + 7) / 8 <= size();
      ASSERT_EQ(buffer_->SetBits(a, 0, b).ok(), bits_fit) << a << ", " << b << " bits";
      ASSERT_EQ(buffer_->Load<uint64_t>(a).has_value(), uint128{a} + 8 <= size()) << a;
      std::byte scratch[8];
      ASSERT_EQ(buffer_->View(a, 8, scratch) != nullptr, uint128{a} + 8 <= size()) << a;
    }
  }
}

TEST_P(BytesTest, EmptyRangesAreFineAnywhereInside) {
  for (const size_t at : {size_t{0}, size() / 2, size()}) {
    EXPECT_TRUE(buffer_->Read(at, {}).ok());
    EXPECT_TRUE(buffer_->Write(at, {}).ok());
    EXPECT_TRUE(buffer_->Zero(at, 0).ok());
    EXPECT_TRUE(buffer_->Move(at, at, 0).ok());
    EXPECT_EQ(*buffer_->Compare(at, {}), 0);
    EXPECT_TRUE(buffer_->SetBits(at, 0, 0).ok());
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, BytesTest, testing::ValuesIn(Shapes()), [](const auto& info) {
  const Shape& shape = info.param;
  return AllocatorCaseName({shape.allocator, info.index}) + "_node" +
         std::to_string(shape.node_bytes) + (shape.scattered ? "_scattered" : "");
});

TEST(BytesDeathTest, CopyFromItselfIsMisuse) {
  BufferCache cache({.node_bytes = 4096});
  ExtentBufferRef block = *cache.CreateDummy(0);
  EXPECT_DEATH((void)block->CopyFrom(*block, 0, 0, 1), "use Move");
}

}  // namespace
}  // namespace ebcache
