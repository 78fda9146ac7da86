// GhostTable: which blocks left the cache lately, when each was last known to be in use, and what else
// was known of it.
//
// A ghost is 8 bytes: 32 bits of a hash of the block's address, a time, a kind. Eight of them are
// a cache line, and a ghost can lie only in the line that its address hashes to, so remembering one
// and asking for one touch a single line. In a full line the oldest makes way. Two blocks with the
// same 32 bits in the same line are taken for each other: one in 500 million, and then a block is
// kept for longer than it deserves.
//
// Thread safety: none; ReclaimList's lock guards it.

#ifndef EBCACHE_LIB_CACHE_GHOST_TABLE_H_
#define EBCACHE_LIB_CACHE_GHOST_TABLE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace ebcache {

// When something happened, counted in buffers that had entered the cache by then, or in a unit of some
// of those: ReclaimList says.
//
// 21 bits, because it shares 32 with its owner's place in the order. It wraps: what happened more
// than two million units ago looks recent. That costs a hit, not more.
struct ReclaimTime {
  static constexpr int kBits = 21;
  static constexpr uint32_t kMask = (uint32_t{1} << kBits) - 1;

  uint32_t value = 0;

  // Units between `earlier` and this.
  uint32_t Since(ReclaimTime earlier) const { return (value - earlier.value) & kMask; }
};

struct Ghost {
  static constexpr uint32_t kMostKind = 31;

  ReclaimTime time;
  uint32_t kind = 0;  // ReuseStatistics says what these are; up to kMostKind
};

class GhostTable {
 public:
  // Forgets everything, and makes room for about `ghosts`. Where there is no memory for that,
  // nothing changes.
  void Reset(uint64_t ghosts) noexcept;
  uint64_t capacity() const { return lines_.size() * kGhostsPerLine; }
  uint64_t bytes() const { return lines_.size() * sizeof(Line); }

  // `now` tells which one is the oldest.
  void Remember(uint64_t start, Ghost ghost, ReclaimTime now);
  // Gives back what was remembered, and forgets it.
  std::optional<Ghost> Take(uint64_t start);

 private:
  static constexpr size_t kGhostsPerLine = 8;
  struct alignas(64) Line {
    std::array<uint32_t, kGhostsPerLine> tags{};    // 0: free
    std::array<uint32_t, kGhostsPerLine> values{};  // time, and the kind above it
  };
  struct Place {
    Line* line;
    uint32_t tag;
  };
  Place PlaceOf(uint64_t start);

  std::vector<Line> lines_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_GHOST_TABLE_H_
