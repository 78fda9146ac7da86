// The index through the cache: hostile addresses, growth, leaves that come and go.

#include "lib/cache/buffer_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "lib/cache/descriptor_slab.h"
#include "lib/cache/state_word.h"

namespace ebcache {

// Descriptors without a cache.
class ExtentBufferPeer {
 public:
  static void SetStart(ExtentBuffer* buffer, uint64_t start) { buffer->start_ = start; }
  static void Kill(ExtentBuffer* buffer) { buffer->state_.store(0); }
};

namespace {

constexpr uint64_t kNode = 4096;

TEST(BufferIndex, FindsEverythingWhileItGrows) {
  BufferCache cache({.node_bytes = kNode, .budget_bytes = 0});
  std::vector<uint64_t> starts;
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    // Runs of neighbours, at places all over the address space.
    const uint64_t place = (random() >> 1) / kNode * kNode;
    for (uint64_t n = 0; n < random() % 4; ++n) starts.push_back(place + n * kNode);
  }
  std::sort(starts.begin(), starts.end());
  starts.erase(std::unique(starts.begin(), starts.end()), starts.end());
  std::vector<uint64_t> shuffled = starts;
  std::shuffle(shuffled.begin(), shuffled.end(), random);
  for (const uint64_t start : shuffled) ASSERT_TRUE(cache.Create(start).ok());
  for (const uint64_t start : shuffled) {
    ExtentBufferRef block = cache.Find(start);
    ASSERT_TRUE(block);
    ASSERT_EQ(block->start(), start);
    ASSERT_FALSE(cache.Find(start ^ (uint64_t{1} << 63)));
  }
  std::vector<uint64_t> met;
  for (ExtentBufferRef block = cache.FirstAtOrAfter(0); block;
       block = cache.FirstAtOrAfter(met.back() + 1)) {
    met.push_back(block->start());
  }
  EXPECT_EQ(met, starts);
}

// Memory follows what is cached, not what was ever asked for.
TEST(BufferIndex, HostileAddressesDoNotPileUp) {
  BufferCache cache({.node_bytes = kNode, .budget_bytes = 64 * kNode});
  std::mt19937_64 random(2);
  uint64_t early = 0;
  for (int i = 0; i < 200'000; ++i) {
    (void)*cache.Create((random() >> 1) / kNode * kNode);
    if (i == 1000) early = cache.stats().index_bytes;
  }
  EXPECT_EQ(cache.stats().cached_buffers, 64u);
  EXPECT_EQ(cache.stats().index_bytes, early);
  EXPECT_LE(early, uint64_t{512} << 10);
}

TEST(BufferIndex, DenseBlocksCostAboutTenBytesEach) {
  BufferCache cache({.node_bytes = kNode, .budget_bytes = 0});
  constexpr uint64_t kBlocks = 1 << 16;
  for (uint64_t i = 0; i < kBlocks; ++i) (void)*cache.Create(i * kNode);
  EXPECT_LE(cache.stats().index_bytes, 14 * kBlocks);
}

// A buffer died, and before it is out of the index its block is made anew: the newcomer replaces
// it, and the burial of the dead one leaves the newcomer alone.
TEST(BufferIndex, TheDeadTakeOutOnlyThemselves) {
  DescriptorSlab slab(nullptr, 1, OsCalls::Real());
  BufferIndex index(kNode, OsCalls::Real());
  std::array<ExtentBuffer*, 2> made{};
  ASSERT_EQ(slab.Allocate(absl::MakeSpan(made)), 2u);
  const auto [dead, live] = made;
  ExtentBufferPeer::SetStart(dead, kNode);
  ExtentBufferPeer::SetStart(live, kNode);
  const auto grab = [](ExtentBuffer* there, uint64_t = 0) {
    return there->state().refs == 0 ? BufferIndex::Grab::kDead : BufferIndex::Grab::kTaken;
  };
  const uint64_t birth = state::Pack(state::BornMapped());
  // The second one comes to the first one's place, in the same batch.
  std::array<BufferIndex::Newcomer, 2> newcomers = {{{.buffer = dead}, {.buffer = live}}};
  index.Insert(absl::MakeSpan(newcomers), birth, grab);
  EXPECT_EQ(newcomers[0].outcome, BufferIndex::Insertion::kInserted);
  EXPECT_EQ(newcomers[1].outcome, BufferIndex::Insertion::kExists);
  EXPECT_EQ(newcomers[1].existing, dead);
  ExtentBufferPeer::Kill(dead);
  EXPECT_EQ(index.Find(kNode, grab), nullptr);
  index.Insert(absl::MakeSpan(newcomers).subspan(1), birth, grab);
  EXPECT_EQ(newcomers[1].outcome, BufferIndex::Insertion::kInserted);
  index.Remove({&dead, 1});
  EXPECT_EQ(index.Find(kNode, grab), live);
  index.Remove({&live, 1});
  EXPECT_EQ(index.Find(kNode, grab), nullptr);
}

// Misses beside leaves that come and go: a block that is always there is always found.
TEST(BufferIndex, LookupsBesideChangingLeaves) {
  BufferCache cache({.node_bytes = kNode, .budget_bytes = 0});
  std::vector<ExtentBufferRef> steady;
  for (uint64_t i = 0; i < 64; ++i) steady.push_back(*cache.Create((i * 977) << 24));
  std::atomic<bool> stop{false};
  std::thread churner([&] {
    std::mt19937_64 random(3);
    while (!stop.load()) {
      std::vector<ExtentBufferRef> blocks;
      for (int i = 0; i < 300; ++i) {
        auto block = cache.Create(((random() >> 1) | 1) / kNode * kNode);
        if (block.ok()) blocks.push_back(*std::move(block));
      }
      for (ExtentBufferRef& block : blocks) {
        if (block->start() % (1 << 24) != 0) block.PutStale();
      }
    }
  });
  std::mt19937_64 random(4);
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t start = steady[random() % steady.size()]->start();
    ExtentBufferRef block = cache.Find(start);
    ASSERT_TRUE(block) << "lost " << start;
    ASSERT_EQ(block->start(), start);
  }
  stop = true;
  churner.join();
}

}  // namespace
}  // namespace ebcache
