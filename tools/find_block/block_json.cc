#include <string>

#include "ebcache/on_disk.h"
#include "tools/find_block/block_report.h"
#include "tools/json_output.h"
#include "tools/tree_counts.h"

namespace ebcache::tools {
namespace {

Json KeyJson(const Key& key) {
  return {{"objectid", key.objectid}, {"type", key.type}, {"offset", key.offset}};
}

Json ChunkJson(const Chunk& chunk) {
  return {{"logical", chunk.logical}, {"bytes", chunk.length}, {"type", ChunkTypeName(chunk)}};
}

Json CopyJson(const BlockCopy& copy) {
  Json json = {{"mirror", copy.mirror},
               {"device_id", copy.place.device_id},
               {"device", copy.device},
               {"physical", copy.place.offset},
               {"state", BlockCopyStateName(copy.state)},
               {"reason", copy.reason}};
  json["generation"] = copy.facts ? Json(copy.facts->generation) : Json(nullptr);
  return json;
}

Json FactsJson(const BlockFacts& facts) {
  return {{"owner", facts.owner},
          {"owner_name", TreeName(facts.owner)},
          {"level", facts.level},
          {"generation", facts.generation},
          {"items", facts.items},
          {"first_key", facts.first_key ? KeyJson(*facts.first_key) : Json(nullptr)}};
}

Json PathJson(const BlockPath& path) {
  Json blocks = Json::array();
  for (const BlockPath::Step& step : path.steps) {
    const bool last = &step == &path.steps.back();
    blocks.push_back({{"level", step.level},
                      {"logical", step.logical},
                      {"slot", last ? Json(nullptr) : Json(step.slot)}});
  }
  return {{"tree", path.tree.id},
          {"key_offset", path.tree.key_offset},
          {"tree_name", path.tree.name},
          {"tree_state", TreeStateName(path.tree)},
          {"found_by", path.found_by == BlockPath::FoundBy::kKey ? "key" : "walk"},
          {"blocks", std::move(blocks)}};
}

}  // namespace

void PrintBlockJson(const BlockReport& report) {
  Json copies = Json::array();
  for (const BlockCopy& copy : report.copies) copies.push_back(CopyJson(copy));
  const LostBlocks& lost = report.search.lost;
  Json damage = Json::array();
  for (const BlockDamage& one : lost.kept(Cause::kDamage)) damage.push_back(one.ToString());
  const Json json = {{"asked", report.asked},
                     {"logical", report.logical},
                     {"node_bytes", report.node_bytes},
                     {"verdict", BlockVerdictName(report.verdict)},
                     {"chunk", report.chunk ? ChunkJson(*report.chunk) : Json(nullptr)},
                     {"copies", std::move(copies)},
                     {"no_copies", report.no_copies},
                     {"block", report.facts ? FactsJson(*report.facts) : Json(nullptr)},
                     {"path", report.search.path ? PathJson(*report.search.path) : Json(nullptr)},
                     {"damaged_subtrees", lost.count(Cause::kDamage)},
                     {"missing_device_subtrees", lost.count(Cause::kMissingDevice)},
                     {"no_memory_subtrees", lost.count(Cause::kNoMemory)},
                     {"damage", std::move(damage)}};
  PrintJson(json);
}

}  // namespace ebcache::tools
