// BlockLists: doubly linked lists of block numbers, each block on at most one of them; what the
// textbook policies are made of.

#ifndef EBCACHE_BENCH_EVICTION_BLOCK_LISTS_H_
#define EBCACHE_BENCH_EVICTION_BLOCK_LISTS_H_

#include <cstdint>
#include <vector>

namespace ebcache::eviction {

class BlockLists {
 public:
  static constexpr int kNone = -1;

  BlockLists(uint32_t blocks, int lists)
      : blocks_(blocks), links_(blocks + lists), list_of_(blocks, kNone), sizes_(lists, 0) {
    for (uint32_t i = blocks; i < links_.size(); ++i) links_[i] = {i, i};
  }

  // The list a block is on, or kNone.
  int ListOf(uint32_t block) const { return list_of_[block]; }
  uint32_t size(int list) const { return sizes_[list]; }
  bool empty(int list) const { return sizes_[list] == 0; }
  // REQUIRES: not empty.
  uint32_t Oldest(int list) const { return links_[Head(list)].newer; }
  uint32_t Newest(int list) const { return links_[Head(list)].older; }
  // The next one towards the new end; the list's oldest after its newest.
  uint32_t NewerOrOldest(int list, uint32_t block) const {
    const uint32_t newer = links_[block].newer;
    return newer == Head(list) ? Oldest(list) : newer;
  }

  // Moves a block to the new end of a list, from wherever it is.
  void MoveToNewest(int list, uint32_t block) {
    Remove(block);
    const uint32_t head = Head(list);
    const uint32_t older = links_[head].older;
    links_[block] = {.older = older, .newer = head};
    links_[older].newer = block;
    links_[head].older = block;
    list_of_[block] = list;
    ++sizes_[list];
  }

  void Remove(uint32_t block) {
    if (list_of_[block] == kNone) return;
    links_[links_[block].older].newer = links_[block].newer;
    links_[links_[block].newer].older = links_[block].older;
    --sizes_[list_of_[block]];
    list_of_[block] = kNone;
  }

 private:
  struct Link {
    uint32_t older;
    uint32_t newer;
  };
  // Each list is a ring through a link of its own behind those of the blocks.
  uint32_t Head(int list) const { return blocks_ + static_cast<uint32_t>(list); }

  uint32_t blocks_;
  std::vector<Link> links_;
  std::vector<int> list_of_;
  std::vector<uint32_t> sizes_;
};

}  // namespace ebcache::eviction

#endif  // EBCACHE_BENCH_EVICTION_BLOCK_LISTS_H_
