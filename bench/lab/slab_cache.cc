#include "bench/lab/slab_cache.h"

#include <algorithm>
#include <utility>

namespace ebcache::lab {

SlabCache::SlabCache(MovableRegion* region, std::string name, AllocFlags flags, uint32_t objects)
    : population_(region, std::move(name), flags), objects_(objects) {}

uint64_t SlabCache::live_pages() const {
  uint64_t objects = 0;
  for (int order = 0; order < kOrders; ++order) {
    objects += uint64_t{classes_[static_cast<size_t>(order)].live.size()} << order;
  }
  return objects / objects_;
}

// Into a slab that has room; else into a new one.
bool SlabCache::AddObject(int order) {
  Class& of = classes_[static_cast<size_t>(order)];
  while (!of.partial.empty() && (used_[of.partial.back()] == 0 ||
                                 used_[of.partial.back()] == objects_)) {
    of.partial.pop_back();
  }
  if (of.partial.empty()) {
    if (!population_.Add(order)) return false;
    used_.push_back(0);
    if (objects_ > 1) of.partial.push_back(static_cast<uint32_t>(used_.size() - 1));
  }
  const uint32_t slab =
      of.partial.empty() ? static_cast<uint32_t>(used_.size() - 1) : of.partial.back();
  ++used_[slab];
  of.live.push_back(slab);
  return true;
}

void SlabCache::RemoveObject(int order, size_t n) {
  Class& of = classes_[static_cast<size_t>(order)];
  const uint32_t slab = of.live[n];
  of.live[n] = of.live.back();
  of.live.pop_back();
  if (used_[slab]-- == objects_ && objects_ > 1) of.partial.push_back(slab);
  if (used_[slab] == 0) population_.RemoveRange(slab, slab + 1);
}

bool SlabCache::Grow(uint64_t pages, Random& random) {
  const uint64_t wanted = pages * objects_;
  for (uint64_t added = 0; added < wanted;) {
    // Most slabs are of order 0 by number, of order 3 by size.
    constexpr std::array<int, 8> kMix = {0, 0, 0, 1, 1, 2, 3, 3};
    int order = kMix[random() % kMix.size()];
    if (!AddObject(order)) {
      order = 0;
      if (!AddObject(order)) return false;
    }
    added += uint64_t{1} << order;
  }
  return true;
}

void SlabCache::Shrink(uint64_t pages, Random& random) {
  const uint64_t wanted = pages * objects_;
  for (uint64_t removed = 0; removed < wanted;) {
    std::array<uint64_t, kOrders + 1> ends{};
    for (size_t order = 0; order < kOrders; ++order) {
      ends[order + 1] = ends[order] + classes_[order].live.size();
    }
    if (ends.back() == 0) return;
    const uint64_t n = random() % ends.back();
    const auto order = static_cast<size_t>(std::upper_bound(ends.begin(), ends.end(), n) -
                                           ends.begin() - 1);
    RemoveObject(static_cast<int>(order), n - ends[order]);
    removed += uint64_t{1} << order;
  }
}

bool SlabCache::RemoveAny(Random& random) {
  for (int order = 0; order < kOrders; ++order) {
    const size_t live = classes_[static_cast<size_t>(order)].live.size();
    if (live == 0) continue;
    RemoveObject(order, random() % live);
    return true;
  }
  return false;
}

}  // namespace ebcache::lab
