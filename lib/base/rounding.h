// Numbers made multiples of a unit. std::has_single_bit, std::bit_ceil and std::bit_floor are what
// there is for powers of two.

#ifndef EBCACHE_LIB_BASE_ROUNDING_H_
#define EBCACHE_LIB_BASE_ROUNDING_H_

#include <concepts>
#include <type_traits>

namespace ebcache {

// How many units it takes to hold that many. REQUIRES: a unit that is not 0.
template <std::unsigned_integral T>
constexpr T UnitsFor(T value, std::type_identity_t<T> unit) {
  return value / unit + (value % unit != 0 ? 1 : 0);
}

// The greatest multiple of `unit` that is not above `value`. REQUIRES: a unit that is not 0.
template <std::unsigned_integral T>
constexpr T RoundDown(T value, std::type_identity_t<T> unit) {
  return value - value % unit;
}

// The least multiple of `unit` that is not below `value`. REQUIRES: a unit that is not 0; that
// multiple is a number of the type.
template <std::unsigned_integral T>
constexpr T RoundUp(T value, std::type_identity_t<T> unit) {
  return UnitsFor(value, unit) * unit;
}

}  // namespace ebcache

#endif  // EBCACHE_LIB_BASE_ROUNDING_H_
