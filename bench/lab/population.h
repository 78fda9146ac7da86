// Population: the folios of one kind that a machine holds, with an owner who keeps the contract of
// that kind: anonymous pages move, page cache moves or is dropped, slabs do neither.
//
// Folios are numbered in the order in which they were added; the number is what the allocator keeps
// as private bits.

#ifndef EBCACHE_BENCH_LAB_POPULATION_H_
#define EBCACHE_BENCH_LAB_POPULATION_H_

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "ebcache/movable_region.h"

namespace ebcache::lab {

using Random = std::mt19937_64;

class Population final : public FolioOwner {
 public:
  // `releasable`: of movable kinds, whether the contents can be dropped.
  Population(MovableRegion* region, std::string name, AllocFlags flags, bool releasable = false);
  ~Population() override;

  std::string_view name() const override { return name_; }
  bool movable() const override { return Has(flags_, AllocFlags::kMovable); }
  bool Release(Folio folio, uint32_t number) override;
  bool Migrate(Folio destination, Folio source, uint32_t number) override;

  // False when there is no memory.
  bool Add(int order, AllocFlags extra = AllocFlags::kNone);
  // Frees the folio added first, of those that are left. False when there are none.
  bool RemoveOldest();
  // The same; returns how many frames that were.
  uint64_t TakeOldest();
  // Frees one at random.
  bool RemoveAny(Random& random);
  // Frees those with numbers in [begin, end) that are still there.
  void RemoveRange(uint32_t begin, uint32_t end);

  // The number that the next folio will get.
  uint32_t next_number() const { return static_cast<uint32_t>(entries_.size()); }
  uint64_t frames() const { return frames_; }
  OwnerId id() const { return id_; }

 private:
  // Frame number and order, in 32 bits: there are tens of millions.
  static constexpr uint32_t kGone = ~uint32_t{0};
  static constexpr int kOrderShift = 28;
  static constexpr uint32_t PfnOf(uint32_t entry) {
    return entry & ((uint32_t{1} << kOrderShift) - 1);
  }
  static constexpr int OrderOf(uint32_t entry) { return static_cast<int>(entry >> kOrderShift); }

  void Remove(uint32_t number);

  MovableRegion* const region_;
  const std::string name_;
  const AllocFlags flags_;
  const bool releasable_;
  const OwnerId id_;
  std::vector<uint32_t> entries_;  // by number
  uint32_t oldest_ = 0;            // all before it are gone
  uint64_t frames_ = 0;
};

}  // namespace ebcache::lab

#endif  // EBCACHE_BENCH_LAB_POPULATION_H_
