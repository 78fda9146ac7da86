// Little-endian integers at an offset of a span.

#ifndef EBCACHE_LIB_BASE_BYTES_H_
#define EBCACHE_LIB_BASE_BYTES_H_

#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>

#include "ebcache/internal/little_endian.h"

namespace ebcache {

// REQUIRES of all: offset + the bytes of the integer <= bytes.size().
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
