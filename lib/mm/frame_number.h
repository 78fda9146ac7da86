// Numbers of what memory is divided into, a type each: a page block's is not a frame's. They are
// 32-bit words and cost what those do.

#ifndef EBCACHE_LIB_MM_FRAME_NUMBER_H_
#define EBCACHE_LIB_MM_FRAME_NUMBER_H_

#include <compare>
#include <cstdint>

#include "ebcache/page_allocator.h"

namespace ebcache {

// Counts from 0. Distances, and counts of such things, are plain numbers.
template <typename Tag>
class Number {
 public:
  constexpr Number() = default;
  constexpr explicit Number(uint32_t value) : value_(value) {}
  constexpr uint32_t value() const { return value_; }

  constexpr Number& operator++() { return *this += 1; }
  constexpr Number& operator--() { return *this -= 1; }
  constexpr Number& operator+=(uint32_t n) {
    value_ += n;
    return *this;
  }
  constexpr Number& operator-=(uint32_t n) {
    value_ -= n;
    return *this;
  }
  friend constexpr Number operator+(Number a, uint32_t n) { return Number(a.value_ + n); }
  friend constexpr Number operator-(Number a, uint32_t n) { return Number(a.value_ - n); }
  friend constexpr uint32_t operator-(Number a, Number b) { return a.value_ - b.value_; }
  friend constexpr auto operator<=>(Number, Number) = default;

 private:
  uint32_t value_ = 0;
};

// Of a page frame: that of the folio that begins there, too.
using FrameNumber = Number<struct FrameTag>;
// Of a page block, the unit of mobility, and of a superpageblock (movable_region.h).
using PageblockNumber = Number<struct PageblockTag>;
using SuperpageblockNumber = Number<struct SuperpageblockTag>;
// Of a zone, which has free lists of its own.
using ZoneNumber = Number<struct ZoneTag>;

// REQUIRES: !folio.empty()
constexpr FrameNumber FirstFrameOf(Folio folio) { return FrameNumber(folio.pfn()); }
constexpr Folio FolioAt(FrameNumber pfn) { return Folio(pfn.value()); }

// The first frame of the aligned block of 2^order frames that `pfn` is in, and of the block beside
// it with which it makes up the next larger one.
constexpr FrameNumber AlignedDown(FrameNumber pfn, int order) {
  return FrameNumber(pfn.value() & ~((uint32_t{1} << order) - 1));
}
constexpr FrameNumber BuddyOf(FrameNumber pfn, int order) {
  return FrameNumber(pfn.value() ^ (uint32_t{1} << order));
}

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_FRAME_NUMBER_H_
