// BlockBytes: the bytes of one block, to read, wherever they lie.
//
// The format's functions take these, so that they know no buffer and no cache: an ExtentBuffer is
// one of them without being asked, and so is any run of bytes. A block that lies in pieces is read
// like one that does not; what its front piece has costs a comparison and an addition.
//
// Thread safety: a value; the bytes are their owner's. REQUIRES: the block is held, and not
// written, while a BlockBytes of it is in use.

#ifndef EBCACHE_BLOCK_BYTES_H_
#define EBCACHE_BLOCK_BYTES_H_

#include <absl/container/inlined_vector.h>
#include <absl/types/span.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "ebcache/internal/little_endian.h"

namespace ebcache {

// A range of bytes as the pieces of memory that it is made of, in order.
using Segments = absl::InlinedVector<absl::Span<const std::byte>, 16>;
using MutableSegments = absl::InlinedVector<absl::Span<std::byte>, 16>;

class BlockBytes {
 public:
  // What View does behind the front piece, of the owner's block.
  using Beyond = const std::byte* (*)(const void* block, size_t offset, size_t length,
                                      std::byte* scratch);

  // A block in one piece.
  BlockBytes(absl::Span<const std::byte> bytes)  // NOLINT: any bytes are bytes of a block
      : front_(bytes.data()),
        front_bytes_(bytes.size()),
        length_(bytes.size()),
        block_(nullptr),
        beyond_(nullptr) {}

  // A block of `length` bytes, of which the first `front_bytes` lie at `front`; none where that is
  // 0. `beyond` gets the calls of View that leave these.
  BlockBytes(const std::byte* front, size_t front_bytes, size_t length, const void* block,
             Beyond beyond)
      : front_(front), front_bytes_(front_bytes), length_(length), block_(block), beyond_(beyond) {}

  // In bytes.
  size_t length() const { return length_; }
  // How many bytes, from the front, lie in one piece. Where that is not all of them, the other
  // pieces are as large.
  size_t front_bytes() const { return front_bytes_; }
  // The whole block in one piece; null when it is in several.
  const std::byte* contiguous() const { return front_bytes_ == length_ ? front_ : nullptr; }

  // `length` bytes at `offset` as one piece: where they lie, or copied to `scratch` where they
  // straddle pieces. Null when they would leave the block.
  [[nodiscard]] const std::byte* View(size_t offset, size_t length, std::byte* scratch) const {
    // One question for both: is it in the block, and is it in the piece at the front. (The lengths
    // are off by one so that an empty range is no part of a piece without bytes.)
    if (offset <= front_bytes_ && length - 1 < front_bytes_ - offset) [[likely]] {
      return front_ + offset;
    }
    return beyond_ == nullptr ? OfOnePiece(offset, length)
                              : beyond_(block_, offset, length, scratch);
  }

  // A little-endian integer; nothing when it would leave the block.
  template <std::integral T>
  [[nodiscard]] std::optional<T> Load(size_t offset) const {
    std::byte scratch[sizeof(T)];
    const std::byte* const at = View(offset, sizeof(T), scratch);
    if (at == nullptr) return std::nullopt;
    return LoadLe<T>(at);
  }

  // Copies out of the block. False, and nothing is copied, when the range would leave it.
  [[nodiscard]] bool Copy(size_t offset, absl::Span<std::byte> destination) const {
    std::byte none;  // an empty destination may have no address, which View would give back
    std::byte* const scratch = destination.empty() ? &none : destination.data();
    const std::byte* const at = View(offset, destination.size(), scratch);
    if (at == nullptr) return false;
    if (at != scratch && !destination.empty()) {
      std::memcpy(destination.data(), at, destination.size());
    }
    return true;
  }

 private:
  // What is not in the front piece, where that is the block: an empty range, or nothing.
  const std::byte* OfOnePiece(size_t offset, size_t length) const {
    return length == 0 && offset <= length_ ? front_ + offset : nullptr;
  }

  const std::byte* front_;
  size_t front_bytes_;
  size_t length_;
  const void* block_;
  Beyond beyond_;  // null for a block in one piece
};

}  // namespace ebcache

#endif  // EBCACHE_BLOCK_BYTES_H_
