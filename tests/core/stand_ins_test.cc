// What the core asks of Abseil, asked of Abseil itself and of what stands in for it (core/absl): this file
// is built with each.

#include <absl/cleanup/cleanup.h>
#include <absl/container/inlined_vector.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/cord.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>
#include <absl/types/optional.h>
#include <absl/types/span.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/failing_new.h"

namespace ebcache {
namespace {

TEST(StatusTest, HasACodeAndWords) {
  const absl::Status error = absl::NotFoundError("no such block");
  EXPECT_FALSE(error.ok());
  EXPECT_EQ(error.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(error.message(), "no such block");
  EXPECT_TRUE(absl::IsNotFound(error));
  EXPECT_FALSE(absl::IsDataLoss(error));
  EXPECT_TRUE(absl::OkStatus().ok());
  EXPECT_EQ(absl::Status(absl::StatusCode::kOk, "words").message(), "");
}

TEST(StatusTest, CopiesShareAndChangeAlone) {
  absl::Status error = absl::DataLossError("damaged");
  const absl::Status copy = error;
  error.SetPayload("name", absl::Cord("5"));
  EXPECT_FALSE(copy.GetPayload("name").has_value());
  ASSERT_TRUE(error.GetPayload("name").has_value());
  EXPECT_EQ(*error.GetPayload("name")->TryFlat(), "5");
  EXPECT_FALSE(error.GetPayload("other").has_value());
  error.SetPayload("name", absl::Cord("17"));
  EXPECT_EQ(*error.GetPayload("name")->TryFlat(), "17");
  EXPECT_EQ(error.message(), "damaged");
}

TEST(StatusTest, OkTakesNoPayload) {
  absl::Status fine;
  fine.SetPayload("name", absl::Cord("5"));
  EXPECT_FALSE(fine.GetPayload("name").has_value());
}

TEST(StatusTest, TheFirstErrorStays) {
  absl::Status status;
  status.Update(absl::OkStatus());
  EXPECT_TRUE(status.ok());
  status.Update(absl::InternalError("first"));
  status.Update(absl::NotFoundError("second"));
  EXPECT_EQ(status.message(), "first");
}

// The library reports that memory is out by such.
TEST(StatusTest, WithoutWordsNothingIsAllocated) {
  FailNew(0, NewFails::kOnce);
  const absl::Status error(absl::StatusCode::kResourceExhausted, "");
  const absl::Status copy = error;
  EXPECT_FALSE(StopFailingNew());
  EXPECT_TRUE(absl::IsResourceExhausted(copy));
}

TEST(StatusOrTest, IsAValueOrAnError) {
  absl::StatusOr<int> number = 5;
  ASSERT_TRUE(number.ok());
  EXPECT_EQ(*number, 5);
  EXPECT_TRUE(number.status().ok());
  number = absl::OutOfRangeError("too far");
  EXPECT_FALSE(number.ok());
  EXPECT_EQ(number.value_or(7), 7);
  EXPECT_EQ(number.status().message(), "too far");
  EXPECT_EQ(absl::StatusOr<int>().status().code(), absl::StatusCode::kUnknown);
}

TEST(StatusOrTest, HoldsWhatCanOnlyBeMoved) {
  absl::StatusOr<std::unique_ptr<int>> made = std::make_unique<int>(5);
  ASSERT_TRUE(made.ok());
  const std::unique_ptr<int> taken = *std::move(made);
  EXPECT_EQ(*taken, 5);
}

TEST(SpanTest, SeesWhatIsInARow) {
  std::vector<int> numbers(5);
  std::iota(numbers.begin(), numbers.end(), 0);
  absl::Span<int> all = absl::MakeSpan(numbers);
  const absl::Span<const int> constant = all;
  EXPECT_EQ(constant.size(), 5u);
  EXPECT_EQ(all.subspan(3).size(), 2u);
  EXPECT_EQ(all.subspan(3, 100).size(), 2u);
  EXPECT_EQ(all.subspan(5).size(), 0u);
  EXPECT_EQ(all.first(2).back(), 1);
  EXPECT_EQ(all.last(2).front(), 3);
  EXPECT_EQ(*all.rbegin(), 4);
  all.remove_prefix(4);
  EXPECT_EQ(all.size(), 1u);
  all[0] = 9;
  EXPECT_EQ(numbers[4], 9);
}

int SumOf(absl::Span<const int> numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0);
}

TEST(SpanTest, IsMadeOfManyThings) {
  const int array[] = {1, 2, 3};
  const std::vector<int> vector = {1, 2};
  EXPECT_EQ(SumOf(array), 6);
  EXPECT_EQ(SumOf(vector), 3);
  EXPECT_EQ(SumOf({4, 5}), 9);
  EXPECT_EQ(SumOf({array, 2}), 3);
  EXPECT_EQ(SumOf({}), 0);
  EXPECT_EQ(SumOf(absl::InlinedVector<int, 4>(3)), 0);
}

TEST(InlinedVectorTest, GrowsOutOfItself) {
  absl::InlinedVector<int, 4> numbers;
  for (int i = 0; i < 9; ++i) {
    numbers.push_back(i);
    ASSERT_EQ(numbers.back(), i);
    ASSERT_EQ(numbers.front(), 0);
    ASSERT_EQ(numbers.size(), static_cast<size_t>(i) + 1);
  }
  EXPECT_EQ(SumOf(numbers), 36);
  const absl::InlinedVector<int, 4> copy = numbers;
  absl::InlinedVector<int, 4> moved = std::move(numbers);
  EXPECT_EQ(SumOf(copy), 36);
  EXPECT_EQ(SumOf(moved), 36);
  moved.clear();
  EXPECT_TRUE(moved.empty());
  EXPECT_EQ(SumOf(copy), 36);
}

TEST(InlinedVectorTest, CopiesAndMovesOfBothKinds) {
  absl::InlinedVector<int, 4> few(2);
  absl::InlinedVector<int, 4> many(6);
  few[1] = 1;
  many[5] = 5;
  absl::InlinedVector<int, 4> target(5);
  target = few;
  EXPECT_EQ(target.size(), 2u);
  EXPECT_EQ(SumOf(target), 1);
  target = std::move(many);
  EXPECT_EQ(target.size(), 6u);
  EXPECT_EQ(SumOf(target), 5);
  target = std::move(few);
  EXPECT_EQ(target.size(), 2u);
  EXPECT_EQ(SumOf(target), 1);
}

// What takes locks counts on it.
TEST(InlinedVectorTest, AllocatesNothingUntilItGrows) {
  FailNew(0, NewFails::kOnce);
  absl::InlinedVector<int, 4> numbers;
  numbers.reserve(4);
  for (int i = 0; i < 4; ++i) numbers.push_back(i);
  const absl::InlinedVector<int, 4> copy = numbers;
  EXPECT_FALSE(StopFailingNew());
  EXPECT_EQ(copy.size(), 4u);
}

int CallWith(absl::FunctionRef<int(int)> function, int value) { return function(value); }
int Double(int value) { return 2 * value; }

TEST(FunctionRefTest, CallsWhatItBorrows) {
  int calls = 0;
  const auto count = [&](int value) { return value + ++calls; };
  EXPECT_EQ(CallWith(count, 5), 6);
  EXPECT_EQ(CallWith(count, 5), 7);
  EXPECT_EQ(CallWith(Double, 4), 8);
}

TEST(CleanupTest, HappensAtTheEnd) {
  int calls = 0;
  {
    const absl::Cleanup count = [&] { ++calls; };
    EXPECT_EQ(calls, 0);
  }
  EXPECT_EQ(calls, 1);
}

TEST(StrCatTest, PutsTextsAndNumbersTogether) {
  const std::string text = "text";
  EXPECT_EQ(absl::StrCat(text, " ", absl::string_view("view"), " ", "literal"),
            "text view literal");
  EXPECT_EQ(absl::StrCat(), "");
  EXPECT_EQ(absl::StrCat(uint8_t{65}, " ", int16_t{-3}, " ", 7u, " ", size_t{8}), "65 -3 7 8");
  EXPECT_EQ(absl::StrCat(std::numeric_limits<uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(absl::StrCat(std::numeric_limits<int64_t>::min()), "-9223372036854775808");
  std::string more = "a";
  absl::StrAppend(&more, "b", 3);
  EXPECT_EQ(more, "ab3");
}

}  // namespace
}  // namespace ebcache
