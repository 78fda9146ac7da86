// Every lifecycle step that a running kernel was seen to make, made by our state functions: the
// same outcome, or an exception that has a name, a reason and a place in docs/fidelity.md.
//
// The recording is data from outside of the checkout; EBCACHE_SHARED says where.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lib/cache/buffer_state.h"

namespace ebcache::state {
namespace {

using Json = nlohmann::json;

// One recorded step, in our terms. Flags that today's kernel does not have any more are dropped:
// IN_TREE (being in the index is no flag here), CORRUPT, READAHEAD, READ_ERR, NO_CHECK.
struct Step {
  std::string op;
  std::optional<BufferState> before;  // absent: not recorded, or no buffer was attached
  std::optional<BufferState> after;
  int returned = 0;
  uint64_t count = 0;

  std::string ToString() const {
    return op + (before ? " from " + before->ToString() : "") +
           (after ? " to " + after->ToString() : "") + " returning " + std::to_string(returned) +
           ", seen " + std::to_string(count) + " times";
  }
};

BufferState ParseState(const Json& json) {
  static const std::map<std::string, BufferFlag> kFlags = {
      {"UPTODATE", BufferFlag::kUptodate},   {"DIRTY", BufferFlag::kDirty},
      {"TREE_REF", BufferFlag::kTreeRef},    {"STALE", BufferFlag::kStale},
      {"WRITEBACK", BufferFlag::kWriteback}, {"UNMAPPED", BufferFlag::kUnmapped},
      {"WRITE_ERR", BufferFlag::kWriteErr},
  };
  BufferState s{json.at("refs").get<uint32_t>(), 0};
  for (const auto& flag : json.at("flags")) {
    const auto it = kFlags.find(flag.get<std::string>());
    if (it != kFlags.end()) s.flags |= Bit(it->second);
  }
  return s;
}

Step ParseStep(const Json& json) {
  Step step{.op = json.at("op"), .count = json.at("count")};
  if (json.contains("before") && !json["before"].is_null())
    step.before = ParseState(json["before"]);
  if (json.contains("after") && !json["after"].is_null()) step.after = ParseState(json["after"]);
  if (json.contains("returned") && json["returned"].is_number()) step.returned = json["returned"];
  return step;
}

// The flags that a comparison is about. ACCESSED is ours alone.
BufferState Bare(BufferState s) { return Without(s, BufferFlag::kAccessed); }

// ---- Exceptions, as docs/fidelity.md names them
// ---------------------------------------------------

// An end of a write came in from an interrupt while another call was measured, so WRITEBACK and the
// writer's reference vanish in the middle of it.
bool IsIoEndInBetween(const Step& step) {
  return step.before && step.after && step.before->has(BufferFlag::kWriteback) &&
         !step.after->has(BufferFlag::kWriteback);
}

// The lock for IO slept, and others took or put references meanwhile.
bool IsSleptForLock(const Step& step) {
  return step.op == "lock_extent_buffer_for_io" && step.before && step.after &&
         step.before->refs > step.after->refs;
}

// Steps of which only the outcome was recorded: counted apart from those compared in full.
constexpr char kBeforeUnknown[] = "before-not-recorded";

// A whole read in one call: nothing to do when UPTODATE; else begin, end, put.
std::string CompareRead(const Step& step) {
  if (step.before->has(BufferFlag::kUptodate)) {
    return BeginRead(*step.before).result == Result::kRefused && *step.before == *step.after
               ? "same"
               : "DIFFERENT";
  }
  const Outcome begun = BeginRead(*step.before);
  if (begun.result != Result::kChanged) return "DIFFERENT";
  if (step.after->has(BufferFlag::kUptodate)) {
    return Bare(Put(EndRead(begun.after, true).after).after) == *step.after ? "same" : "DIFFERENT";
  }
  // Some came back not UPTODATE: read ahead, so the call did not wait for the end. READING and
  // the reader's reference were not recorded.
  BufferState under_way = Without(begun.after, BufferFlag::kReading);
  --under_way.refs;
  return Bare(under_way) == *step.after ? "readahead-not-waited-for" : "DIFFERENT";
}

// What ours makes of the recorded call: "same", or the name of an exception, or "DIFFERENT".
std::string Compare(const Step& step) {
  const auto same = [&](const Outcome& ours) -> std::string {
    if (ours.result == Result::kRefused) return "DIFFERENT";
    return Bare(ours.after) == *step.after ? "same" : "DIFFERENT";
  };
  if (step.op == "free_extent_buffer" || step.op == "free_extent_buffer_stale") {
    const auto ours = step.op == "free_extent_buffer" ? Put(*step.before) : PutStale(*step.before);
    const std::string result = same(ours);
    if (result != "same" && IsIoEndInBetween(step)) return "io-end-in-between";
    return result;
  }
  if (step.op == "try_release_extent_buffer") {
    const Outcome ours = TryRelease(*step.before);
    if ((ours.result == Result::kDied) != (step.returned == 1)) return "DIFFERENT";
    return Bare(ours.after) == *step.after ? "same" : "DIFFERENT";
  }
  if (step.op == "set_extent_buffer_dirty") return same(SetDirty(*step.before));
  if (step.op == "clear_extent_buffer_dirty") return same(ClearDirty(*step.before));
  if (step.op == "lock_extent_buffer_for_io") {
    const Outcome ours = BeginWriteback(*step.before);
    if ((ours.result == Result::kChanged) != (step.returned == 1)) return "DIFFERENT";
    BufferState without_writer = ours.after;
    --without_writer.refs;
    if (without_writer == *step.after) return "writer-reference";
    return IsSleptForLock(step) ? "slept-for-lock" : "DIFFERENT";
  }
  if (step.op == "read_extent_buffer_pages") return CompareRead(step);
  if (step.op == "btree_migrate_folio") {
    if (!step.before) return "no-buffer-attached";  // nothing of the lifecycle is asked
    const bool ours = BeginMigrate(*step.before).result == Result::kChanged;
    if (ours == (step.returned == 0)) return "same";
    return ours && step.returned == -11 ? "folio-busy" : "DIFFERENT";
  }
  if (step.op == "find_extent_buffer" || step.op == "alloc_extent_buffer") {
    // No state before the call was recorded: the buffer was not known yet. So this compares less:
    // what was handed out must be what birth makes, or what Get makes of some state that it takes.
    if (step.before) return "DIFFERENT";  // such steps could be compared, and are not
    if (*step.after == BornMapped()) return kBeforeUnknown;
    BufferState before = *step.after;
    --before.refs;
    return same(Get(before)) == "same" ? kBeforeUnknown : "DIFFERENT";
  }
  return "DIFFERENT";
}

TEST(Conformance, EveryRecordedStepHasTheSameOutcome) {
  const char* shared = std::getenv("EBCACHE_SHARED");
  if (shared == nullptr) {
    GTEST_SKIP()
        << "SKIPPED: EBCACHE_SHARED is not set; the kernel's recorded steps are looked for "
           "in $EBCACHE_SHARED/traces/kernel-6.1-steps.json";
  }
  std::ifstream file(std::string(shared) + "/traces/kernel-6.1-steps.json");
  if (!file) GTEST_SKIP() << "SKIPPED: no traces/kernel-6.1-steps.json in " << shared;
  const Json recording = Json::parse(file);

  std::map<std::string, std::pair<int, uint64_t>> tally;  // distinct steps, events
  for (const Json& run : recording.at("runs")) {
    const std::string name = run.at("run");
    if (name == "smp2") continue;  // other CPUs change references between entry and exit
    for (const Json& json : run.at("steps")) {
      const Step step = ParseStep(json);
      const std::string result = Compare(step);
      EXPECT_NE(result, "DIFFERENT") << "run " << name << ": " << step.ToString();
      auto& [distinct, events] = tally[result];
      ++distinct;
      events += step.count;
    }
  }
  for (const auto& [result, counts] : tally) {
    std::cout << result << ": " << counts.first << " distinct steps, " << counts.second
              << " events\n";
  }
  // Most of the events are compared in full.
  uint64_t events = 0;
  for (const auto& [result, counts] : tally) events += counts.second;
  EXPECT_GT(tally["same"].second, events / 2);
  EXPECT_GT(tally[kBeforeUnknown].second, 0u);
}

// In the run on two CPUs the states themselves are still evidence: every one must be one that ours
// can be in.
TEST(Conformance, EveryStateSeenOnTwoCpusIsLegal) {
  const char* shared = std::getenv("EBCACHE_SHARED");
  if (shared == nullptr) GTEST_SKIP() << "SKIPPED: EBCACHE_SHARED is not set";
  std::ifstream file(std::string(shared) + "/traces/kernel-6.1-steps.json");
  if (!file) GTEST_SKIP() << "SKIPPED: no traces/kernel-6.1-steps.json in " << shared;
  const Json recording = Json::parse(file);
  int states = 0;
  for (const Json& run : recording.at("runs")) {
    if (run.at("run") != "smp2") continue;
    for (const Json& json : run.at("steps")) {
      const Step step = ParseStep(json);
      for (const auto& seen : {step.before, step.after}) {
        if (!seen) continue;
        ++states;
        const BufferState s = *seen;
        if (s.refs == 0) {
          EXPECT_FALSE(s.under_io()) << step.ToString();
          EXPECT_FALSE(s.has(BufferFlag::kTreeRef)) << step.ToString();
        } else if (!s.has(BufferFlag::kUnmapped) && s.under_io()) {
          EXPECT_TRUE(s.has(BufferFlag::kTreeRef)) << step.ToString();
        }
      }
    }
  }
  EXPECT_GT(states, 100);
}

}  // namespace
}  // namespace ebcache::state
