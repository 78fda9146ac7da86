#include "examples/scrub_output.h"

#include <absl/strings/str_cat.h>

#include <cinttypes>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "ebcache/on_disk.h"
#include "examples/peak_memory.h"
#include "examples/table.h"

namespace ebcache::examples {
namespace {

using Json = nlohmann::ordered_json;

Json DevicesJson(const ScrubReport& report) {
  Json devices = Json::array();
  for (const auto& [id, tally] : report.devices) {
    devices.push_back({{"id", id},
                       {"name", tally.name},
                       {"read_copies", tally.read},
                       {"damaged_copies", tally.damaged},
                       {"missing_copies", tally.missing}});
  }
  return devices;
}

Json DamageJson(const ScrubReport& report) {
  Json damage = Json::array();
  for (const DamagedCopy& one : report.damaged) {
    damage.push_back({{"logical", one.copy.logical},
                      {"mirror", one.copy.mirror},
                      {"device_id", one.copy.device_id},
                      {"device", one.copy.device},
                      {"physical", one.copy.physical},
                      {"tree", one.tree},
                      {"tree_name", TreeRootName(one.tree, one.key_offset)},
                      {"level", one.level},
                      {"reason", one.copy.reason},
                      {"good_mirror", one.good_mirror}});
  }
  return damage;
}

}  // namespace

void PrintScrubText(const ScrubReport& report) {
  Table table({"device", "copies", "damaged", "not read"});
  for (const auto& [id, tally] : report.devices) {
    table.AddRow({tally.name, absl::StrCat(tally.read), absl::StrCat(tally.damaged),
                  absl::StrCat(tally.missing)});
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
  for (const std::string& line : report.lost) std::printf("lost: %s\n", line.c_str());
  if (report.lost_count > report.lost.size()) {
    std::printf("... and %" PRIu64 " more lost blocks\n", report.lost_count - report.lost.size());
  }
  std::printf("%s\n", report.damage()       ? "damaged"
                      : report.incomplete() ? "no damage where there was something to read"
                                            : "clean");
}

void PrintScrubJson(const ScrubReport& report) {
  const Superblock& superblock = report.filesystem->superblock();
  const Json json = {{"fsid", UuidString(superblock.fsid)},
                     {"node_bytes", superblock.node_bytes},
                     {"blocks", report.blocks},
                     {"read_copies", report.totals.read},
                     {"damaged_copies", report.totals.damaged},
                     {"missing_copies", report.totals.missing},
                     {"lost_blocks", report.lost_count},
                     {"read_bytes", report.bytes_read()},
                     {"elapsed_s", report.elapsed_s},
                     {"bytes_per_s", report.bytes_per_s()},
                     {"peak_rss_bytes", PeakRssBytes()},
                     {"devices", DevicesJson(report)},
                     {"damage", DamageJson(report)},
                     {"lost", report.lost},
                     {"superblocks", report.superblocks},
                     {"notices", report.filesystem->volume().notices()}};
  // Names may hold any bytes.
  const std::string text = json.dump(2, ' ', false, Json::error_handler_t::replace);
  std::printf("%s\n", text.c_str());
}

}  // namespace ebcache::examples
