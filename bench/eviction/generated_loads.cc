#include "bench/eviction/generated_loads.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <random>
#include <string>
#include <utility>

#include "bench/eviction/trace_builder.h"

namespace ebcache::eviction {

namespace {

using Random = std::mt19937_64;

constexpr uint64_t kFanOut = 128;
constexpr int kLevels = 3;

// Trees and other regions apart; levels of a tree apart.
uint64_t Address(uint64_t region, uint64_t block, uint64_t level = 0) {
  return region << 50 | level << 40 | block;
}

// From 0 to 1, 1 left out. By hand, because the distributions of <random> differ from library to library.
double Uniform(Random& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

// Numbers below `count`, the lower ones far more often.
class Zipf {
 public:
  Zipf(size_t count, double skew) : share_up_to_(count) {
    double total = 0;
    for (size_t rank = 0; rank < count; ++rank) {
      total += 1 / std::pow(static_cast<double>(rank + 1), skew);
      share_up_to_[rank] = total;
    }
  }
  uint64_t Next(Random& random) const {
    const double at = Uniform(random) * share_up_to_.back();
    const auto rank = std::lower_bound(share_up_to_.begin(), share_up_to_.end(), at);
    return std::min<size_t>(rank - share_up_to_.begin(), share_up_to_.size() - 1);
  }

 private:
  std::vector<double> share_up_to_;
};

std::vector<uint64_t> Shuffled(size_t count, Random& random) {
  std::vector<uint64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  for (size_t i = count; i > 1; --i) std::swap(numbers[i - 1], numbers[random() % i]);
  return numbers;
}

void Descend(TraceBuilder& trace, uint64_t tree, uint64_t leaf) {
  for (int level = kLevels - 1; level >= 0; --level) {
    uint64_t slot = leaf;
    for (int i = 0; i < level; ++i) slot /= kFanOut;
    trace.Touch(Address(tree, slot, static_cast<uint64_t>(level)));
  }
}

void Walk(TraceBuilder& trace, uint64_t tree, uint64_t leaves, int burst) {
  for (uint64_t leaf = 0; leaf < leaves; ++leaf) {
    if (leaf % kFanOut == 0) {
      Descend(trace, tree, leaf);
    } else {
      trace.Touch(Address(tree, leaf));
    }
    for (int i = 1; i < burst; ++i) trace.Touch(Address(tree, leaf));
  }
}

AccessTrace Walks(std::string name, int times) {
  TraceBuilder trace(std::move(name));
  for (int i = 0; i < times; ++i) Walk(trace, 1, 8000, 3);
  return trace.Take();
}

AccessTrace Loop(uint64_t blocks) {
  TraceBuilder trace(absl::StrCat("loop of ", blocks));
  for (int round = 0; round < 9; ++round) {
    for (uint64_t i = 0; i < blocks; ++i) {
      trace.Touch(i);
      trace.Touch(i);
    }
  }
  return trace.Take();
}

// After each `drift_each` lookups a leaf of the popular ones changes places with any other.
AccessTrace Lookups(std::string name, int lookups, int drift_each, uint64_t seed) {
  constexpr size_t kLeaves = 20'000;
  constexpr size_t kPopular = 200;
  Random random(seed);
  const Zipf zipf(kLeaves, 0.9);
  std::vector<uint64_t> leaves = Shuffled(kLeaves, random);
  TraceBuilder trace(std::move(name));
  for (int i = 0; i < lookups; ++i) {
    if (drift_each != 0 && i % drift_each == 0) {
      const uint64_t popular = random() % kPopular;
      std::swap(leaves[popular], leaves[random() % kLeaves]);
    }
    Descend(trace, 1, leaves[zipf.Next(random)]);
  }
  return trace.Take();
}

AccessTrace Phases(uint64_t seed) {
  Random random(seed);
  TraceBuilder trace("phases");
  for (uint64_t phase = 0; phase < 12; ++phase) {
    const uint64_t working_set = uint64_t{300} << random() % 4;
    const uint64_t region = random() % 5;
    for (int i = 0; i < 15'000; ++i) {
      const uint64_t block = Address(region, random() % working_set);
      trace.Touch(block);
      trace.Touch(block);
    }
    Walk(trace, 100 + phase, 1000, 2);
  }
  return trace.Take();
}

AccessTrace ScanWithLookups(uint64_t seed) {
  Random random(seed);
  const Zipf zipf(3000, 0.8);
  TraceBuilder trace("scan with lookups");
  for (uint64_t i = 0; i < 120'000; ++i) {
    Descend(trace, 1, zipf.Next(random));
    if (i % 2 == 0) trace.Touch(Address(9, i));
  }
  return trace.Take();
}

AccessTrace UniformBlocks(uint64_t seed) {
  Random random(seed);
  TraceBuilder trace("uniform");
  for (int i = 0; i < 200'000; ++i) trace.Touch(random() % 6000);
  return trace.Take();
}

AccessTrace SlidingWindow(uint64_t seed) {
  Random random(seed);
  TraceBuilder trace("sliding window");
  for (uint64_t i = 0; i < 200'000; ++i) {
    const double u = Uniform(random);
    trace.Touch(i / 20 + static_cast<uint64_t>(3000 * u * u));
  }
  return trace.Take();
}

AccessTrace OnceMore(std::string name, uint64_t distance, int burst) {
  TraceBuilder trace(std::move(name));
  for (uint64_t i = 0; i < 60'000; ++i) {
    for (int touch = 0; touch < burst; ++touch) trace.Touch(i);
    if (i >= distance) trace.Touch(i - distance);
  }
  return trace.Take();
}

AccessTrace ShuffledPasses(uint64_t seed) {
  Random random(seed);
  TraceBuilder trace("shuffled passes");
  for (int pass = 0; pass < 12; ++pass) {
    for (const uint64_t block : Shuffled(6000, random)) {
      trace.Touch(block);
      trace.Touch(block);
    }
  }
  return trace.Take();
}

AccessTrace LoopWithLookups(uint64_t seed) {
  Random random(seed);
  const Zipf zipf(2000, 0.9);
  TraceBuilder trace("loop with lookups");
  for (int round = 0; round < 15; ++round) {
    for (uint64_t i = 0; i < 4000; ++i) {
      trace.Touch(i);
      if (i % 2 == 0) trace.Touch(Address(1, zipf.Next(random)));
    }
  }
  return trace.Take();
}

}  // namespace

std::vector<AccessTrace> GeneratedLoads(uint64_t seed) {
  std::vector<AccessTrace> loads;
  loads.push_back(Walks("walk once", 1));
  loads.push_back(Walks("walk twice", 2));
  loads.push_back(Walks("walk 5 times", 5));
  loads.push_back(Loop(1126));
  loads.push_back(Loop(4505));
  loads.push_back(Lookups("Zipf", 150'000, 0, seed));
  loads.push_back(Lookups("Zipf with drift", 200'000, 10, seed + 1));
  loads.push_back(Phases(seed + 2));
  loads.push_back(ScanWithLookups(seed + 3));
  loads.push_back(UniformBlocks(seed + 4));
  loads.push_back(SlidingWindow(seed + 5));
  loads.push_back(OnceMore("once more, near", 700, 2));
  loads.push_back(OnceMore("once more, far", 1500, 1));
  loads.push_back(ShuffledPasses(seed + 6));
  loads.push_back(LoopWithLookups(seed + 7));
  return loads;
}

}  // namespace ebcache::eviction
