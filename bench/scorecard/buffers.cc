// Making and freeing buffers, what they cost in memory, and looking for one that can go when none
// can.

#include <absl/strings/str_cat.h>
#include <sys/resource.h>

#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "bench/cache/contender.h"
#include "bench/cache/memory_per_block.h"
#include "bench/scorecard/card.h"
#include "bench/scorecard/clock.h"

namespace ebcache::scorecard {
namespace {

using bench::Contender;
using bench::ContenderKind;

constexpr uint32_t kNode = 16384;

// Sides that are made when their first turn comes.
class Side {
 public:
  explicit Side(std::string_view name) : kind_(*bench::FindContenderKind(name)) {}

  const ContenderKind& kind() const { return kind_; }
  Contender& contender() {
    if (contender_ == nullptr)
      contender_ = kind_.make({.node_bytes = kNode, .capacity_blocks = 8192});
    return *contender_;
  }

 private:
  const ContenderKind& kind_;
  std::unique_ptr<Contender> contender_;
};

std::vector<uint32_t> Numbers(uint32_t first, uint32_t count) {
  std::vector<uint32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

void MeasureMaking(Card& card, Side& ours, Side& theirs) {
  const double seconds = card.settings().turn_seconds();
  const std::vector<uint32_t> blocks = Numbers(0, 1024);
  const auto turn = [&](Side& side) -> absl::StatusOr<double> {
    return NanosecondsEach(seconds, blocks.size(),
                           [&] { side.contender().AllocateAndFree(blocks); });
  };
  card.Measure(
      {.row = "allocate + free a 16 KiB buffer, recycled memory",
       .theirs = std::string(theirs.kind().name),
       .unit = "ns",
       .work = "descriptor, payload, index, order of eviction, both ways; theirs zeroes",
       .goal = OursAtMost(400)},
      [&] { return turn(ours); }, [&] { return turn(theirs); });
}

// What is touched for the first time faults. Counted, not timed.
void CountFirstTouches(Card& card, Side& ours, Side& theirs) {
  const std::vector<uint32_t> blocks = Numbers(0, 1024);
  const auto turn = [&](Side& side) -> absl::StatusOr<double> {
    side.contender().AllocateAndFree(blocks);
    rusage before, after;
    getrusage(RUSAGE_THREAD, &before);
    for (int i = 0; i < 64; ++i) side.contender().AllocateAndFree(blocks);
    getrusage(RUSAGE_THREAD, &after);
    return static_cast<double>(after.ru_minflt - before.ru_minflt);
  };
  card.Measure(
      {.row = "first touches in the steady state",
       .theirs = std::string(theirs.kind().name),
       .unit = "page faults",
       .work = "65,536 times allocate + free, after as many as warm up",
       .goal = OursAtMost(0),
       .counted = true},
      [&] { return turn(ours); }, [&] { return turn(theirs); });
}

void MeasureMemory(Card& card, Side& ours, Side& theirs) {
  const uint64_t blocks = card.settings().quick ? 32768 : 65536;
  const auto turn = [&](Side& side) -> absl::StatusOr<double> {
    const auto bytes = bench::ResidentBytesPerBlock(side.kind(), blocks, kNode);
    if (!bytes) return absl::UnavailableError("no process of its own to fill it in");
    return *bytes;
  };
  card.Measure(
      {.row = "memory per cached 16 KiB block beyond its payload",
       .theirs = std::string(theirs.kind().name),
       .unit = "bytes",
       .work = "resident memory of a process that fills a cache, all payload touched",
       .goal = OursAtMost(128),
       .counted = true},
      [&] { return turn(ours); }, [&] { return turn(theirs); });
}

// Steps for each block that is pinned or made, in a cache all of whose blocks are in use. What a
// cache prepares for this when blocks are pinned is paid for by them.
double StepsPerBlock(const ContenderKind& kind, uint64_t pinned, uint32_t made) {
  const auto contender = kind.make({.node_bytes = 4096, .capacity_blocks = pinned});
  contender->Fill(pinned);
  contender->PinAll(pinned);
  contender->AllocateAndFree(Numbers(static_cast<uint32_t>(pinned), made));
  const auto steps = static_cast<double>(contender->eviction_steps().value_or(0));
  contender->UnpinAll();
  return steps / static_cast<double>(pinned + made);
}

void CountEvictionSteps(Card& card, Side& ours, Side& theirs) {
  constexpr uint64_t kFew = 4096;
  const uint64_t many = card.settings().quick ? 8192 : 65536;
  // For each pinned block one that is made. Theirs makes fewer: each is a walk past all of them.
  const auto our_steps = [&](uint64_t pinned) {
    return StepsPerBlock(ours.kind(), pinned, static_cast<uint32_t>(pinned));
  };
  const auto their_steps = [&](uint64_t pinned) {
    return StepsPerBlock(theirs.kind(), pinned, static_cast<uint32_t>(pinned / 16));
  };
  const std::string name(theirs.kind().name);
  card.Measure(
      {.row = "nothing can be evicted",
       .theirs = name,
       .unit = "steps a block",
       .work = "all cached blocks in use, as many made and freed again (theirs: a "
               "sixteenth); blocks looked at in search of one that can go",
       .goal = OursAtMost(16),
       .counted = true},
      [&] { return absl::StatusOr<double>(our_steps(many)); },
      [&] { return absl::StatusOr<double>(their_steps(many)); });
  card.Measure(
      {.row = "nothing can be evicted, growth",
       .theirs = name,
       .unit = "times the steps",
       .work = absl::StrCat("the same with ", many, " blocks by the same with ", kFew),
       .goal = OursAtMost(1.1),
       .counted = true},
      [&] { return absl::StatusOr<double>(our_steps(many) / our_steps(kFew)); },
      [&] { return absl::StatusOr<double>(their_steps(many) / their_steps(kFew)); });
}

}  // namespace

void MeasureBuffers(Card& card) {
  Side ours(bench::kEbcache);
  Side theirs(bench::kTreeAndList);
  MeasureMemory(card, ours, theirs);
  MeasureMaking(card, ours, theirs);
  CountFirstTouches(card, ours, theirs);
  CountEvictionSteps(card, ours, theirs);
}

}  // namespace ebcache::scorecard
