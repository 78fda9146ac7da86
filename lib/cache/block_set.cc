#include "ebcache/block_set.h"

#include <bit>
#include <cstdint>
#include <memory>

#include "lib/base/check.h"

namespace ebcache {

BlockSet::BlockSet(uint32_t node_bytes) : node_bytes_(node_bytes) {
  EBCACHE_CHECK(std::has_single_bit(node_bytes), "node_bytes must be a power of two");
}

bool BlockSet::Insert(uint64_t bytenr) {
  if (bytenr % node_bytes_ != 0) {
    const bool inserted = unaligned_.insert(bytenr).second;
    size_ += inserted;
    return inserted;
  }
  const uint64_t index = bytenr / node_bytes_;
  auto page = pages_.find(index / kBitsPerPage);
  if (page == pages_.end()) {
    page = pages_.emplace(index / kBitsPerPage, std::make_unique<Page>()).first;
  }
  uint64_t& word = (*page->second)[index % kBitsPerPage / 64];
  const uint64_t bit = uint64_t{1} << (index % 64);
  const bool inserted = (word & bit) == 0;
  word |= bit;
  size_ += inserted;
  return inserted;
}

bool BlockSet::Contains(uint64_t bytenr) const {
  if (bytenr % node_bytes_ != 0) return unaligned_.contains(bytenr);
  const uint64_t index = bytenr / node_bytes_;
  const auto page = pages_.find(index / kBitsPerPage);
  if (page == pages_.end()) return false;
  const uint64_t word = (*page->second)[index % kBitsPerPage / 64];
  return (word >> (index % 64) & 1) != 0;
}

}  // namespace ebcache
