#include "bench/region/node_moves.h"

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstring>

namespace ebcache::bench {
namespace {

constexpr uint64_t kNode = 16384;
constexpr size_t kPage = 4096;
constexpr size_t kSuperpageblock = size_t{32} << 20;
constexpr uint64_t kSuperpageblocks = 8;
constexpr size_t kArena = kSuperpageblocks * kSuperpageblock;
constexpr uint64_t kBlocks = kArena / kNode;

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

NodeMoves::NodeMoves(MovableRegionOptions::Backing backing)
    : region_(MovableRegion::Create(
          {.arena_bytes = kArena, .superpageblock_bytes = kSuperpageblock, .backing = backing})),
      cache_({.node_bytes = kNode, .budget_bytes = 0, .allocator = region_}) {
  for (uint64_t i = 0; i < kBlocks; ++i) {
    ExtentBufferRef block = *cache_.Create(i * kNode);
    (void)block->Zero(0, kNode);
  }
  FillAndPunch();
}

// Every second one goes: holes everywhere.
void NodeMoves::FillAndPunch() {
  for (uint64_t i = 0; i < kBlocks; ++i) (void)*cache_.Create(i * kNode);
  for (uint64_t i = 0; i < kBlocks; i += 2) cache_.Find(i * kNode).PutStale();
}

std::optional<MoveRound> NodeMoves::Round() {
  const uint64_t before = cache_.stats().migrations;
  const Stopwatch stopwatch;
  auto got = region_->AllocateContiguous({}, region_->superpageblock_order());
  MoveRound round{.seconds = stopwatch.seconds()};
  if (!got.ok()) return std::nullopt;
  round.nodes = (cache_.stats().migrations - before) / (kNode / kPage);
  region_->FreeBulk(region_->superpageblock_order(), absl::MakeSpan(&*got, 1));
  cache_.DropCaches();
  FillAndPunch();
  if (round.nodes == 0) return std::nullopt;
  return round;
}

NodeCopies::NodeCopies()
    : arena_(static_cast<std::byte*>(OsCalls::Real()->Map(kArena, size_t{2} << 20))) {
  if (arena_ == nullptr) return;
  OsCalls::Real()->AdviseHugePages(arena_, kArena);
  std::memset(arena_, 1, kArena);
}

NodeCopies::~NodeCopies() {
  if (arena_ != nullptr) OsCalls::Real()->Unmap(arena_, kArena);
}

std::optional<MoveRound> NodeCopies::Round() {
  if (arena_ == nullptr) return std::nullopt;
  // What NodeMoves does between its rounds: everything else passes through the caches.
  std::memset(arena_ + kArena / 2, static_cast<int>(rounds_), kArena / 2);
  const size_t from = rounds_++ % 2 * kSuperpageblock;
  const size_t to = 2 * kSuperpageblock;
  const Stopwatch stopwatch;
  for (size_t offset = 0; offset < kSuperpageblock; offset += 2 * kNode) {
    for (size_t page = 0; page < kNode; page += kPage) {
      std::memcpy(arena_ + to + offset + page, arena_ + from + offset + page, kPage);
    }
  }
  benchmark::ClobberMemory();
  return MoveRound{.nodes = kSuperpageblock / (2 * kNode), .seconds = stopwatch.seconds()};
}

}  // namespace ebcache::bench
