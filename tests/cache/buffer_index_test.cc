// The index through the cache: hostile addresses, growth, leaves that come and go.

#include "lib/cache/buffer_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "lib/cache/buffer_cache_impl.h"
#include "lib/cache/descriptor_slab.h"
#include "lib/cache/state_word.h"
#include "tests/support/memory_source.h"

namespace ebcache {

// Descriptors without a cache.
class LoneBuffer {
 public:
  static void SetStart(ExtentBuffer* buffer, uint64_t start) { Inside(buffer).start_ = start; }
  static void Kill(ExtentBuffer* buffer) { Inside(buffer).state_.store(0); }
};

class BufferCachePeer {
 public:
  static const BufferIndex& index(const BufferCache& cache) { return cache.impl_->pool_.index_; }
  static BufferIndex::Probes Probes(const BufferCache& cache) { return index(cache).CountProbes(); }
  static bool KnowsOfUnwritten(const BufferCache& cache) {
    return !index(cache).NextUnwritten(0).at_end;
  }
  static uint64_t LongestHold(const BufferCache& cache) { return index(cache).longest_hold(); }
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

// The mutex is held for a bounded time, in counted steps, however many leaves there are: while the
// table grows, while empty leaves are swept, while the next dirty block is looked for among many
// that are not, and beyond a gap that is all empty leaves.
TEST(BufferIndex, NoHoldOfTheMutexGrowsWithTheCache) {
  constexpr uint64_t kLeafBytes = 64 * kNode;
  constexpr uint64_t kAtATime = 64;  // of one block
  MemorySource source;
  BufferCache cache({.node_bytes = kNode, .budget_bytes = 0}, &source);
  for (uint64_t i = 0; i < 50'000; ++i) (void)*cache.Create(i * kLeafBytes);
  EXPECT_LE(BufferCachePeer::LongestHold(cache), kAtATime);
  ExtentBufferRef last = cache.Find(49'999 * kLeafBytes);
  last.SetUptodate();
  last.SetDirty();
  EXPECT_EQ(cache.NextDirty(0)->start(), last->start());
  EXPECT_TRUE(cache.WritebackAll().ok());
  EXPECT_FALSE(cache.NextDirty(0));
  EXPECT_LE(BufferCachePeer::LongestHold(cache), kAtATime);
  last.Put();
  ExtentBufferRef first = cache.Find(0);
  EXPECT_EQ(cache.DropCaches(), 49'999u);
  EXPECT_FALSE(cache.FirstAtOrAfter(kNode));
  // A batch buries 32 together, each of which may sweep.
  EXPECT_LE(BufferCachePeer::LongestHold(cache), 32 * kAtATime);
  EXPECT_EQ(cache.FirstAtOrAfter(0).get(), first.get());
}

// The next dirty block is found by a look or two, wherever it is and whatever is around it: against
// a set of what was dirtied, written and given up.
TEST(BufferIndex, KnowsWhatIsDirty) {
  MemorySource source;
  BufferCache cache({.node_bytes = kNode, .budget_bytes = 0}, &source);
  std::vector<ExtentBufferRef> blocks;
  for (uint64_t i = 0; i < 300; ++i) {
    // Alone in leaves, side by side, and at the seams of leaves.
    blocks.push_back(*cache.Create((i / 3 * 64 * 5 + i % 3 * 63) * kNode));
    blocks.back().SetUptodate();
  }
  std::set<uint64_t> dirty;
  std::mt19937_64 random(5);
  for (int i = 0; i < 20'000; ++i) {
    const ExtentBufferRef& block = blocks[random() % blocks.size()];
    switch (random() % 8) {
      case 0:
        ASSERT_TRUE(cache.Writeback(block).ok());
        dirty.erase(block->start());
        break;
      case 1:
        block.ClearDirty();
        dirty.erase(block->start());
        break;
      case 2:
        if (random() % 50 == 0) {
          ASSERT_TRUE(cache.WritebackAll().ok());
          dirty.clear();
        }
        break;
      case 3:
      case 4:
      case 5: {
        const uint64_t from = random() % (120 * 64 * 5 * kNode);
        const auto expected = dirty.lower_bound(from);
        const ExtentBufferRef found = cache.NextDirty(from);
        ASSERT_EQ(static_cast<bool>(found), expected != dirty.end());
        if (found) {
          ASSERT_EQ(found->start(), *expected);
        }
        break;
      }
      default:
        block.SetDirty();
        dirty.insert(block->start());
    }
  }
  EXPECT_FALSE(dirty.empty());
  // What was written is not looked at again: nothing is left of it.
  EXPECT_TRUE(BufferCachePeer::KnowsOfUnwritten(cache));
  ASSERT_TRUE(cache.WritebackAll().ok());
  EXPECT_FALSE(BufferCachePeer::KnowsOfUnwritten(cache));
}

// Many leaves without buffers, too few to be swept, lie in front of the next block.
TEST(BufferIndex, EmptyLeavesAreSteppedOverInSeveralHolds) {
  constexpr uint64_t kLeafBytes = 64 * kNode;
  BufferCache cache({.node_bytes = kNode, .budget_bytes = 0});
  for (uint64_t i = 0; i < 1000; ++i) (void)*cache.Create(i * kLeafBytes);
  for (uint64_t i = 0; i < 400; ++i) cache.Find(i * kLeafBytes).PutStale();
  EXPECT_EQ(cache.FirstAtOrAfter(0)->start(), 400 * kLeafBytes);
  EXPECT_LE(BufferCachePeer::LongestHold(cache), 64u);
}

// Leaves are swept, and become others', while the table grows that has some of them already: no
// block is found where it is not, and each where it is.
TEST(BufferIndex, LeavesThatGoWhileItGrows) {
  constexpr uint64_t kLeafBytes = 64 * kNode;
  // The table of 1024 is too small with the first; with so many more its growth is under way.
  for (uint64_t more = 1; more <= 17; ++more) {
    BufferCache cache({.node_bytes = kNode, .budget_bytes = 0});
    uint64_t next = 0;
    const auto create = [&] { (void)*cache.Create(next++ * kLeafBytes); };
    while (next < 513 + more) create();
    for (uint64_t i = 0; i < 400; ++i) cache.Find(i * kLeafBytes).PutStale();
    for (int i = 0; i < 100; ++i) create();  // in leaves that were the others', until it has grown
    for (uint64_t i = 0; i < next; ++i) {
      ASSERT_EQ(static_cast<bool>(cache.Find(i * kLeafBytes)), i >= 400) << more << ": " << i;
    }
    for (uint64_t i = 0; i < 400; ++i) (void)*cache.Create(i * kLeafBytes);
    for (uint64_t i = 0; i < next; ++i) {
      const ExtentBufferRef block = cache.Find(i * kLeafBytes);
      ASSERT_TRUE(block);
      ASSERT_EQ(block->start(), i * kLeafBytes);
    }
    ASSERT_EQ(cache.stats().cached_buffers, next);
  }
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
  // Sweeps go on in small pieces, so how many empty leaves there are varies a little.
  EXPECT_LE(cache.stats().index_bytes, early + early / 8);
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
  DescriptorSlab slab(nullptr, 1, 0, OsCalls::Real());
  BufferIndex index(kNode, OsCalls::Real(), MultiplierOf(0));
  std::array<ExtentBuffer*, 2> made{};
  ASSERT_EQ(slab.Allocate(absl::MakeSpan(made)), 2u);
  const auto [dead, live] = made;
  LoneBuffer::SetStart(dead, kNode);
  LoneBuffer::SetStart(live, kNode);
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
  LoneBuffer::Kill(dead);
  EXPECT_EQ(index.Find(kNode, grab), nullptr);
  index.Insert(absl::MakeSpan(newcomers).subspan(1), birth, grab);
  EXPECT_EQ(newcomers[1].outcome, BufferIndex::Insertion::kInserted);
  index.Remove({&dead, 1});
  EXPECT_EQ(index.Find(kNode, grab), live);
  index.Remove({&live, 1});
  EXPECT_EQ(index.Find(kNode, grab), nullptr);
}

// ---- Colliding addresses ------------------------------------------------------------------------

// Addresses, one in each leaf, that an index with this multiplier has all in one place: multiples
// of a number that the multiplier takes to nearly 0. Euclid finds it: the denominators of the
// fractions that come closest to multiplier / 2^64.
std::vector<uint64_t> Colliding(uint64_t multiplier, uint64_t count) {
  __extension__ using uint128 = unsigned __int128;
  uint128 a = uint128{1} << 64, b = multiplier;
  uint64_t factor = 1, before = 0;
  while (factor < uint64_t{1} << 29) {
    const auto term = static_cast<uint64_t>(a / b);
    const uint128 rest = a % b;
    a = b;
    b = rest;
    const uint64_t next = term * factor + before;
    before = factor;
    factor = next;
  }
  std::vector<uint64_t> starts;
  for (uint64_t i = 1; i <= count; ++i) starts.push_back(i * factor * 64 * kNode);
  return starts;
}

BufferIndex::Probes ProbesOf(uint64_t multiplier, const std::vector<uint64_t>& starts) {
  DescriptorSlab slab(nullptr, 1, 0, OsCalls::Real());
  BufferIndex index(kNode, OsCalls::Real(), multiplier);
  for (const uint64_t start : starts) {
    BufferIndex::Newcomer newcomer;
    EXPECT_EQ(slab.Allocate({&newcomer.buffer, 1}), 1u);
    LoneBuffer::SetStart(newcomer.buffer, start);
    index.Insert({&newcomer, 1}, state::Pack(state::BornMapped()),
                 [](ExtentBuffer*, uint64_t) { return BufferIndex::Grab::kTaken; });
    EXPECT_EQ(newcomer.outcome, BufferIndex::Insertion::kInserted);
  }
  return index.CountProbes();
}

// One leaf, wherever in the table it comes to lie.
TEST(BufferIndex, ALeafThatIsAloneIsFoundAtTheFirstLook) {
  for (uint64_t leaf = 0; leaf < 200; ++leaf) {
    const BufferIndex::Probes probes = ProbesOf(MultiplierOf(0), {leaf * 64 * kNode});
    ASSERT_EQ(probes.leaves, 1u);
    ASSERT_EQ(probes.total, 1u) << leaf;
    ASSERT_EQ(probes.most, 1u) << leaf;
  }
}

// Who knows the multiplier can make look-ups walks; so the number of looks is what tells whether
// others can.
TEST(BufferIndex, AddressesThatCollideUnderOneMultiplierDoNotUnderOthers) {
  constexpr uint64_t kBlocks = 4096;
  std::mt19937_64 random(5);
  const uint64_t known = MultiplierOf(0);
  EXPECT_EQ(known >> 32, 0x9e3779b9u) << "the golden ratio's";
  for (const uint64_t guess : {known, MultiplierOf(random())}) {
    const std::vector<uint64_t> starts = Colliding(guess, kBlocks);
    const BufferIndex::Probes worst = ProbesOf(guess, starts);
    ASSERT_EQ(worst.leaves, kBlocks);
    ASSERT_GT(worst.most, kBlocks / 2) << "these addresses do not collide: the test tests nothing";
    uint64_t total = 0;
    constexpr int kOthers = 50;
    for (int i = 0; i < kOthers; ++i) {
      const BufferIndex::Probes probes = ProbesOf(MultiplierOf(random()), starts);
      EXPECT_LT(probes.most, 256u);
      total += probes.total;
    }
    EXPECT_LT(total, 4 * kBlocks * kOthers);
  }
}

// What an image that was made for the golden ratio, or for the multiplier of another cache, meets.
// The chance that one cache has looks so long is below 1 in 1,000, that all have 1 in 10^12.
TEST(BufferIndex, EachCacheHasAMultiplierOfItsOwn) {
  const std::vector<uint64_t> starts = Colliding(MultiplierOf(0), 2048);
  uint64_t fewest = ~uint64_t{0};
  for (int i = 0; i < 4; ++i) {
    BufferCache cache({.node_bytes = kNode, .budget_bytes = 0});
    for (const uint64_t start : starts) ASSERT_TRUE(cache.Create(start).ok());
    fewest = std::min(fewest, BufferCachePeer::Probes(cache).total);
  }
  EXPECT_LT(fewest, 64 * starts.size());
  std::vector<uint64_t> multipliers;
  for (int i = 0; i < 4; ++i) multipliers.push_back(RandomMultiplier());
  std::sort(multipliers.begin(), multipliers.end());
  EXPECT_GT(std::unique(multipliers.begin(), multipliers.end()) - multipliers.begin(), 2);
}

// Neighbours, as in metadata chunks, lie as well as with the golden ratio: nearly all leaves are
// found at the first look, whatever the multiplier.
TEST(BufferIndex, NeighboursAreFoundAtTheFirstLookWhateverTheMultiplier) {
  std::mt19937_64 random(6);
  for (int i = 0; i < 20; ++i) {
    std::vector<uint64_t> starts;
    const uint64_t first = random() >> 24;
    const uint64_t count = 1000 + random() % 3000;
    for (uint64_t n = 0; n < count; ++n) starts.push_back((first + n) * 64 * kNode);
    const BufferIndex::Probes probes = ProbesOf(MultiplierOf(random()), starts);
    EXPECT_LE(probes.total, count + count / 10);
    EXPECT_LE(probes.most, 4u);
  }
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
