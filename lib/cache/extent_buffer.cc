// The bytes of a block: one branch to plain memory where it lies in one piece, else page by page.

#include "ebcache/extent_buffer.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstring>

#include "lib/base/check.h"
#include "lib/cache/buffer_cache_impl.h"

namespace ebcache {

absl::Status ExtentBuffer::OutOfRange(const char* what, size_t offset, size_t bytes) const {
  return absl::OutOfRangeError(absl::StrCat("block ", start_, ": ", what, " of ", bytes,
                                            " bytes at offset ", offset, " leaves its ", length(),
                                            " bytes"));
}

void ExtentBuffer::set_mirror(int mirror) {
  EBCACHE_CHECK(mirror >= 0 && mirror <= kMostMirrors, "set_mirror: a mirror is 0 to 255");
  mirror_ = static_cast<uint8_t>(mirror);
}

std::byte* ExtentBuffer::user() const {
  const DescriptorSlab& slab = cache_->pool().slab();
  return slab.user_bytes() != 0 ? slab.UserBytesOf(this) : nullptr;
}

absl::Span<const Folio> ExtentBuffer::folios() const {
  return {folios_, std::max<size_t>(1, length() >> (cache_->page_shift() + order_))};
}

template <typename Piece>
void ExtentBuffer::ForEachPiece(size_t offset, size_t bytes, Piece piece) const {
  if (bytes == 0) return;
  if (in_one_piece()) {
    piece(front_ + offset, bytes);
    return;
  }
  // A page array: frames of one arena, so that a page's address is arithmetic.
  if (front_ == nullptr) return;  // frames without bytes behind them
  const std::byte* arena = cache_->direct_map();
  const uint32_t shift = cache_->page_shift() + order_;
  const size_t folio_bytes = size_t{1} << shift;
  while (bytes > 0) {
    const size_t in_folio = offset & (folio_bytes - 1);
    const size_t here = std::min(bytes, folio_bytes - in_folio);
    const Folio folio = folios_[offset >> shift];
    piece(const_cast<std::byte*>(arena) + (size_t{folio.pfn()} << cache_->page_shift()) + in_folio,
          here);
    offset += here;
    bytes -= here;
  }
}

const std::byte* ExtentBuffer::ViewBeyondFront(size_t offset, size_t bytes,
                                               std::byte* scratch) const {
  if (!InBounds(offset, bytes)) return nullptr;
  if (in_one_piece()) return front_ + offset;  // an empty range
  const size_t in_folio = offset & (front_bytes_ - 1);
  if (in_folio + bytes <= front_bytes_ && bytes != 0) [[likely]] {
    const uint32_t page_shift = cache_->page_shift();
    return cache_->direct_map() +
           (size_t{folios_[offset >> (page_shift + order_)].pfn()} << page_shift) + in_folio;
  }
  CopyOutOfPages(offset, scratch, bytes);
  return scratch;
}

const std::byte* ExtentBuffer::ViewOf(const void* buffer, size_t offset, size_t bytes,
                                      std::byte* scratch) {
  return static_cast<const ExtentBuffer*>(buffer)->ViewBeyondFront(offset, bytes, scratch);
}

void ExtentBuffer::CopyOutOfPages(size_t offset, void* destination, size_t bytes) const {
  if (bytes == 0) return;  // an empty range may come without an address
  auto* to = static_cast<std::byte*>(destination);
  if (front_ == nullptr) {
    std::memset(to, 0, bytes);  // what frames without bytes read as
    return;
  }
  ForEachPiece(offset, bytes, [&](const std::byte* from, size_t here) {
    std::memcpy(to, from, here);
    to += here;
  });
}

absl::Status ExtentBuffer::Read(size_t offset, absl::Span<std::byte> destination) const {
  if (!InBounds(offset, destination.size())) return OutOfRange("read", offset, destination.size());
  CopyOutOfPages(offset, destination.data(), destination.size());
  return absl::OkStatus();
}

absl::Status ExtentBuffer::Write(size_t offset, absl::Span<const std::byte> source) {
  if (!InBounds(offset, source.size())) return OutOfRange("write", offset, source.size());
  const std::byte* from = source.data();
  ForEachPiece(offset, source.size(), [&](std::byte* to, size_t here) {
    std::memcpy(to, from, here);
    from += here;
  });
  return absl::OkStatus();
}

absl::StatusOr<int> ExtentBuffer::Compare(size_t offset, absl::Span<const std::byte> other) const {
  if (!InBounds(offset, other.size())) return OutOfRange("compare", offset, other.size());
  const std::byte* right = other.data();
  int result = 0;
  ForEachPiece(offset, other.size(), [&](const std::byte* left, size_t here) {
    if (result == 0) result = std::memcmp(left, right, here);
    right += here;
  });
  return result;
}

absl::Status ExtentBuffer::Zero(size_t offset, size_t length) {
  if (!InBounds(offset, length)) return OutOfRange("zero", offset, length);
  ForEachPiece(offset, length, [](std::byte* to, size_t here) { std::memset(to, 0, here); });
  return absl::OkStatus();
}

absl::Status ExtentBuffer::Move(size_t destination, size_t source, size_t length) {
  if (!InBounds(source, length)) return OutOfRange("move", source, length);
  if (!InBounds(destination, length)) return OutOfRange("move", destination, length);
  if (in_one_piece()) {
    std::memmove(front_ + destination, front_ + source, length);
    return absl::OkStatus();
  }
  // Through a small buffer, a part at a time, from the end that keeps what is still to be read.
  std::byte part[512];
  const bool backwards = destination > source;
  for (size_t done = 0; done < length;) {
    const size_t here = std::min(sizeof(part), length - done);
    const size_t at = backwards ? length - done - here : done;
    CopyOutOfPages(source + at, part, here);
    const std::byte* from = part;
    ForEachPiece(destination + at, here, [&](std::byte* to, size_t bytes) {
      std::memcpy(to, from, bytes);
      from += bytes;
    });
    done += here;
  }
  return absl::OkStatus();
}

absl::Status ExtentBuffer::CopyFrom(const ExtentBuffer& source, size_t source_offset,
                                    size_t destination_offset, size_t length) {
  EBCACHE_CHECK(&source != this, "CopyFrom copies between two buffers; within one, use Move");
  if (!source.InBounds(source_offset, length)) {
    return source.OutOfRange("copy", source_offset, length);
  }
  if (!InBounds(destination_offset, length)) return OutOfRange("copy", destination_offset, length);
  absl::Status status;
  source.ForEachPiece(source_offset, length, [&](const std::byte* from, size_t here) {
    status.Update(Write(destination_offset, absl::MakeConstSpan(from, here)));
    destination_offset += here;
  });
  return status;
}

// ---- Bitmaps ------------------------------------------------------------------------------------

absl::StatusOr<bool> ExtentBuffer::TestBit(size_t offset, size_t bit) const {
  if (!InBounds(offset, bit / 8 + 1)) return OutOfRange("bit", offset, bit / 8);
  const uint8_t byte = *Load<uint8_t>(offset + bit / 8);
  return (byte >> (bit % 8) & 1) != 0;
}

namespace {
// Applies `change(byte, mask)` to every byte that has some of the bits, with these as mask.
template <typename Change>
void ForEachMaskedByte(std::byte* bytes, size_t first_bit, size_t bits, Change change) {
  for (size_t bit = first_bit; bit < first_bit + bits;) {
    const size_t in_byte = bit % 8;
    const size_t here = std::min<size_t>(8 - in_byte, first_bit + bits - bit);
    change(bytes[bit / 8], static_cast<std::byte>(((1u << here) - 1) << in_byte));
    bit += here;
  }
}
}  // namespace

template <typename Change>
absl::Status ExtentBuffer::ChangeBits(size_t offset, size_t first_bit, size_t bits, Change change) {
  // Divided first: counts may be anything, and what is left of two of them adds up.
  const size_t last_byte = first_bit / 8 + bits / 8 + (first_bit % 8 + bits % 8 + 7) / 8;
  if (!InBounds(offset, last_byte)) return OutOfRange("bits", offset, bits / 8 + 1);
  size_t base = first_bit / 8 * 8;  // bit number at the front of the piece
  const size_t end = first_bit + bits;
  ForEachPiece(offset + first_bit / 8, last_byte - first_bit / 8,
               [&](std::byte* piece, size_t here) {
                 const size_t from = std::max(first_bit, base) - base;
                 const size_t to = std::min(end, base + here * 8) - base;
                 if (to > from) ForEachMaskedByte(piece, from, to - from, change);
                 base += here * 8;
               });
  return absl::OkStatus();
}

absl::Status ExtentBuffer::SetBits(size_t offset, size_t first_bit, size_t bits) {
  return ChangeBits(offset, first_bit, bits, [](std::byte& byte, std::byte mask) { byte |= mask; });
}

absl::Status ExtentBuffer::ClearBits(size_t offset, size_t first_bit, size_t bits) {
  return ChangeBits(offset, first_bit, bits,
                    [](std::byte& byte, std::byte mask) { byte &= ~mask; });
}

// ---- Pieces -------------------------------------------------------------------------------------

ExtentBuffer::Segments ExtentBuffer::segments() const {
  Segments pieces;
  ForEachPiece(0, length(), [&](const std::byte* at, size_t bytes) {
    pieces.push_back(absl::MakeConstSpan(at, bytes));
  });
  return pieces;
}

ExtentBuffer::MutableSegments ExtentBuffer::mutable_segments() {
  MutableSegments pieces;
  ForEachPiece(0, length(),
               [&](std::byte* at, size_t bytes) { pieces.push_back(absl::MakeSpan(at, bytes)); });
  return pieces;
}

}  // namespace ebcache
