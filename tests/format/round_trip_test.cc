// Of every type: any bytes that parse encode to the same bytes, and any struct that encodes parses
// to an equal one. Both are asked of the same layout, which layout_test.cc holds against the
// format.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "ebcache/items.h"
#include "tests/format/item_types.h"
#include "tests/format/made_value.h"
#include "tests/fuzz/fuzz_input.h"

namespace ebcache::testing {
namespace {

using Bytes = std::vector<std::byte>;

std::vector<uint8_t> AnyBytes(size_t most) {
  const size_t size = *rc::gen::inRange<size_t>(0, most);
  return *rc::gen::container<std::vector<uint8_t>>(size, rc::gen::arbitrary<uint8_t>());
}

absl::Span<const std::byte> SpanOf(const std::vector<uint8_t>& bytes) {
  return {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
}

template <typename List>
struct TypesOf;
template <typename... T>
struct TypesOf<std::tuple<T...>> {
  using Types = ::testing::Types<T...>;
};

template <typename T>
class RoundTrip : public ::testing::Test {};
TYPED_TEST_SUITE(RoundTrip, TypesOf<ItemTypes>::Types);

TYPED_TEST(RoundTrip, StructBytesStruct) {
  rc::detail::checkGTest([] {
    const std::vector<uint8_t> seed = AnyBytes(700);
    fuzz::FuzzInput input(seed.data(), seed.size());
    ValueMaker maker(input);
    TypeParam value{};
    maker.Make(value);

    Bytes bytes(EncodedBytes(value), std::byte{0xee});
    RC_ASSERT(EncodeItem(value, absl::MakeSpan(bytes)).ok());
    const absl::StatusOr<TypeParam> parsed = ParseItem<TypeParam>(bytes);
    RC_ASSERT(parsed.ok());
    RC_ASSERT((*parsed == value));

    Bytes appended = {std::byte{1}, std::byte{2}};
    RC_ASSERT(AppendItem(value, appended).ok());
    RC_ASSERT((Bytes(appended.begin() + 2, appended.end()) == bytes));
  });
}

// Bytes of a value with the length that it has, and noise in them: most lengths of any bytes are
// wrong for most types.
TYPED_TEST(RoundTrip, BytesStructBytes) {
  rc::detail::checkGTest([] {
    const std::vector<uint8_t> seed = AnyBytes(700);
    fuzz::FuzzInput input(seed.data(), seed.size());
    ValueMaker maker(input);
    TypeParam value{};
    maker.Make(value);
    Bytes bytes;
    RC_ASSERT(AppendItem(value, bytes).ok());
    const size_t noise = *rc::gen::inRange(0, 4);
    for (size_t i = 0; i < noise && !bytes.empty(); ++i) {
      const size_t at = *rc::gen::inRange<size_t>(0, bytes.size());
      bytes[at] = static_cast<std::byte>(*rc::gen::arbitrary<uint8_t>());
    }
    const absl::StatusOr<TypeParam> parsed = ParseItem<TypeParam>(bytes);
    if (!parsed.ok()) {
      RC_ASSERT(parsed.status().code() == absl::StatusCode::kDataLoss);
      return;
    }
    Bytes again;
    RC_ASSERT(AppendItem(*parsed, again).ok());
    RC_ASSERT((again == bytes));
  });
}

// One byte less or one more is refused, and so is one too little or too much room to encode to:
// whatever of the value says otherwise.
TYPED_TEST(RoundTrip, OtherLengthsAreRefused) {
  fuzz::FuzzInput input(nullptr, 0);
  ValueMaker maker(input);
  TypeParam value{};
  maker.Make(value);
  Bytes bytes;
  ASSERT_TRUE(AppendItem(value, bytes).ok());
  for (int difference : {-1, 1}) {
    Bytes other = bytes;
    if (other.empty() && difference < 0) continue;
    other.resize(other.size() + difference, std::byte{0xee});
    const Bytes before = other;
    EXPECT_EQ(EncodeItem(value, absl::MakeSpan(other)).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(other, before);
    // Inline data of a file has the length that it has, and so has a bitmap.
    if (std::is_same_v<TypeParam, FileExtentItem> && difference > 0) continue;
    if (std::is_same_v<TypeParam, FreeSpaceBitmap> && difference > 0) continue;
    EXPECT_EQ(ParseItem<TypeParam>(other).status().code(), absl::StatusCode::kDataLoss);
  }
}

template <typename T>
void ExpectRecordsRoundTrip(const std::vector<uint8_t>& bytes) {
  ItemRecords<T> records(SpanOf(bytes));
  Bytes again;
  while (const std::optional<T> record = records.Next()) {
    RC_ASSERT(records.position() == again.size());
    RC_ASSERT(AppendItem(*record, again).ok());
  }
  const absl::Span<const std::byte> front = SpanOf(bytes).subspan(0, again.size());
  RC_ASSERT((front == absl::MakeConstSpan(again)));
  // Either all was taken, or the rest is said to be no entry.
  RC_ASSERT(records.status().ok() == (again.size() == bytes.size()));
  if (!records.status().ok()) RC_ASSERT(records.position() == again.size());
  RC_ASSERT(!records.Next());
}

// Lengths that any bytes make lead outside most often; small ones are what entries have.
RC_GTEST_PROP(Records, AnyBytes, ()) {
  std::vector<uint8_t> bytes = AnyBytes(300);
  const bool sparse = *rc::gen::arbitrary<bool>();
  for (size_t i = 0; sparse && i < bytes.size(); ++i) bytes[i] = bytes[i] < 0xe0 ? 0 : bytes[i] % 8;
  ExpectRecordsRoundTrip<InodeRef>(bytes);
  ExpectRecordsRoundTrip<InodeExtref>(bytes);
  ExpectRecordsRoundTrip<DirEntry>(bytes);
  ExpectRecordsRoundTrip<UuidSubvolume>(bytes);
  ExpectRecordsRoundTrip<ExtentDataRef>(bytes);
  ExpectRecordsRoundTrip<RaidStride>(bytes);
  ExpectRecordsRoundTrip<SystemChunk>(bytes);
  constexpr uint8_t kTypes[] = {172, 176, 178, 182, 184, 185};
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] % 3 == 0) bytes[i] = kTypes[bytes[i] / 3 % 6];
  }
  ExpectRecordsRoundTrip<InlineRef>(bytes);
}

RC_GTEST_PROP(ExtentItems, RoundTrip, ()) {
  const std::vector<uint8_t> seed = AnyBytes(400);
  fuzz::FuzzInput input(seed.data(), seed.size());
  ValueMaker maker(input);
  ExtentHead head;
  maker.Make(head);
  const uint8_t type = *rc::gen::element(kExtentItemType, kMetadataItemType);
  std::optional<TreeBlockInfo> block;
  if (type == kExtentItemType && (head.flags & kExtentTreeBlock) != 0) maker.Make(block.emplace());
  std::vector<InlineRef> refs(*rc::gen::inRange<size_t>(0, 9));
  for (InlineRef& ref : refs) maker.Make(ref);
  Bytes bytes;
  RC_ASSERT(AppendExtentItem(head, block, refs, bytes).ok());

  const absl::StatusOr<ExtentItem> parsed = ParseExtentItem(type, bytes);
  RC_ASSERT(parsed.ok());
  RC_ASSERT((parsed->head == head));
  RC_ASSERT((parsed->block == block));
  ItemRecords<InlineRef> records(parsed->inline_refs);
  for (const InlineRef& expected : refs) RC_ASSERT((records.Next() == expected));
  RC_ASSERT(!records.Next());
  RC_ASSERT(records.status().ok());
}

}  // namespace
}  // namespace ebcache::testing
