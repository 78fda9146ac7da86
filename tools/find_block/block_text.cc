#include <absl/strings/str_cat.h>

#include <cinttypes>
#include <cstdio>
#include <string>

#include "ebcache/on_disk.h"
#include "tools/find_block/block_report.h"
#include "tools/table.h"

namespace ebcache::tools {
namespace {

void PrintPlace(const BlockReport& report) {
  std::printf("block %" PRIu64 ", %" PRIu32 " bytes: %s\n", report.logical, report.node_bytes,
              BlockVerdictName(report.verdict));
  if (report.asked != report.logical) {
    std::printf("address %" PRIu64 " is %" PRIu64 " bytes into it\n", report.asked,
                report.asked - report.logical);
  }
  if (!report.chunk) return;
  std::printf("chunk %" PRIu64 ", %s, %s\n", report.chunk->logical,
              HumanBytes(report.chunk->length).c_str(), ChunkTypeName(*report.chunk).c_str());
}

void PrintCopies(const BlockReport& report) {
  if (report.copies.empty()) {
    std::printf("\nno copies: %s\n", report.no_copies.c_str());
    return;
  }
  Table table({"mirror", "device", "offset", "generation", "state", "name"});
  for (const BlockCopy& copy : report.copies) {
    table.AddRow({absl::StrCat(copy.mirror), absl::StrCat(copy.place.device_id),
                  absl::StrCat(copy.place.offset),
                  copy.facts ? absl::StrCat(copy.facts->generation) : "-",
                  BlockCopyStateName(copy.state), copy.device});
  }
  std::printf("\n");
  table.Print();
  for (const BlockCopy& copy : report.copies) {
    if (copy.reason.empty()) continue;
    std::printf("mirror %d: %s\n", copy.mirror, copy.reason.c_str());
  }
}

void PrintFacts(const BlockFacts& facts) {
  std::printf("\nowner %s, level %d, generation %" PRIu64 ", %" PRIu32 " items%s\n",
              TreeName(facts.owner).c_str(), facts.level, facts.generation, facts.items,
              facts.first_key ? absl::StrCat(" from ", facts.first_key->ToString()).c_str() : "");
}

void PrintPath(const BlockPath& path) {
  std::printf("\npath in tree %s%s, found by %s:\n", path.tree.name.c_str(),
              path.tree.deleted() ? " (deleted)" : "",
              path.found_by == BlockPath::FoundBy::kKey ? "its first key" : "walking the trees");
  Table table({"level", "block", "slot"});
  for (const BlockPath::Step& step : path.steps) {
    const bool last = &step == &path.steps.back();
    table.AddRow({absl::StrCat(step.level), absl::StrCat(step.logical),
                  last ? "" : absl::StrCat(step.slot)});
  }
  table.Print();
}

void PrintNoPath(const BlockReport& report) {
  if (report.chunk && !report.copies.empty() &&
      report.copies.front().state == BlockCopy::State::kData) {
    std::printf("\nno tree block: the chunk is for data\n");
    return;
  }
  std::printf("\nno path: no tree leads there%s\n",
              report.search.complete() ? "" : " as far as they can be read");
}

}  // namespace

void PrintBlockText(const BlockReport& report) {
  PrintPlace(report);
  PrintCopies(report);
  if (report.facts) PrintFacts(*report.facts);
  if (report.search.path) {
    PrintPath(*report.search.path);
  } else {
    PrintNoPath(report);
  }
}

}  // namespace ebcache::tools
