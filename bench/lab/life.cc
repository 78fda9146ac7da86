#include "bench/lab/life.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "bench/lab/in_copy.h"

namespace ebcache::lab {
namespace {

using Json = nlohmann::ordered_json;
using Policy = MovableRegionOptions::Policy;

// The order in which a kernel was asked, too.
constexpr int kFirstAsks = 3;
constexpr int kLaterAsks = 2;

std::string MapText(const std::vector<Content>& map) {
  std::string text;
  for (const Content content : map) text.push_back(static_cast<char>('a' + static_cast<int>(content)));
  return text;
}

// What goes through the pipe: the part of Run that is about pages of 2 MiB. The counts of a census as
// ToJson has them are not all of it, so the two that matter are taken out of those.
std::string AskInCopy(Machine& machine) {
  Json asks = Json::array();
  Json stages = Json::array();
  const auto ask = [&](const char* after, int times) {
    for (int i = 0; i < times; ++i) asks.push_back({after, machine.AskForHugePages()});
    stages.push_back({after, machine.samples().size() - 1, ToJson(machine.TakeCensus())});
  };
  const uint64_t moved = machine.CompactAll();
  stages.push_back({"compacted", machine.samples().size() - 1, ToJson(machine.TakeCensus())});
  ask("compaction", kFirstAsks);
  const std::string map = MapText(machine.Map());
  machine.DropPageCache();
  ask("page cache dropped", kLaterAsks);
  machine.DropBareBlocks();
  ask("caches dropped", kLaterAsks);
  const Machine::Rereads again = machine.ReadAgain();
  return Json({{"moved", moved},
               {"asks", asks},
               {"stages", stages},
               {"map", map},
               {"again", {again.asked, again.read, again.attached}}})
      .dump();
}

void TakeAnswer(const Json& answer, Run& run) {
  run.compacted_folios = answer.at("moved");
  for (const Json& ask : answer.at("asks")) run.huge_2m.push_back({ask.at(0), ask.at(1)});
  for (const Json& stage : answer.at("stages")) {
    run.huge_stages.push_back(
        {.name = stage.at(0), .census = CensusFrom(stage.at(2)), .sample = stage.at(1)});
  }
  for (const char c : answer.at("map").get<std::string>()) {
    run.after_2m.push_back(static_cast<Content>(c - 'a'));
  }
  const Json& again = answer.at("again");
  run.rereads = {.asked = again.at(0), .read = again.at(1), .attached = again.at(2)};
}

void TakeGigantic(Machine& machine, Run& run) {
  const CacheStats cache_before = machine.cache().stats();
  const MovableRegionReport region_before = machine.region().report();
  run.has_gigantic = machine.HasGigantic();
  run.huge_1g_obtained = machine.TakeGiganticPages();
  const CacheStats cache_after = machine.cache().stats();
  run.pages_migrated = machine.region().report().migrated_frames - region_before.migrated_frames;
  run.buffers_released = cache_after.folio_releases - cache_before.folio_releases;
  for (size_t i = 1; i < kReleaseVerdicts; ++i) {
    run.skipped.emplace_back(ReleaseVerdictName(static_cast<ReleaseVerdict>(i)),
                             cache_after.skipped[i] - cache_before.skipped[i]);
  }
}

}  // namespace

uint32_t Run::huge_asked() const {
  return huge_2m.size() < kFirstAsks ? 0 : huge_2m[kFirstAsks - 1].got;
}
uint32_t Run::huge_dropped() const { return huge_2m.empty() ? 0 : huge_2m.back().got; }

absl::StatusOr<Run> Live(const MachineOptions& options,
                         const std::function<void(const char*)>& tick) {
  Run run = {.hint = options.hint,
             .policy = options.policy == Policy::kPageblock ? "pageblock" : "superpageblock",
             .seed = options.seed};
  const auto begin = std::chrono::steady_clock::now();
  Machine machine(options, tick);
  const auto note = [&](const char* name) {
    run.stages.push_back({name, machine.TakeCensus(), machine.samples().size() - 1});
  };
  machine.Fill();
  note("fill");
  machine.Churn();
  note("churn");
  machine.EndJob();
  note("end");
  run.superpageblocks = machine.region().superpageblocks();
  run.luck = machine.BlocksInOnePiece();
  run.free = machine.region().free_memory();
  run.reclaimed = machine.reclaim().counts();
  run.before = machine.Map();
  const auto answer = InCopy([&] { return AskInCopy(machine); });
  if (!answer.ok()) return answer.status();
  TakeAnswer(Json::parse(*answer), run);
  TakeGigantic(machine, run);
  run.after = machine.Map();
  run.samples = machine.samples();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  run.seconds = took.count();
  return run;
}

}  // namespace ebcache::lab
