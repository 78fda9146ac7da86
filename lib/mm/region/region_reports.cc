// What a movable region says of itself.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <array>
#include <vector>

#include "lib/mm/region/movable_region_impl.h"

namespace ebcache {
namespace {

constexpr std::array<const char*, kMobilities> kMobilityNames = {"Unmovable", "Reclaimable",
                                                                 "Movable", "Isolate"};

using Counts = std::array<uint64_t, FreeArea::kOrders>;

std::string JsonArray(const Counts& counts, int orders) {
  std::string text = "[";
  for (int order = 0; order < orders; ++order) {
    absl::StrAppend(&text, order == 0 ? "" : ", ", counts[static_cast<size_t>(order)]);
  }
  return text + "]";
}

std::string TextRow(const Counts& counts, int orders) {
  std::string text;
  for (int order = 0; order < orders; ++order) {
    absl::StrAppendFormat(&text, " %6d", counts[static_cast<size_t>(order)]);
  }
  return text;
}

}  // namespace

std::string_view SuperpageblockCategoryName(SuperpageblockCategory category) {
  constexpr std::array<std::string_view, kSuperpageblockCategories> kNames = {
      "empty", "clean", "tainted", "isolated"};
  return kNames[static_cast<size_t>(category)];
}

MovableRegionReport MovableRegion::Impl::report() const {
  sync::MutexLock lock(mutex_);
  MovableRegionReport report = counters_;
  report.superpageblocks = geometry_.superpageblocks();
  for (int i = 0; i < kSuperpageblockCategories; ++i) {
    report.by_category[static_cast<size_t>(i)] =
        state_.superpageblocks().CountOf(static_cast<SuperpageblockCategory>(i));
  }
  // What has no memory counts as clean and full there.
  const uint32_t refused = geometry_.SuperpageblockOf(geometry_.frames - frames_.usable_frames());
  report.refused_superpageblocks = refused;
  report.superpageblocks -= refused;
  report.by_category[static_cast<size_t>(SuperpageblockCategory::kClean)] -= refused;
  report.free_frames = state_.free_frames();
  for (uint32_t i = 0; i < geometry_.superpageblocks(); ++i) {
    report.free_pageblocks += state_.superpageblocks()[i].free_pageblocks;
  }
  report.defrag_failures = threads_.failures();
  report.stolen_pageblocks = steering_.counters().stolen_pageblocks;
  report.mixed_allocations = steering_.counters().mixed_allocations;
  for (const OwnerReport& owner : owner_reports_) {
    if (owner.migrated + owner.released + owner.refused != 0) report.owners.push_back(owner);
  }
  return report;
}

FrameCounts MovableRegion::Impl::CountFrames(uint32_t first, uint32_t frames) const {
  FrameCounts counts;
  sync::MutexLock lock(mutex_);
  if (!frames_.reserved()) {
    counts.free = frames;
    return counts;
  }
  const uint32_t end = first + frames;
  // The folio or free block that begins before the range and reaches into it, if there is one.
  uint32_t pfn = first;
  for (int order = 0; order <= geometry_.superpageblock_order; ++order) {
    const uint32_t head = first & ~((uint32_t{1} << order) - 1);
    const FrameState state = frames_[head].Load();
    const bool is_head = state.use == FrameUse::kFree || state.use == FrameUse::kAllocated;
    if (is_head && head + (uint32_t{1} << state.order) > first) {
      pfn = head;
      break;
    }
  }
  while (pfn < end) {
    const FrameState state = frames_[pfn].Load();
    const bool is_head = state.use == FrameUse::kFree || state.use == FrameUse::kAllocated;
    const uint32_t next = pfn + (is_head ? uint32_t{1} << state.order : 1);
    const uint32_t inside = std::min(next, end) - std::max(pfn, first);
    if (state.use == FrameUse::kFree) counts.free += inside;
    if (state.use == FrameUse::kListed) counts.listed += inside;
    if (state.use == FrameUse::kAllocated) {
      counts.by_owner[state.owner] += inside;
      (state.movable ? counts.movable
                     : (state.reclaimable ? counts.reclaimable : counts.unmovable)) += inside;
    }
    pfn = next;
  }
  return counts;
}

namespace {

// Free blocks of one zone, of all mobilities.
Counts FreeBlocksOf(const Buddy& buddy, uint32_t zone) {
  Counts counts{};
  for (int mobility = 0; mobility < kMobilities; ++mobility) {
    const FreeArea& area = buddy.area(zone, static_cast<Mobility>(mobility));
    for (size_t order = 0; order < counts.size(); ++order) counts[order] += area.blocks[order];
  }
  return counts;
}

// Free blocks of one mobility, in all zones.
Counts FreeBlocksOf(const Buddy& buddy, Mobility mobility) {
  Counts counts{};
  for (uint32_t zone = 0; zone < buddy.zones(); ++zone) {
    const FreeArea& area = buddy.area(zone, mobility);
    for (size_t order = 0; order < counts.size(); ++order) counts[order] += area.blocks[order];
  }
  return counts;
}

std::array<uint64_t, kMobilities> PageblocksByMobility(const RegionState& state) {
  std::array<uint64_t, kMobilities> blocks{};
  for (uint32_t block = 0; block < state.geometry().pageblocks(); ++block) {
    ++blocks[static_cast<size_t>(state.mobility(block))];
  }
  return blocks;
}

}  // namespace

std::string MovableRegion::Impl::BuddyInfoText() const {
  sync::MutexLock lock(mutex_);
  std::string text;
  for (uint32_t zone = 0; zone < state_.buddy().zones(); ++zone) {
    const Counts counts = FreeBlocksOf(state_.buddy(), zone);
    if (counts == Counts{}) continue;
    absl::StrAppendFormat(&text, "Node 0, zone %8d%s\n", zone,
                          TextRow(counts, state_.buddy().max_order() + 1));
  }
  return text;
}

std::string MovableRegion::Impl::BuddyInfoJson() const {
  sync::MutexLock lock(mutex_);
  std::string text = "{\"zones\": [";
  for (uint32_t zone = 0; zone < state_.buddy().zones(); ++zone) {
    absl::StrAppend(&text, zone == 0 ? "" : ", ",
                    JsonArray(FreeBlocksOf(state_.buddy(), zone), state_.buddy().max_order() + 1));
  }
  absl::StrAppend(&text, "], \"superpageblocks\": [");
  for (uint32_t i = 0; i < geometry_.superpageblocks(); ++i) {
    const Superpageblock& block = state_.superpageblocks()[i];
    const std::string_view category = SuperpageblockCategoryName(block.category);
    absl::StrAppendFormat(&text,
                          "%s{\"category\": \"%s\", \"free_frames\": %d, "
                          "\"nonmovable_frames\": %d, \"free_pageblocks\": %d}",
                          i == 0 ? "" : ", ", absl::string_view(category.data(), category.size()),
                          block.free_frames, block.nonmovable_frames, block.free_pageblocks);
  }
  return text + "]}";
}

std::string MovableRegion::Impl::PageTypeInfoText() const {
  sync::MutexLock lock(mutex_);
  const int orders = state_.buddy().max_order() + 1;
  std::string text = absl::StrFormat("Page block order: %d\nPages per block:  %d\n\n",
                                     geometry_.pageblock_order, geometry_.pageblock_frames());
  absl::StrAppendFormat(&text, "%-43s", "Free pages count per migrate type at order");
  for (int order = 0; order < orders; ++order) absl::StrAppendFormat(&text, " %6d", order);
  text += "\n";
  for (int i = 0; i < kMobilities; ++i) {
    const Counts counts = FreeBlocksOf(state_.buddy(), static_cast<Mobility>(i));
    absl::StrAppendFormat(&text, "Node    0, zone   Normal, type %12s  %s\n",
                          kMobilityNames[static_cast<size_t>(i)], TextRow(counts, orders));
  }
  absl::StrAppendFormat(&text, "\n%-23s", "Number of blocks type");
  for (const char* name : kMobilityNames) absl::StrAppendFormat(&text, " %12s", name);
  text += "\nNode 0, zone   Normal  ";
  for (const uint64_t blocks : PageblocksByMobility(state_)) {
    absl::StrAppendFormat(&text, " %12d", blocks);
  }
  return text + "\n";
}

std::string MovableRegion::Impl::PageTypeInfoJson() const {
  sync::MutexLock lock(mutex_);
  const int orders = state_.buddy().max_order() + 1;
  std::string text =
      absl::StrFormat("{\"pageblock_order\": %d, \"free_blocks\": {", geometry_.pageblock_order);
  for (int i = 0; i < kMobilities; ++i) {
    absl::StrAppendFormat(
        &text, "%s\"%s\": %s", i == 0 ? "" : ", ", kMobilityNames[static_cast<size_t>(i)],
        JsonArray(FreeBlocksOf(state_.buddy(), static_cast<Mobility>(i)), orders));
  }
  absl::StrAppend(&text, "}, \"pageblocks\": {");
  const std::array<uint64_t, kMobilities> blocks = PageblocksByMobility(state_);
  for (size_t i = 0; i < blocks.size(); ++i) {
    absl::StrAppendFormat(&text, "%s\"%s\": %d", i == 0 ? "" : ", ", kMobilityNames[i], blocks[i]);
  }
  return text + "}}";
}

}  // namespace ebcache
