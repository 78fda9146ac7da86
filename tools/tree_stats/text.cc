#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/filesystem.h"
#include "ebcache/on_disk.h"
#include "tools/memory_report.h"
#include "tools/table.h"
#include "tools/tree_stats/report.h"

namespace ebcache::tools {
namespace {

void PrintFilesystem(Filesystem& filesystem) {
  const Superblock& superblock = filesystem.superblock();
  // Labels come from the disk: no byte of one may be taken for a command by the terminal.
  std::printf("filesystem %s, label \"%s\"\n", UuidString(superblock.fsid).c_str(),
              absl::Utf8SafeCHexEscape(superblock.label).c_str());
  std::printf(
      "generation %" PRIu64 ", node size %s, devices %" PRIu64 ", missing %zu, %s of %s\n\n",
      superblock.generation, HumanBytes(superblock.node_bytes).c_str(), superblock.num_devices,
      filesystem.volume().missing_devices().size(), HumanBytes(superblock.bytes_used).c_str(),
      HumanBytes(superblock.total_bytes).c_str());
}

std::vector<std::string> Row(const std::string& name, const TreeCounts& counts, uint64_t bytes) {
  std::vector<std::string> row = {name, absl::StrCat(counts.items), HumanBytes(bytes)};
  for (uint64_t blocks : counts.levels) row.push_back(absl::StrCat(blocks));
  return row;
}

void PrintTrees(const FilesystemCounts& counts, uint32_t node_bytes) {
  const TreeCounts sum = counts.Sum();
  std::vector<std::string> titles = {"tree", "items", "bytes", "leaves"};
  for (size_t level = 1; level < sum.levels.size(); ++level) {
    titles.push_back(absl::StrCat("level ", level));
  }
  Table table(std::move(titles));
  for (const TreeCounts& tree : counts.trees) {
    const std::string state =
        tree.root.deleted() ? absl::StrCat(" (", TreeStateName(tree.root), ")") : "";
    table.AddRow(Row(tree.root.name + state, tree, tree.blocks() * node_bytes));
  }
  table.AddRow(Row("total", sum, sum.blocks() * node_bytes));
  table.Print();
  std::printf("\n%zu trees, %" PRIu64 " blocks; %" PRIu64 " different ones, %s\n",
              counts.trees.size(), sum.blocks(), counts.unique_blocks,
              HumanBytes(counts.unique_blocks * node_bytes).c_str());
}

}  // namespace

void PrintStatsText(const TreeStatsReport& report) {
  PrintFilesystem(report.filesystem);
  PrintTrees(report.counts, report.filesystem.superblock().node_bytes);
  std::printf("damaged blocks: %" PRIu64 " lost, %" PRIu64 " recovered through another copy\n",
              report.damage.lost_count(), report.damage.recovered_count());
  const LostBlocks& lost = report.damage.lost();
  if (lost.unread_count() > 0) {
    std::printf("blocks of which nothing can be told: %" PRIu64 " on missing devices, %" PRIu64
                " for want of memory\n",
                lost.count(Cause::kMissingDevice), lost.count(Cause::kNoMemory));
  }
  std::printf("\n");
  PrintCacheStats(report.filesystem.cache());
  std::printf("elapsed %.3f s, peak memory %s\n", report.elapsed_s,
              HumanBytes(report.peak_rss_bytes).c_str());
}

}  // namespace ebcache::tools
