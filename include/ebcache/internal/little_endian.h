// Little-endian integers in bytes, whatever the host's own order is. And which hosts there may be.

#ifndef EBCACHE_INTERNAL_LITTLE_ENDIAN_H_
#define EBCACHE_INTERNAL_LITTLE_ENDIAN_H_

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if UINTPTR_MAX < UINT64_MAX
#error \
    "ebcache needs a machine with 64-bit addresses: a cache reserves more of them than others have"
#endif

namespace ebcache {

// An integer with its bytes in the other order.
template <std::unsigned_integral T>
constexpr T ByteSwapped(T value) {
  if constexpr (sizeof(T) == 8) {
    return __builtin_bswap64(value);
  } else if constexpr (sizeof(T) == 4) {
    return __builtin_bswap32(value);
  } else if constexpr (sizeof(T) == 2) {
    return __builtin_bswap16(value);
  } else {
    return value;
  }
}

// What a host of that order has to make of little-endian bytes that it loaded as its own, and of
// its own before it stores them.
template <std::endian kHost, std::unsigned_integral T>
constexpr T LittleEndianOf(T value) {
  static_assert(kHost == std::endian::little || kHost == std::endian::big);
  return kHost == std::endian::little ? value : ByteSwapped(value);
}

// The integer whose lowest byte is at `at`. REQUIRES: sizeof(T) bytes there.
template <std::integral T>
constexpr T LoadLe(const std::byte* at) {
  std::make_unsigned_t<T> value{};
  if (std::is_constant_evaluated()) {
    // A compiler knows no memcpy from bytes to integers.
    for (size_t i = 0; i < sizeof(T); ++i) {
      value |= static_cast<decltype(value)>(static_cast<decltype(value)>(at[i]) << (8 * i));
    }
    return static_cast<T>(value);
  }
  std::memcpy(&value, at, sizeof(T));
  return static_cast<T>(LittleEndianOf<std::endian::native>(value));
}

// REQUIRES: sizeof(T) bytes at `at`.
template <std::unsigned_integral T>
constexpr void StoreLe(T value, std::byte* at) {
  if (std::is_constant_evaluated()) {
    for (size_t i = 0; i < sizeof(T); ++i) at[i] = static_cast<std::byte>(value >> (8 * i) & 0xff);
    return;
  }
  value = LittleEndianOf<std::endian::native>(value);
  std::memcpy(at, &value, sizeof(T));
}

}  // namespace ebcache

#endif  // EBCACHE_INTERNAL_LITTLE_ENDIAN_H_
