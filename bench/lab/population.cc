#include "bench/lab/population.h"

#include <utility>

namespace ebcache::lab {

Population::Population(MovableRegion* region, std::string name, AllocFlags flags, bool releasable)
    : region_(region),
      name_(std::move(name)),
      flags_(flags),
      releasable_(releasable),
      id_(region->RegisterOwner(this)) {}

Population::~Population() {
  RemoveRange(0, next_number());
  region_->UnregisterOwner(id_);
}

bool Population::Add(int order, AllocFlags extra) {
  Folio folio;
  const FolioRequest request = {
      .flags = flags_ | extra, .owner = id_, .private_bits = next_number()};
  if (!region_->AllocateBulk(request, order, {&folio, 1}).ok()) return false;
  entries_.push_back(folio.pfn() | static_cast<uint32_t>(order) << kOrderShift);
  frames_ += uint64_t{1} << order;
  return true;
}

void Population::Remove(uint32_t number) {
  const uint32_t entry = std::exchange(entries_[number], kGone);
  Folio folio(PfnOf(entry));
  frames_ -= uint64_t{1} << OrderOf(entry);
  region_->FreeBulk(OrderOf(entry), {&folio, 1});
}

bool Population::RemoveOldest() {
  while (oldest_ < entries_.size() && entries_[oldest_] == kGone) ++oldest_;
  if (oldest_ == entries_.size()) return false;
  Remove(oldest_);
  return true;
}

uint64_t Population::TakeOldest() {
  const uint64_t before = frames_;
  RemoveOldest();
  return before - frames_;
}

bool Population::RemoveAny(Random& random) {
  while (oldest_ < entries_.size() && entries_[oldest_] == kGone) ++oldest_;
  if (oldest_ == entries_.size()) return false;
  for (;;) {
    const auto number = static_cast<uint32_t>(oldest_ + random() % (entries_.size() - oldest_));
    if (entries_[number] == kGone) continue;
    Remove(number);
    return true;
  }
}

void Population::RemoveRange(uint32_t begin, uint32_t end) {
  for (uint32_t number = begin; number < end; ++number) {
    if (entries_[number] != kGone) Remove(number);
  }
}

bool Population::Release(Folio folio, uint32_t number) {
  if (!releasable_ || entries_[number] == kGone || PfnOf(entries_[number]) != folio.pfn()) {
    return false;
  }
  Remove(number);
  return true;
}

bool Population::Migrate(Folio destination, Folio source, uint32_t number) {
  if (entries_[number] == kGone || PfnOf(entries_[number]) != source.pfn()) return false;
  const auto order = static_cast<uint32_t>(OrderOf(entries_[number]));
  entries_[number] = destination.pfn() | order << kOrderShift;
  return true;
}

}  // namespace ebcache::lab
