// Find + put, against the peers.

#include <absl/strings/str_cat.h>

#include <array>
#include <barrier>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "bench/cache/block_sequence.h"
#include "bench/cache/contender.h"
#include "bench/scorecard/card.h"
#include "bench/scorecard/clock.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/held_buffers.h"

namespace ebcache::scorecard {
namespace {

using bench::BlockSequence;
using bench::Contender;
using bench::ContenderKind;
using bench::Order;

constexpr uint64_t kMillion = 1 << 20;
constexpr int kMostThreads = 2;

// Contenders filled with so many blocks, and what they are asked for. Made when first wanted.
class Arena {
 public:
  explicit Arena(uint64_t blocks) : blocks_(blocks) {}

  // Null when this build has no such contender.
  Contender* Get(std::string_view name) {
    std::unique_ptr<Contender>& contender = contenders_[name];
    if (contender == nullptr) {
      const ContenderKind* kind = bench::FindContenderKind(name);
      if (kind == nullptr) return nullptr;
      contender = kind->make({.capacity_blocks = blocks_ + 1024});
      contender->Fill(blocks_);
    }
    return contender.get();
  }

  // Each thread has its own. Not to be called by several at a time.
  BlockSequence& sequence(Order order, int thread) {
    std::unique_ptr<BlockSequence>& sequence = sequences_[{order, thread}];
    if (sequence == nullptr) {
      sequence = std::make_unique<BlockSequence>(order, blocks_, static_cast<uint64_t>(thread) + 1);
    }
    return *sequence;
  }

