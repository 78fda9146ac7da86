// Sets of block addresses: what a walk has met, what a tool has seen.
//
// Thread safety: a set belongs to one thread at a time.

#ifndef EBCACHE_BLOCK_SET_H_
#define EBCACHE_BLOCK_SET_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>

namespace ebcache {

// A set of block addresses, a bit each where they lie close together.
class BlockSet {
 public:
  // For blocks of `node_bytes`. REQUIRES: a power of two (CHECK).
  explicit BlockSet(uint32_t node_bytes);
  // True when `bytenr` was not in the set.
  bool Insert(uint64_t bytenr);
  bool Contains(uint64_t bytenr) const;
  uint64_t size() const { return size_; }

 private:
  static constexpr uint64_t kBitsPerPage = 4096;
  using Page = std::array<uint64_t, kBitsPerPage / 64>;
  std::map<uint64_t, std::unique_ptr<Page>> pages_;
  // Addresses that are no multiple of the node size, which bits cannot tell apart.
  std::set<uint64_t> unaligned_;
  uint32_t node_bytes_;
  uint64_t size_ = 0;
};

}  // namespace ebcache

#endif  // EBCACHE_BLOCK_SET_H_
