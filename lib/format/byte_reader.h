// Bounds-checked little-endian loads from bytes of any origin.

#ifndef EBCACHE_LIB_FORMAT_BYTE_READER_H_
#define EBCACHE_LIB_FORMAT_BYTE_READER_H_

#include <absl/types/span.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "ebcache/on_disk.h"

namespace ebcache {

// Loads fields by their offset. A field that is not wholly inside reads as zero and makes ok()
// false for good, so that a parser may ask once, at its end.
class ByteReader {
 public:
  explicit ByteReader(absl::Span<const std::byte> bytes) : bytes_(bytes) {}

  template <typename T>
  T Load(size_t offset) {
    static_assert(std::is_integral_v<T> && std::endian::native == std::endian::little);
    T value{};
    Copy(offset, &value, sizeof(T));
    return value;
  }

  Uuid LoadUuid(size_t offset) {
    Uuid uuid{};
    Copy(offset, uuid.data(), uuid.size());
    return uuid;
  }

  Key LoadKey(size_t offset) {
    return {Load<uint64_t>(offset), Load<uint8_t>(offset + 8), Load<uint64_t>(offset + 9)};
  }

  // `length` bytes from `offset`; empty when they are not all there.
  absl::Span<const std::byte> Slice(size_t offset, size_t length) {
    if (!InBounds(offset, length)) {
      ok_ = false;
      return {};
    }
    return bytes_.subspan(offset, length);
  }

  bool ok() const { return ok_; }

 private:
  bool InBounds(size_t offset, size_t length) const {
    return offset <= bytes_.size() && length <= bytes_.size() - offset;
  }
  void Copy(size_t offset, void* destination, size_t length) {
    if (InBounds(offset, length)) {
      std::memcpy(destination, bytes_.data() + offset, length);
    } else {
      ok_ = false;
    }
  }

  absl::Span<const std::byte> bytes_;
  bool ok_ = true;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_BYTE_READER_H_
