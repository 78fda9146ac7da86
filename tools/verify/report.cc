#include "tools/verify/report.h"

#include <absl/strings/str_cat.h>

#include <cinttypes>
#include <cstdio>
#include <string>

#include "ebcache/on_disk.h"
#include "tools/json_output.h"
#include "tools/memory_report.h"
#include "tools/table.h"

namespace ebcache::tools {
namespace {

Json DevicesJson(const ScrubReport& report) {
  Json devices = Json::array();
  for (const auto& [id, tally] : report.devices) {
    devices.push_back({{"id", id},
                       {"name", tally.name},
                       {"read_copies", tally.read},
                       {"damaged_copies", tally.damaged},
                       {"missing_copies", tally.missing},
                       {"no_memory_copies", tally.no_memory}});
  }
  return devices;
}

Json DamageJson(const ScrubReport& report) {
  Json damage = Json::array();
  for (const DamagedCopy& one : report.damaged) {
    damage.push_back({{"logical", one.copy.logical},
                      {"mirror", one.copy.mirror},
                      {"device_id", one.copy.place.device_id},
                      {"device", one.copy.device},
                      {"physical", one.copy.place.offset},
                      {"tree", one.tree},
                      {"tree_name", TreeRootName(one.tree, one.key_offset)},
                      {"tree_deleted", one.tree_deleted},
                      {"level", one.level},
                      {"reason", one.copy.reason},
                      {"good_mirror", one.good_mirror.value_or(0)}});
  }
  return damage;
}

Json LinesJson(const std::vector<BlockDamage>& blocks) {
  Json lines = Json::array();
  for (const BlockDamage& block : blocks) lines.push_back(block.ToString());
  return lines;
}

void PrintLost(const LostBlocks& lost) {
  const std::vector<BlockDamage>& kept = lost.kept(Cause::kDamage);
  for (const BlockDamage& block : kept) std::printf("lost: %s\n", block.ToString().c_str());
  const uint64_t more = lost.count(Cause::kDamage) - kept.size();
  if (more > 0) std::printf("... and %" PRIu64 " more lost blocks\n", more);
}

}  // namespace

void PrintScrubText(const ScrubReport& report) {
  Table table({"device", "copies", "damaged", "not read"});
  for (const auto& [id, tally] : report.devices) {
    table.AddRow({tally.name, absl::StrCat(tally.read), absl::StrCat(tally.damaged),
                  absl::StrCat(tally.missing + tally.no_memory)});
  }
  std::printf("%" PRIu64 " blocks, %" PRIu64
              " copies of them read and verified: %s in %.2f s, %s/s\n\n",
              report.blocks, report.totals.read, HumanBytes(report.bytes_read()).c_str(),
              report.elapsed_s, HumanBytes(static_cast<uint64_t>(report.bytes_per_s())).c_str());
  table.Print();
  std::printf("\n");
  for (const std::string& line : report.superblocks) std::printf("superblock: %s\n", line.c_str());
  for (const DamagedCopy& copy : report.damaged) {
    std::printf("damaged: %s\n", copy.ToString().c_str());
  }
  if (report.totals.damaged > report.damaged.size()) {
    std::printf("... and %" PRIu64 " more damaged copies\n",
                report.totals.damaged - report.damaged.size());
  }
  PrintLost(report.lost);
  if (report.lost.unread_count() > 0) {
    std::printf("not read: %" PRIu64 " blocks on missing devices, %" PRIu64
                " for want of memory, and what is below them\n",
                report.lost.count(Cause::kMissingDevice), report.lost.count(Cause::kNoMemory));
  }
  std::printf("%s\n", report.damage()       ? "damaged"
                      : report.incomplete() ? "no damage where there was something to read"
                                            : "clean");
}

void PrintScrubJson(const ScrubReport& report) {
  const Volume& volume = report.filesystem->volume();
  const Superblock& superblock = report.filesystem->superblock();
  const Json json = {{"fsid", UuidString(superblock.fsid)},
                     {"node_bytes", superblock.node_bytes},
                     {"blocks", report.blocks},
                     {"read_copies", report.totals.read},
                     {"damaged_copies", report.totals.damaged},
                     {"missing_copies", report.totals.missing},
                     {"no_memory_copies", report.totals.no_memory},
                     {"lost_blocks", report.lost_count()},
                     {"missing_device_blocks", report.lost.count(Cause::kMissingDevice)},
                     {"no_memory_blocks", report.lost.count(Cause::kNoMemory)},
                     {"missing_devices", MissingDevicesJson(volume)},
                     {"read_bytes", report.bytes_read()},
                     {"elapsed_s", report.elapsed_s},
                     {"bytes_per_s", report.bytes_per_s()},
                     {"peak_rss_bytes", PeakRssBytes()},
                     {"devices", DevicesJson(report)},
                     {"damage", DamageJson(report)},
                     {"lost", LinesJson(report.lost.kept(Cause::kDamage))},
                     {"missing_device", LinesJson(report.lost.kept(Cause::kMissingDevice))},
                     {"no_memory", LinesJson(report.lost.kept(Cause::kNoMemory))},
                     {"superblocks", report.superblocks},
                     {"notices", volume.notices()}};
  PrintJson(json);
}

}  // namespace ebcache::tools
