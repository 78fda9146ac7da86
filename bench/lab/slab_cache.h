// SlabCache: objects that lie several to a slab, so that the frames of a slab stay until the last of
// its objects has gone. After a peak nearly all of them do.

#ifndef EBCACHE_BENCH_LAB_SLAB_CACHE_H_
#define EBCACHE_BENCH_LAB_SLAB_CACHE_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/lab/population.h"

namespace ebcache::lab {

class SlabCache {
 public:
  // `objects` in a slab; 1 for frames that go with their contents.
  SlabCache(MovableRegion* region, std::string name, AllocFlags flags, uint32_t objects);

  // Amounts are in pages' worth of objects. Grow: false when memory is out.
  bool Grow(uint64_t pages, Random& random);
  void Shrink(uint64_t pages, Random& random);
  // Frees one object at random. False: there is none.
  bool RemoveAny(Random& random);

  uint64_t live_pages() const;
  uint64_t frames() const { return population_.frames(); }
  OwnerId id() const { return population_.id(); }

 private:
  static constexpr int kOrders = 4;
  // Slabs of one order: by the number that Population has for them.
  struct Class {
    std::vector<uint32_t> live;     // the slab of each object
    std::vector<uint32_t> partial;  // slabs with room, some more than once or gone
  };
  bool AddObject(int order);
  void RemoveObject(int order, size_t n);

  Population population_;
  const uint32_t objects_;
  std::array<Class, kOrders> classes_;
  std::vector<uint16_t> used_;  // objects in each slab
};

}  // namespace ebcache::lab

#endif  // EBCACHE_BENCH_LAB_SLAB_CACHE_H_
