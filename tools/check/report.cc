#include "tools/check/report.h"

#include <absl/strings/str_cat.h>

#include <cinttypes>
#include <cstdio>
#include <string>
#include <utility>

#include "tools/json_output.h"
#include "tools/memory_report.h"
#include "tools/table.h"

namespace ebcache::tools {
namespace {

template <typename Use>
void ForEachKind(Use use) {
  for (size_t i = 0; i < kFindingKinds; ++i) use(static_cast<FindingKind>(i));
}

Json KeyJson(const std::optional<Key>& key) {
  if (!key) return nullptr;
  return {{"objectid", key->objectid}, {"type", key->type}, {"offset", key->offset}};
}

Json FindingJson(const Finding& finding) {
  Json json = {{"kind", std::string(FindingKindName(finding.kind))}};
  json["tree"] = finding.tree ? Json(*finding.tree) : Json(nullptr);
  json["key"] = KeyJson(finding.key);
  json["address"] = finding.address ? Json(*finding.address) : Json(nullptr);
  json["found"] = finding.found;
  json["expected"] = finding.expected;
  return json;
}

const char* Verdict(const CheckReport& report) {
  if (report.damaged()) return "damaged";
  return report.incomplete() ? "incomplete" : "sound";
}

}  // namespace

void PrintCheckText(Filesystem& filesystem, const CheckReport& report) {
  const Superblock superblock = filesystem.superblock();
  std::printf("filesystem %s, generation %" PRIu64 "\n", UuidString(superblock.fsid).c_str(),
              superblock.generation);
  std::printf("%" PRIu64 " trees, %" PRIu64 " blocks of %s, %s allocated, in %.2f s\n",
              report.trees, report.blocks, HumanBytes(superblock.node_bytes).c_str(),
              HumanBytes(report.allocated_bytes).c_str(), report.elapsed_s);
  ForEachKind([&](FindingKind kind) {
    for (const Finding& finding : report.findings->kept(kind)) {
      std::printf("%s\n", finding.ToString().c_str());
    }
    const uint64_t more = report.findings->count(kind) - report.findings->kept(kind).size();
    if (more > 0) {
      std::printf("... and %" PRIu64 " more of %s\n", more,
                  std::string(FindingKindName(kind)).c_str());
    }
  });
  for (const std::string& notice : report.notices) std::printf("note: %s\n", notice.c_str());
  if (report.lost.unread_count() > 0) {
    std::printf("not read: %" PRIu64 " blocks on missing devices, %" PRIu64
                " for want of memory, and what is below them\n",
                report.lost.count(Cause::kMissingDevice), report.lost.count(Cause::kNoMemory));
  }
  std::printf("%s: %" PRIu64 " findings\n", Verdict(report), report.findings->total());
}

void PrintCheckJson(Filesystem& filesystem, const CheckOptions& options,
                    const CheckReport& report) {
  const Superblock superblock = filesystem.superblock();
  Json counts = Json::object();
  Json findings = Json::array();
  ForEachKind([&](FindingKind kind) {
    if (report.findings->count(kind) == 0) return;
    counts[std::string(FindingKindName(kind))] = report.findings->count(kind);
    for (const Finding& finding : report.findings->kept(kind)) {
      findings.push_back(FindingJson(finding));
    }
  });
  PrintJson({{"fsid", UuidString(superblock.fsid)},
             {"generation", superblock.generation},
             {"node_bytes", superblock.node_bytes},
             {"verdict", Verdict(report)},
             {"total_findings", report.findings->total()},
             {"counts", std::move(counts)},
             {"findings", std::move(findings)},
             {"notices", report.notices},
             {"trees", report.trees},
             {"blocks", report.blocks},
             {"allocated_bytes", report.allocated_bytes},
             {"missing_device_blocks", report.lost.count(Cause::kMissingDevice)},
             {"no_memory_blocks", report.lost.count(Cause::kNoMemory)},
             {"missing_devices", MissingDevicesJson(filesystem.volume())},
             {"buckets", report.buckets},
             {"differing_buckets", report.differing_buckets},
             {"memory_bytes", options.memory_bytes},
             {"threads", options.threads},
             {"elapsed_s", report.elapsed_s},
             {"peak_rss_bytes", PeakRssBytes()}});
}

}  // namespace ebcache::tools
