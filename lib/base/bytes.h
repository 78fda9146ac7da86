// Little-endian integers in bytes, whatever the host's own order is.

#ifndef EBCACHE_LIB_BASE_BYTES_H_
#define EBCACHE_LIB_BASE_BYTES_H_

#include <absl/types/span.h>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

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

// What a host of that order has to make of little-endian bytes that it loaded as its own, and of its
// own before it stores them.
template <std::endian kHost, std::unsigned_integral T>
constexpr T LittleEndianOf(T value) {
  static_assert(kHost == std::endian::little || kHost == std::endian::big);
  return kHost == std::endian::little ? value : ByteSwapped(value);
}

// The integer whose lowest byte is at `at`. REQUIRES: sizeof(T) bytes there.
template <std::unsigned_integral T>
constexpr T LoadLe(const std::byte* at) {
  T value{};
  if (std::is_constant_evaluated()) {
    // A compiler knows no memcpy from bytes to integers.
    for (size_t i = 0; i < sizeof(T); ++i) {
      value |= static_cast<T>(static_cast<T>(at[i]) << (8 * i));
    }
    return value;
  }
  std::memcpy(&value, at, sizeof(T));
  return LittleEndianOf<std::endian::native>(value);
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

// The same at an offset of a span. REQUIRES: offset + the bytes of the integer <= bytes.size().
constexpr uint8_t LoadLe8(absl::Span<const std::byte> bytes, size_t offset) {
  return LoadLe<uint8_t>(bytes.data() + offset);
}
constexpr uint16_t LoadLe16(absl::Span<const std::byte> bytes, size_t offset) {
  return LoadLe<uint16_t>(bytes.data() + offset);
}
constexpr uint32_t LoadLe32(absl::Span<const std::byte> bytes, size_t offset) {
  return LoadLe<uint32_t>(bytes.data() + offset);
}
constexpr uint64_t LoadLe64(absl::Span<const std::byte> bytes, size_t offset) {
  return LoadLe<uint64_t>(bytes.data() + offset);
}
constexpr void StoreLe8(absl::Span<std::byte> bytes, size_t offset, uint8_t value) {
  StoreLe(value, bytes.data() + offset);
}
constexpr void StoreLe16(absl::Span<std::byte> bytes, size_t offset, uint16_t value) {
  StoreLe(value, bytes.data() + offset);
}
constexpr void StoreLe32(absl::Span<std::byte> bytes, size_t offset, uint32_t value) {
  StoreLe(value, bytes.data() + offset);
}
constexpr void StoreLe64(absl::Span<std::byte> bytes, size_t offset, uint64_t value) {
  StoreLe(value, bytes.data() + offset);
}

}  // namespace ebcache

#endif  // EBCACHE_LIB_BASE_BYTES_H_
