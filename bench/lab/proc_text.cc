// What is free, in the shape in which Linux says it of itself.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "bench/lab/report.h"

namespace ebcache::lab {
namespace {

constexpr std::array<const char*, kMobilities> kMobilityNames = {"Unmovable", "Reclaimable",
                                                                 "Movable", "Isolate"};

std::string Row(const BlocksByOrder& blocks) {
  std::string text;
  for (const uint64_t count : blocks) absl::StrAppendFormat(&text, " %6d", count);
  return text;
}

// Zones without a free block are left out.
std::string BuddyInfo(const FreeMemoryReport& free) {
  std::string text;
  for (size_t zone = 0; zone < free.by_zone.size(); ++zone) {
    const BlocksByOrder& blocks = free.by_zone[zone];
    if (std::count(blocks.begin(), blocks.end(), 0) == std::ssize(blocks)) continue;
    absl::StrAppendFormat(&text, "Node 0, zone %8d%s\n", zone, Row(blocks));
  }
  return text;
}

std::string PageTypeInfo(const FreeMemoryReport& free) {
  std::string text = absl::StrFormat("Page block order: %d\nPages per block:  %d\n\n",
                                     free.pageblock_order, 1 << free.pageblock_order);
  absl::StrAppendFormat(&text, "%-43s", "Free pages count per migrate type at order");
  for (size_t order = 0; order < free.by_mobility[0].size(); ++order) {
    absl::StrAppendFormat(&text, " %6d", order);
  }
  text += "\n";
  for (size_t i = 0; i < free.by_mobility.size(); ++i) {
    absl::StrAppendFormat(&text, "Node    0, zone   Normal, type %12s  %s\n", kMobilityNames[i],
                          Row(free.by_mobility[i]));
  }
  absl::StrAppendFormat(&text, "\n%-23s", "Number of blocks type");
  for (const char* name : kMobilityNames) absl::StrAppendFormat(&text, " %12s", name);
  text += "\nNode 0, zone   Normal  ";
  for (const uint64_t blocks : free.pageblocks) absl::StrAppendFormat(&text, " %12d", blocks);
  return text + "\n";
}

}  // namespace

std::string ToProcText(const Lab& lab) {
  std::string text;
  for (const Run& run : lab.runs) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", RunName(lab, run),
                    ":\n\n", BuddyInfo(run.free), "\n", PageTypeInfo(run.free));
  }
  return text;
}

}  // namespace ebcache::lab