 private:
  const uint64_t blocks_;
  std::map<std::pair<Order, int>, std::unique_ptr<BlockSequence>> sequences_;
  std::map<std::string_view, std::unique_ptr<Contender>> contenders_;
};

absl::Status CheckFound(uint64_t found, uint64_t wanted) {
  if (found == wanted) return absl::OkStatus();
  return absl::InternalError("a block that was cached was not found");
}

// How a contender is asked for a batch.
using Visit = uint64_t (Contender::*)(absl::Span<const uint32_t>);

// Nanoseconds for one find + put, with one thread.
absl::StatusOr<double> AloneNs(Arena& arena, std::string_view name, Order order, double seconds,
                               Visit visit = &Contender::FindAndPut) {
  Contender* contender = arena.Get(name);
  if (contender == nullptr) return absl::UnavailableError("this build has no peers");
  uint64_t found = 0, wanted = 0;
  BlockSequence& sequence = arena.sequence(order, 0);
  const double ns = NanosecondsEach(seconds, BlockSequence::kBatch, [&] {
    found += (contender->*visit)(sequence.NextBatch());
    wanted += BlockSequence::kBatch;
  });
  if (auto status = CheckFound(found, wanted); !status.ok()) return status;
  return ns;
}

// What one thread does again and again: BlockSequence::kBatch visits; how many found their block.
using Batch = std::function<uint64_t()>;

// Nanoseconds for a visit with so many threads at a time, by the clock on the wall: they wait for
// each other. `begin(thread)` is called on each thread, and makes what it does.
absl::StatusOr<double> TogetherNs(int threads, double seconds,
                                  const std::function<Batch(int)>& begin) {
  std::barrier start(threads);
  std::array<double, kMostThreads> ns{};
  std::array<uint64_t, kMostThreads> missed{};
  const auto work = [&](int thread) {
    const Batch batch = begin(thread);
    start.arrive_and_wait();
    const double from = WallSeconds();
    uint64_t done = 0, found = 0;
    double spent = 0;
    do {
      found += batch();
      done += BlockSequence::kBatch;
      spent = WallSeconds() - from;
    } while (spent < seconds);
    ns[static_cast<size_t>(thread)] = spent * 1e9 / static_cast<double>(done);
    missed[static_cast<size_t>(thread)] = done - found;
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work, i);
  work(0);
  for (std::thread& thread : others) thread.join();
  double sum = 0;
  for (size_t i = 0; i < static_cast<size_t>(threads); ++i) {
    if (auto status = CheckFound(missed[i], 0); !status.ok()) return status;
    sum += ns[i];
  }
  return sum / threads;
}

// The same of a contender's find + put.
absl::StatusOr<double> TogetherNs(Arena& arena, std::string_view name, Order order, int threads,
                                  double seconds, Visit visit = &Contender::FindAndPut) {
  Contender* contender = arena.Get(name);
  if (contender == nullptr) return absl::UnavailableError("this build has no peers");
  std::array<BlockSequence*, kMostThreads> sequences{};
  for (int i = 0; i < threads; ++i) sequences[static_cast<size_t>(i)] = &arena.sequence(order, i);
  return TogetherNs(threads, seconds, [&](int thread) -> Batch {
    return [contender, visit, sequence = sequences[static_cast<size_t>(thread)]] {
      return (contender->*visit)(sequence->NextBatch());
    };
  });
}

// The throughput of two threads that visit one block and keep their references, by that of one.
absl::StatusOr<double> HeldThroughput(double seconds) {
  BufferCache cache({.node_bytes = 4096, .budget_bytes = 0});
  if (auto made = cache.Create(4096); !made.ok()) return made.status();
  const auto visits = [&](int) -> Batch {
    return [held = std::make_shared<HeldBuffers>(&cache)] {
      uint64_t found = 0;
      for (uint64_t i = 0; i < BlockSequence::kBatch; ++i) {
        ExtentBuffer* const block = held->Find(4096);
        asm volatile("" : : "r"(block) : "memory");  // each visit is made
        found += block != nullptr;
      }
      return found;
    };
  };
  const auto alone = TogetherNs(1, seconds, visits);
  const auto together = TogetherNs(2, seconds, visits);
  if (!alone.ok()) return alone;
  if (!together.ok()) return together;
  return 2 * *alone / *together;
}

struct Opponent {
  std::string_view name;
  double times_at_64k;
  double times_at_1m;
  int threads;
};
// Each with what has to be shown against it.
constexpr Opponent kOpponents[] = {
    {bench::kHyperClock, 5, 4, 1},
    {bench::kRocksLru, 5, 9, 1},
    {bench::kTreeAndList, 35, 50, 1},
    {bench::kLockedMap, 20, 15, 2},
};

// Ways to ask for many blocks. Who has no other way is asked one by one in both.
struct Way {
  std::string name;  // behind "find + put"
  std::string work;
  Visit visit;
};
const Way kWays[] = {
    {"", "one uniformly random block of the cached ones found, referenced and put",
     &Contender::FindAndPut},
    {" by 64", "the same, ours looked for and put 64 at a time (FindMany)",
     &Contender::FindAndPutTogether},
};

void MeasureOpponents(Card& card, Arena& arena, uint64_t blocks, const Way& way) {
  const double seconds = card.settings().turn_seconds();
  for (const Opponent& opponent : kOpponents) {
    const Comparison comparison{
        .row = absl::StrCat("find + put", way.name, ", ", FigureText(static_cast<double>(blocks)),
                            " blocks, ", opponent.threads,
                            opponent.threads == 1 ? " thread, " : " threads, ",
                            std::string(opponent.name)),
        .theirs = std::string(opponent.name),
        .unit = "ns",
        .work = way.work,
        .goal = TimesFaster(blocks == kMillion ? opponent.times_at_1m : opponent.times_at_64k)};
    if (blocks == kMillion && card.settings().quick) {
      card.NotMeasured(comparison, "--quick leaves a million blocks out");
      continue;
    }
    const auto turn = [&](std::string_view name) {
      return opponent.threads == 1
                 ? AloneNs(arena, name, Order::kUniform, seconds, way.visit)
                 : TogetherNs(arena, name, Order::kUniform, opponent.threads, seconds, way.visit);
    };
    card.Measure(
        comparison, [&] { return turn(bench::kEbcache); }, [&] { return turn(opponent.name); });
  }
}

// How much longer an operation takes when another thread does the same.
absl::StatusOr<double> Slowdown(Arena& arena, std::string_view name, Order order, double seconds,
                                Visit visit = &Contender::FindAndPut) {
  const auto alone = TogetherNs(arena, name, order, 1, seconds, visit);
  const auto together = TogetherNs(arena, name, order, 2, seconds, visit);
  if (!alone.ok()) return alone;
  if (!together.ok()) return together;
  return *together / *alone;
}

void MeasureThreads(Card& card, Arena& arena) {
  const double seconds = card.settings().turn_seconds();
  for (const Way& way : kWays) {
    card.Measure(
        {.row = absl::StrCat("2 threads against 1, 65,536 blocks, uniform", way.name),
         .theirs = std::string(bench::kHyperClock),
         .unit = "of 1 thread's latency",
         .work = absl::StrCat("2 threads at a time, by the latency of 1: ", way.work),
         .goal = OursAtMost(1.1)},
        [&] { return Slowdown(arena, bench::kEbcache, Order::kUniform, seconds, way.visit); },
        [&] { return Slowdown(arena, bench::kHyperClock, Order::kUniform, seconds, way.visit); });
  }
  const auto throughput = [&](std::string_view name) -> absl::StatusOr<double> {
    const auto slowdown = Slowdown(arena, name, Order::kHotRoot, seconds);
    if (!slowdown.ok()) return slowdown;
    return 2 / *slowdown;
  };
  card.Measure(
      {.row = "2 threads on one buffer",
       .theirs = std::string(bench::kHyperClock),
       .unit = "of 1 thread's throughput",
       .work = "find + put of one block by 2 threads at a time, by the throughput of 1",
       .goal = OursAtLeast(1),
       .ratio = Comparison::Ratio::kOursToTheirs},
      [&] { return throughput(bench::kEbcache); }, [&] { return throughput(bench::kHyperClock); });
  card.Measure(
      {.row = "2 threads on one buffer, references held",
       .theirs = std::string(bench::kHyperClock),
       .unit = "of 1 thread's throughput",
       .work = "the same, our threads with a HeldBuffers each",
       .goal = OursAtLeast(1),
       .ratio = Comparison::Ratio::kOursToTheirs},
      [&] { return HeldThroughput(seconds); }, [&] { return throughput(bench::kHyperClock); });
}

}  // namespace

void MeasureLookups(Card& card) {
  {
    Arena arena(65536);
    for (const Way& way : kWays) MeasureOpponents(card, arena, 65536, way);
    MeasureThreads(card, arena);
  }
  Arena arena(kMillion);
  for (const Way& way : kWays) MeasureOpponents(card, arena, kMillion, way);
}

// Every contender by itself: not for ratios, for the shape.
void PlotLookups(Card& card) {
  const double seconds = card.settings().turn_seconds();
  Plot sizes{.title = "Find + put, uniform, 1 thread",
             .x = "cached blocks",
             .y = "ns",
             .logarithmic_x = true};
  Plot threads{.title = "Find + put, 65,536 blocks, uniform", .x = "threads", .y = "million/s"};
  Plot root{.title = "Find + put of one block", .x = "threads", .y = "million/s"};
  for (const ContenderKind& kind : bench::ContenderKinds()) {
    for (Plot* plot : {&sizes, &threads, &root})
      plot->series.push_back({std::string(kind.name), {}});
  }
  for (const uint64_t blocks : {uint64_t{4096}, uint64_t{65536}, uint64_t{262144}, kMillion}) {
    if (card.settings().quick && blocks > 65536) break;
    card.Tell("plot: latency against size");
    Arena arena(blocks);
    for (size_t i = 0; i < bench::ContenderKinds().size(); ++i) {
      const ContenderKind& kind = bench::ContenderKinds()[i];
      if (const auto ns = AloneNs(arena, kind.name, Order::kUniform, seconds); ns.ok()) {
        sizes.series[i].points.emplace_back(blocks, *ns);
      }
      for (int n = 1; blocks == 65536 && n <= (kind.threads ? kMostThreads : 1); ++n) {
        const auto uniform = TogetherNs(arena, kind.name, Order::kUniform, n, seconds);
        const auto hot = TogetherNs(arena, kind.name, Order::kHotRoot, n, seconds);
        if (uniform.ok()) threads.series[i].points.emplace_back(n, n * 1e3 / *uniform);
        if (hot.ok()) root.series[i].points.emplace_back(n, n * 1e3 / *hot);
      }
    }
  }
  for (Plot* plot : {&sizes, &threads, &root}) card.Add(std::move(*plot));
}

}  // namespace ebcache::scorecard
