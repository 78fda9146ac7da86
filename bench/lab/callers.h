// The other users of page allocation in the filesystem. Their pages are private: on no LRU list,
// known to nobody who could migrate them. So none of them may ask for movable memory, and each
// holds its pages for as long as the kernel's does:
//
//   raid56 stripes      a cache of 1024 stripes, the least recently used given up for a new one
//   scrub stripes       64 KiB each, 128 of them, for as long as a scrub runs
//   encoded reads       an extent of up to 128 KiB, until it is sent
//   relocation buffers  a cluster of data pages, until it is written where it goes
//   private buffers     dummies and clones of extent buffers: tree log and qgroup work
//
// One step is some of the work of each.

#ifndef EBCACHE_BENCH_LAB_CALLERS_H_
#define EBCACHE_BENCH_LAB_CALLERS_H_

#include <cstdint>
#include <deque>
#include <vector>

#include "bench/lab/population.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/movable_region.h"

namespace ebcache::lab {

class FilesystemCallers {
 public:
  // The cache has blocks from 0 to `tree_bytes`. `scale`: of all amounts; 0 for none of it.
  FilesystemCallers(MovableRegion* region, BufferCache* cache, uint64_t tree_bytes, double scale);

  void Step(Random& random);
  // Frames that all of them hold, private buffers apart.
  uint64_t frames() const;
  bool Owns(OwnerId owner) const;

 private:
  // Pages that come and go together.
  struct Group {
    uint32_t begin;
    uint32_t end;
  };
  // Adds `pages` single pages; nothing when memory is out.
  static Group AddPages(Population& population, uint32_t pages);
  static void Drop(Population& population, const Group& group) {
    population.RemoveRange(group.begin, group.end);
  }

  void StepStripes(Random& random);
  void StepScrub();
  void StepTransfers(Random& random);
  void StepPrivateBuffers(Random& random);

  size_t Scaled(size_t amount) const;

  BufferCache* const cache_;
  const uint64_t tree_bytes_;
  const double scale_;
  Population stripes_;
  Population scrub_;
  Population encoded_reads_;
  Population relocation_;
  std::deque<Group> stripe_lru_;
  std::deque<Group> reads_;
  std::deque<Group> clusters_;
  uint32_t scrub_steps_left_ = 0;
  std::deque<ExtentBufferRef> private_buffers_;
};

}  // namespace ebcache::lab

#endif  // EBCACHE_BENCH_LAB_CALLERS_H_
