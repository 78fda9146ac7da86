#include "tools/top/cache_frame.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/string_view.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "ebcache/extent_buffer.h"
#include "tools/table.h"
#include "tools/top/region_map.h"

namespace ebcache::tools {
namespace {

constexpr size_t kBarColumns = 30;

std::string BytesPerSecond(const WalkRates& rates, uint64_t blocks, uint32_t node_bytes) {
  const std::optional<double> rate = rates.PerSecond(blocks * node_bytes);
  return rate ? HumanBytes(static_cast<uint64_t>(*rate)) + "/s" : "-";
}

std::string BlocksPerSecond(const WalkRates& rates) {
  const std::optional<double> rate = rates.PerSecond(rates.blocks);
  return rate ? absl::StrFormat("%.0f blocks/s", *rate) : "- blocks/s";
}

std::string LostWords(const WalkCounts& walk) {
  std::string words = absl::StrCat(walk.lost_blocks, " lost");
  if (walk.unread_blocks > 0) absl::StrAppend(&words, ", ", walk.unread_blocks, " not read");
  return words;
}

std::string WalkLine(const CacheSample& sample) {
  return absl::StrFormat("walk    %d blocks, %d passes, %s; %s, %s", sample.walk.blocks,
                         sample.walk.passes, LostWords(sample.walk), BlocksPerSecond(sample.lately),
                         BytesPerSecond(sample.lately, sample.lately.blocks, sample.node_bytes));
}

std::string HitsLine(const CacheSample& sample) {
  return absl::StrFormat("hits    %.1f %% lately, %.1f %% in all; %d blocks read, %s, %d failed",
                         sample.lately.hit_percent(), sample.total.hit_percent(),
                         sample.total.reads,
                         BytesPerSecond(sample.lately, sample.lately.reads, sample.node_bytes),
                         sample.cache.read_failures);
}

std::string Bar(uint64_t part, uint64_t whole) {
  const double full = static_cast<double>(part) / static_cast<double>(whole);
  const size_t columns = static_cast<size_t>(std::min(full, 1.0) * kBarColumns);
  return absl::StrCat("[", std::string(columns, '#'), std::string(kBarColumns - columns, ' '), "]");
}

std::string BudgetLine(const CacheSample& sample) {
  const std::string cached = HumanBytes(sample.cache.cached_bytes);
  if (sample.budget_bytes == 0) return absl::StrCat("budget  ", cached, ", no limit");
  return absl::StrCat("budget  ", cached, " of ", HumanBytes(sample.budget_bytes), " ",
                      Bar(sample.cache.cached_bytes, sample.budget_bytes));
}

std::string BuffersLine(const CacheStats& cache) {
  return absl::StrFormat("buffers %d, reclaimed %d, over budget %d; descriptors %s, index %s",
                         cache.cached_buffers, cache.reclaimed, cache.over_budget_creates,
                         HumanBytes(cache.descriptor_bytes), HumanBytes(cache.index_bytes));
}

std::string PinsLine(const CacheSample& sample) {
  std::string line = "pins   ";
  absl::string_view separator = " ";
  for (const auto& [verdict, buffers] : sample.pins) {
    if (buffers == 0 && verdict != ReleaseVerdict::kEligible) continue;
    const std::string_view name = ReleaseVerdictName(verdict);
    absl::StrAppend(&line, separator, absl::string_view(name.data(), name.size()), " ", buffers);
    separator = ", ";
  }
  return line;
}

std::string PagesLine(const CacheSample& sample) {
  const AllocatorStats& pages = sample.pages;
  return absl::StrFormat("pages   %s, %s: %s in use, %s from the OS; %d failed", sample.allocator,
                         HumanBytes(pages.page_bytes), HumanBytes(pages.in_use_bytes),
                         HumanBytes(pages.from_os_bytes), pages.failed_allocations);
}

std::string PiecesLine(const AllocatorStats& pages) {
  return absl::StrFormat(
      "pieces  of %d blocks %d in one piece: %d one folio, %d by luck, %d mapped",
      pages.allocated_blocks, pages.contiguous_blocks, pages.large_blocks, pages.lucky_blocks,
      pages.mapped_blocks);
}

std::string RegionLine(const MovableRegionReport& report) {
  std::string line = "region  superpageblocks:";
  for (int i = 0; i < kSuperpageblockCategories; ++i) {
    const std::string_view name =
        SuperpageblockCategoryName(static_cast<SuperpageblockCategory>(i));
    absl::StrAppend(&line, " ", report.by_category[static_cast<size_t>(i)], " ",
                    absl::string_view(name.data(), name.size()));
  }
  return line;
}

std::string MovesLine(const MovableRegionReport& report) {
  return absl::StrCat("folios  ", report.migrated_folios, " moved, ", report.released_folios,
                      " released, ", report.refused_folios, " refused");
}

std::string FreeLine(const RegionSample& region) {
  std::string line = "free    order:blocks";
  for (size_t order = 0; order < region.free_blocks.size(); ++order) {
    if (region.free_blocks[order] == 0) continue;
    absl::StrAppend(&line, "  ", order, ":", region.free_blocks[order]);
  }
  return line;
}

const char* ColourOf(char character) {
  for (const MapLegend& entry : RegionMapLegend()) {
    if (entry.character == character) return entry.colour;
  }
  return "0";
}

// One escape sequence for each run of a colour.
std::string Coloured(absl::string_view map) {
  std::string line;
  char before = 0;
  for (const char character : map) {
    if (character != before) absl::StrAppend(&line, "\x1b[0;", ColourOf(character), "m");
    line += character;
    before = character;
  }
  return line + "\x1b[0m";
}

void AddMapTitle(const RegionSample& region, std::vector<std::string>& lines) {
  std::string title = absl::StrCat("map     ", region.map.size());
  if (region.map.size() < region.pageblocks) absl::StrAppend(&title, " of ", region.pageblocks);
  absl::StrAppend(&title, " page blocks");
  lines.push_back(title);
  std::string legend = "       ";
  for (const MapLegend& entry : RegionMapLegend()) {
    absl::StrAppend(&legend, " ", std::string(1, entry.character), " ", entry.meaning);
  }
  lines.push_back(legend);
}

void AddMap(const RegionSample& region, size_t columns, bool colours,
            std::vector<std::string>& lines) {
  for (size_t i = 0; i < region.map.size(); i += columns) {
    const std::string row = region.map.substr(i, columns);
    lines.push_back(colours ? Coloured(row) : row);
  }
}

}  // namespace

std::vector<std::string> CacheFrame(const CacheSample& sample, size_t columns, bool colours) {
  std::vector<std::string> lines = {
      absl::StrFormat("ebcache top  %.1f s%s", sample.total.seconds, sample.ended ? ", ended" : ""),
      "",
      WalkLine(sample),
      HitsLine(sample),
      BudgetLine(sample),
      BuffersLine(sample.cache),
      PinsLine(sample),
      PagesLine(sample),
  };
  // Blocks smaller than pages share them, and are not the allocator's to count.
  if (sample.pages.allocated_blocks != 0) lines.push_back(PiecesLine(sample.pages));
  if (sample.region) {
    lines.push_back(RegionLine(sample.region->report));
    lines.push_back(MovesLine(sample.region->report));
    lines.push_back(FreeLine(*sample.region));
  }
  if (sample.region) AddMapTitle(*sample.region, lines);
  for (std::string& line : lines) line = line.substr(0, columns);
  if (sample.region) AddMap(*sample.region, columns, colours, lines);
  return lines;
}

std::string CacheLine(const CacheSample& sample) {
  return absl::StrFormat("%.1f s  %d blocks  %d passes  %s  hits %.1f %%  cache %s of %s  lost %d",
                         sample.total.seconds, sample.walk.blocks, sample.walk.passes,
                         BlocksPerSecond(sample.lately), sample.lately.hit_percent(),
                         HumanBytes(sample.cache.cached_bytes),
                         sample.budget_bytes == 0 ? "no limit" : HumanBytes(sample.budget_bytes),
                         sample.walk.lost_blocks);
}

}  // namespace ebcache::tools
