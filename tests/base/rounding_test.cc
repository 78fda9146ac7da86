#include "lib/base/rounding.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <limits>

namespace ebcache {
namespace {

constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();

RC_GTEST_PROP(Rounding, NearestMultiplesOnEitherSide, (uint64_t value, uint32_t wide)) {
  const uint64_t unit = uint64_t{wide} + 1;
  value /= 2;  // for the multiple above to be a number
  const uint64_t below = RoundDown(value, unit);
  const uint64_t above = RoundUp(value, unit);
  RC_ASSERT(below <= value);
  RC_ASSERT(value - below < unit);
  RC_ASSERT(below % unit == 0);
  RC_ASSERT(above >= value);
  RC_ASSERT(above - value < unit);
  RC_ASSERT(above % unit == 0);
  RC_ASSERT(UnitsFor(value, unit) * unit == above);
  RC_ASSERT((below == above) == (value % unit == 0));
}

// The usual `value + unit - 1` is beyond the type for these.
TEST(Rounding, NumbersAtTheEndOfTheType) {
  EXPECT_EQ(UnitsFor(kMost, 2), uint64_t{1} << 63);
  EXPECT_EQ(UnitsFor(kMost, kMost), 1u);
  EXPECT_EQ(RoundUp(kMost, kMost), kMost);
  EXPECT_EQ(RoundUp(kMost - 4096, 4096), kMost - 4095);
  EXPECT_EQ(RoundDown(kMost, 4096), kMost - 4095);
  EXPECT_EQ(RoundUp(uint8_t{250}, 5), 250);
}

TEST(Rounding, Nothing) {
  EXPECT_EQ(UnitsFor(0u, 7), 0u);
  EXPECT_EQ(RoundUp(0u, 7), 0u);
  EXPECT_EQ(RoundDown(6u, 7), 0u);
}

}  // namespace
}  // namespace ebcache
