// PageReclaim: what a kernel takes back when memory is short. Page cache and btree pages lie on two
// lists, inactive and active, in the order in which they came. The oldest of the inactive list go; a
// block that is read again twice meanwhile becomes active; one that is read again soon after it
// went comes back as active, and from then on active ones are moved back to the inactive list in
// proportion to what is reclaimed, until a reclaim sees no such thing.
//
// Watermarks are those of Documentation/admin-guide/sysctl/vm.rst: reclaim begins below `low` and
// ends at `high`; falling back to part of a page block raises both for the next reclaim.

#ifndef EBCACHE_BENCH_LAB_RECLAIM_H_
#define EBCACHE_BENCH_LAB_RECLAIM_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

namespace ebcache::lab {

struct Watermarks {
  uint64_t min = 0;
  uint64_t low = 0;
  uint64_t high = 0;
  uint64_t most_boost = 0;
};
// `boost` and `min_free_blocks` are the constants of that name.
Watermarks WatermarksOf(uint64_t frames, uint32_t pageblock_frames, double boost,
                        double min_free_blocks);

class PageReclaim {
 public:
  // How the pages themselves are got rid of. Both return the frames that became free, 0 if none.
  struct Takers {
    std::function<uint64_t()> oldest_file;
    std::function<uint64_t(uint32_t block)> block;
  };
  // Blocks are numbered from 0. `frames_each`: of a block.
  PageReclaim(uint32_t blocks, uint32_t frames_each, Takers takers)
      : blocks_(blocks), frames_each_(frames_each), takers_(std::move(takers)) {}

  void FileRead(uint32_t folios, uint64_t frames);
  void BlockRead(uint32_t block, bool was_cached);
  // The block is gone, or its page is no page cache any more.
  void BlockGone(uint32_t block);
  // The files behind the oldest of the page cache were removed.
  void FilesGone(uint64_t folios, uint64_t frames);

  // Takes from the inactive list until that many frames are free. Returns how many are.
  uint64_t Shrink(uint64_t frames);

  struct Counts {
    uint64_t file_frames = 0;  // taken
    uint64_t block_frames = 0;
    uint64_t activated = 0;
    uint64_t deactivated = 0;
    uint64_t refaults = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  static constexpr uint32_t kFile = ~uint32_t{0};
  // A block, or a run of file folios.
  struct Entry {
    uint32_t what;
    uint32_t n;  // folios, or the block's stamp
  };
  struct Block {
    uint32_t stamp = 0;  // of its entry; others of it are void
    bool cached = false;
    bool active = false;
    bool referenced = false;
    uint64_t gone_at = 0;  // on the clock; 0: was never there
  };
  void Enlist(uint32_t block, bool active);
  bool Deactivate();
  void DeactivateFor(uint64_t frames);
  uint64_t TakeFirst();

  std::vector<Block> blocks_;
  const uint32_t frames_each_;
  const Takers takers_;
  std::deque<Entry> inactive_;
  std::deque<Entry> active_;
  uint64_t inactive_frames_ = 0;
  uint64_t active_frames_ = 0;
  uint64_t clock_ = 1;  // frames that were taken or became active
  bool refaulted_ = false;
  bool deactivating_ = false;
  uint64_t to_deactivate_ = 0;  // frames, scaled by the length of the inactive list
  Counts counts_;
};

}  // namespace ebcache::lab

#endif  // EBCACHE_BENCH_LAB_RECLAIM_H_
