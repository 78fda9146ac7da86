#include "bench/contiguity/measure.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <random>
#include <utility>

#include "ebcache/allocators.h"
#include "ebcache/filesystem.h"
#include "ebcache/movable_region.h"
#include "tests/support/scattered_pages.h"

namespace ebcache::contiguity {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kArenaBytes = size_t{1} << 30;
constexpr uint64_t kFsTree = 5;
constexpr size_t kSearches = 20000;  // a round

double NanosecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
}

// Keeps the compiler from leaving out what is measured.
template <typename T>
void Use(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

// A filesystem open over one allocator, all of whose blocks are cached.
struct Subject {
  WorkFigures figures;
  std::shared_ptr<PageAllocator> pages;
  std::unique_ptr<ScatteredPages> scattered;
  std::unique_ptr<Filesystem> filesystem;
};

std::vector<Subject> MakeSubjects() {
  const auto region = [] { return MovableRegion::Create({.arena_bytes = kArenaBytes}); };
  std::vector<Subject> subjects;
  const auto add = [&](const char* name, std::shared_ptr<PageAllocator> pages, bool scattered) {
    subjects.push_back({.figures = {.name = name}, .pages = std::move(pages)});
    Subject& s = subjects.back();
    if (scattered) s.scattered = std::make_unique<ScatteredPages>(s.pages);
  };
  add("heap", HeapAllocator(), false);
  add("order0", Order0Allocator({.arena_bytes = kArenaBytes}), false);
  // The same pages in the same places, only used one by one: what page arrays cost in themselves.
  add("order0, page arrays",
      Order0Allocator({.arena_bytes = kArenaBytes, .contiguous_by_luck = false}), false);
  add("order0, scattered", Order0Allocator({.arena_bytes = kArenaBytes}), true);
  add("high", HighOrderAllocator({.pages = region()}), false);
  add("high, scattered", HighOrderAllocator({.pages = region()}), true);
  add("vmap, scattered", VmapAllocator({.arena_bytes = kArenaBytes}), true);
  add("movable", region(), false);
  return subjects;
}

class CountBlocks final : public TreeVisitor {
 public:
  bool VisitBlock(const TreeRoot&, const ExtentBuffer&) override {
    ++blocks;
    return true;
  }
  void VisitDamage(const WalkDamage& damage) override { status.Update(damage.status); }
  uint64_t blocks = 0;
  absl::Status status;
};

// Nanoseconds a block.
absl::StatusOr<double> Walk(Filesystem& filesystem, uint64_t* blocks) {
  CountBlocks counter;
  std::vector<WalkDamage> damage;
  const auto begin = Clock::now();
  for (const TreeRoot& root : filesystem.Trees(&damage)) {
    WalkTree(filesystem.cache(), root, counter);
  }
  const double ns = NanosecondsSince(begin);
  if (!counter.status.ok()) return counter.status;
  *blocks = counter.blocks;
  return ns / static_cast<double>(counter.blocks);
}

// A first walk through a cache that has nothing yet.
absl::Status Open(const std::string& image, Subject& subject) {
  auto filesystem =
      Filesystem::Open({image}, {.cache = {.budget_bytes = 0, .allocator = subject.pages}});
  if (!filesystem.ok()) return filesystem.status();
  subject.filesystem = *std::move(filesystem);
  auto walk_ns = Walk(*subject.filesystem, &subject.figures.blocks);
  if (!walk_ns.ok()) return walk_ns.status();
  subject.figures.walk_ns = *walk_ns;
  const AllocatorStats stats = subject.pages->stats();
  subject.figures.share = static_cast<double>(stats.contiguous_blocks) /
                          static_cast<double>(std::max<uint64_t>(stats.allocated_blocks, 1));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Key>> AllKeys(const BTree& tree) {
  std::vector<Key> keys;
  ItemRange items = tree.Items();
  for (const Item& item : items) keys.push_back(item.key());
  if (!items.status().ok()) return items.status();
  std::mt19937_64 random(1);
  std::shuffle(keys.begin(), keys.end(), random);
  return keys;
}

absl::StatusOr<double> Search(const BTree& tree, const std::vector<Key>& keys) {
  const size_t count = std::min(kSearches, keys.size());
  const auto begin = Clock::now();
  for (size_t i = 0; i < count; ++i) {
    auto found = tree.Find(keys[i]);
    if (!found.ok()) return found.status();
    Use(found->slot(0));
  }
  return NanosecondsSince(begin) / static_cast<double>(count);
}

absl::StatusOr<double> Decode(const BTree& tree) {
  uint64_t sum = 0;
  uint64_t count = 0;
  const auto begin = Clock::now();
  ItemRange items = tree.Items();
  for (const Item& item : items) {
    sum += item.key().objectid;
    for (const std::byte byte : item.data()) sum += static_cast<uint8_t>(byte);
    ++count;
  }
  const double ns = NanosecondsSince(begin);
  Use(sum);
  if (!items.status().ok()) return items.status();
  return ns / static_cast<double>(std::max<uint64_t>(count, 1));
}

absl::Status Best(absl::StatusOr<double> measured, double& best) {
  if (!measured.ok()) return measured.status();
  if (best == 0 || *measured < best) best = *measured;
  return absl::OkStatus();
}

absl::Status Round(Subject& subject) {
  WorkFigures& figures = subject.figures;
  uint64_t blocks = 0;
  auto tree = subject.filesystem->Tree(kFsTree);
  absl::Status status = tree.status();
  status.Update(Best(Walk(*subject.filesystem, &blocks), figures.rewalk_ns));
  if (!status.ok()) return status;
  status.Update(Best(Decode(*tree), figures.decode_ns));
  return status;
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Searches in turn over all subjects, round after round. Each is compared with the baseline of its
// own round, so that a machine that is slower for a while does not count.
absl::Status SearchAll(const std::vector<Key>& keys, int rounds, tools::Progress& progress,
                       std::vector<Subject>& subjects) {
  std::vector<std::vector<double>> took(subjects.size());
  size_t baseline = 0;
  for (int round = 0; round < rounds; ++round) {
    progress.Update(static_cast<uint64_t>(round), "rounds", "searching");
    for (size_t i = 0; i < subjects.size(); ++i) {
      if (subjects[i].figures.name == kBaseline) baseline = i;
      auto tree = subjects[i].filesystem->Tree(kFsTree);
      if (!tree.ok()) return tree.status();
      auto ns = Search(*tree, keys);
      if (!ns.ok()) return ns.status();
      took[i].push_back(*ns);
    }
  }
  for (size_t i = 0; i < subjects.size(); ++i) {
    std::vector<double> ratios;
    for (int round = 0; round < rounds; ++round) {
      ratios.push_back(took[i][round] / took[baseline][round]);
    }
    subjects[i].figures.search_ratio = Median(ratios);
    subjects[i].figures.search_ns = Median(took[i]);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasureWork(const std::string& image, int rounds, tools::Progress& progress,
                         Report& report) {
  std::vector<Subject> subjects = MakeSubjects();
  uint64_t steps = 0;
  for (Subject& subject : subjects) {
    // Twice: what is measured is not the first touch of its memory.
    for (int time = 0; time < 2; ++time) {
      subject.filesystem.reset();
      progress.Update(++steps, "steps", "first walk, " + subject.figures.name);
      if (absl::Status status = Open(image, subject); !status.ok()) return status;
    }
  }
  auto tree = subjects[0].filesystem->Tree(kFsTree);
  if (!tree.ok()) return tree.status();
  auto keys = AllKeys(*tree);
  if (!keys.ok()) return keys.status();
  for (int round = 0; round < rounds; ++round) {
    for (Subject& subject : subjects) {
      progress.Update(++steps, "steps", "all cached, " + subject.figures.name);
      if (absl::Status status = Round(subject); !status.ok()) return status;
    }
  }
  // Many short rounds.
  if (auto status = SearchAll(*keys, 5 * rounds, progress, subjects); !status.ok()) return status;
  const auto baseline = std::find_if(subjects.begin(), subjects.end(),
                                     [](const Subject& s) { return s.figures.name == kBaseline; });
  report.keys = keys->size();
  report.rounds = rounds;
  report.tree_bytes = baseline->figures.blocks * baseline->filesystem->cache().node_bytes();
  for (Subject& subject : subjects) {
    report.work.push_back(subject.figures);
  }
  return absl::OkStatus();
}

}  // namespace ebcache::contiguity
