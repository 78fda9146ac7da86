#include "bench/lab/census.h"

#include <algorithm>
#include <string>
#include <utility>

namespace ebcache::lab {

const char* ContentName(Content content) {
  constexpr std::array<const char*, kContents> kNames = {
      "free",        "anonymous", "page cache",        "btree, movable",     "btree, unmovable",
      "reclaimable", "unmovable", "other btrfs users", "huge page obtained"};
  return kNames[static_cast<size_t>(content)];
}

const RangeCount* Census::Ranges(uint32_t mib) const {
  const auto found = std::find_if(ranges.begin(), ranges.end(),
                                  [mib](const RangeCount& range) { return range.mib == mib; });
  return found == ranges.end() ? nullptr : &*found;
}

std::vector<RangeCount> CountRanges(const std::vector<BlockMarks>& blocks) {
  constexpr uint32_t kBlockMib = 2;
  std::vector<RangeCount> counts;
  for (uint32_t mib = kBlockMib; mib <= 1024; mib *= 2) {
    const size_t each = mib / kBlockMib;
    RangeCount count = {.mib = mib};
    for (size_t first = 0; first + each <= blocks.size(); first += each) {
      bool kernel = false, btree = false;
      for (size_t i = first; i < first + each; ++i) {
        kernel = kernel || blocks[i].kernel;
        btree = btree || blocks[i].btree;
      }
      ++count.ranges;
      count.without_kernel += !kernel;
      count.without_either += !kernel && !btree;
      count.with_btree += btree;
    }
    counts.push_back(count);
  }
  return counts;
}

nlohmann::ordered_json ToJson(const Census& census) {
  using Json = nlohmann::ordered_json;
  Json ranges = Json::object();
  for (const RangeCount& range : census.ranges) {
    ranges[std::to_string(range.mib)] = {range.ranges, range.without_kernel, range.without_either,
                                         range.with_btree};
  }
  const auto of = [&](Mobility mobility) { return census.by_type[static_cast<size_t>(mobility)]; };
  return {{"pages",
           {{"free", census.free},
            {"pcp", census.listed},
            {"anon", census.anonymous},
            {"file", census.file},
            {"btree", census.btree},
            {"btree_busy", census.btree_in_use},
            {"btree_bare", census.btree_bare},
            {"slab", census.slab},
            {"table", census.table},
            {"huge", census.huge},
            {"other", census.other}}},
          {"pageblocks_by_type",
           {{"unmovable", of(Mobility::kUnmovable)},
            {"movable", of(Mobility::kMovable)},
            {"reclaimable", of(Mobility::kReclaimable)}}},
          {"usable_pageblocks", census.pageblocks},
          {"usable_with_kernel_pages", census.with_kernel},
          {"usable_with_btree", census.with_btree},
          {"usable_wholly_free", census.wholly_free},
          {"ranges_mib", ranges},
          {"free_blocks_by_order", census.free_blocks}};
}

Census CensusFrom(const nlohmann::ordered_json& json) {
  Census census;
  const auto pages = json.value("pages", nlohmann::ordered_json::object());
  const std::pair<const char*, uint64_t*> fields[] = {
      {"free", &census.free},   {"pcp", &census.listed},
      {"anon", &census.anonymous}, {"file", &census.file},
      {"btree", &census.btree}, {"btree_busy", &census.btree_in_use},
      {"btree_bare", &census.btree_bare}, {"slab", &census.slab},
      {"table", &census.table}, {"huge", &census.huge},
      {"other", &census.other}};
  for (const auto& [name, field] : fields) *field = pages.value(name, uint64_t{0});
  const auto types = json.value("pageblocks_by_type", nlohmann::ordered_json::object());
  census.by_type = {types.value("unmovable", uint64_t{0}), types.value("reclaimable", uint64_t{0}),
                    types.value("movable", uint64_t{0}), 0};
  census.pageblocks = json.value("usable_pageblocks", 0U);
  census.with_kernel = json.value("usable_with_kernel_pages", 0U);
  census.with_btree = json.value("usable_with_btree", 0U);
  census.wholly_free = json.value("usable_wholly_free", 0U);
  for (const auto& [mib, counts] : json.at("ranges_mib").items()) {
    census.ranges.push_back({.mib = static_cast<uint32_t>(std::stoul(mib)),
                             .ranges = counts.at(0),
                             .without_kernel = counts.at(1),
                             .without_either = counts.at(2),
                             .with_btree = counts.at(3)});
  }
  census.free_blocks = json.value("free_blocks_by_order", std::vector<uint64_t>{});
  return census;
}

}  // namespace ebcache::lab
