#include "lib/cache/ghost_table.h"

#include <new>

namespace ebcache {

namespace {

uint32_t Pack(Ghost ghost) { return ghost.time.value | ghost.kind << ReclaimTime::kBits; }
Ghost Unpack(uint32_t value) {
  return {.time = {value & ReclaimTime::kMask}, .kind = value >> ReclaimTime::kBits};
}

// Spreads addresses, which share their low bits and often most of the high ones, over 64 bits.
uint64_t Hash(uint64_t start) {
  uint64_t h = start * 0x9e3779b97f4a7c15;
  h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93;
  return h ^ (h >> 32);
}

}  // namespace

void GhostTable::Reset(uint64_t ghosts) noexcept try {
  lines_ = std::vector<Line>(ghosts / kGhostsPerLine + 1);
} catch (const std::bad_alloc&) {
  // Reclaim, which asks for it, is what gives memory back. It does without.
}

GhostTable::Place GhostTable::PlaceOf(uint64_t start) {
  const uint64_t hash = Hash(start);
  const uint64_t line = (hash >> 32) * lines_.size() >> 32;  // the high half chooses the line
  const auto tag = static_cast<uint32_t>(hash);              // the low half is the name in it
  return {.line = &lines_[line], .tag = tag == 0 ? 1 : tag};
}

void GhostTable::Remember(uint64_t start, Ghost ghost, ReclaimTime now) {
  if (lines_.empty()) return;
  const auto [line, tag] = PlaceOf(start);
  // Where it is remembered already; else a free place; else the oldest's place.
  std::optional<size_t> found;
  size_t place = 0;
  for (size_t i = 0; i < kGhostsPerLine; ++i) {
    if (line->tags[i] == tag) {
      found = i;
      break;
    }
    if (line->tags[i] == 0) {
      found = i;
      continue;
    }
    const ReclaimTime time = Unpack(line->values[i]).time;
    if (now.Since(time) > now.Since(Unpack(line->values[place]).time)) place = i;
  }
  place = found.value_or(place);
  line->tags[place] = tag;
  line->values[place] = Pack(ghost);
}

std::optional<Ghost> GhostTable::Take(uint64_t start) {
  if (lines_.empty()) return std::nullopt;
  const auto [line, tag] = PlaceOf(start);
  for (size_t i = 0; i < kGhostsPerLine; ++i) {
    if (line->tags[i] != tag) continue;
    line->tags[i] = 0;
    return Unpack(line->values[i]);
  }
  return std::nullopt;
}

}  // namespace ebcache
