// What users keep with a buffer: zero at birth, theirs while it lives, told once when it goes, whatever
// the way.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/movable_region.h"
#include "lib/cache/extent_buffer_access.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

constexpr uint64_t kNode = 16384;
constexpr int kHalfOfTheRegion = 11;  // as an order: 8 MiB of 16
constexpr uint32_t kUserBytes = 40;   // no multiple of what it is rounded to

// Each birth that a test has seen gets a number, which it keeps in the buffer's user bytes.
class Births : public MemorySource {
 public:
  void Forget(const ExtentBuffer& buffer, std::byte* user) noexcept override {
    uint64_t number = 0;
    std::memcpy(&number, user, sizeof(number));
    std::lock_guard lock(mutex_);
    ++forgotten_;
    if (number == 0) return;  // one that the test did not see
    if (alive_.erase({number, buffer.start()}) != 1) ++twice_;
    // The bytes are there still, all of them.
    std::vector<std::byte> bytes(buffer.length());
    if (!buffer.Read(0, absl::MakeSpan(bytes)).ok()) ++without_bytes_;
    if (buffer.uptodate() && bytes != Pattern(buffer.start(), bytes.size())) ++without_bytes_;
  }

  // A buffer that the caller holds: a new one has zeroes.
  void See(const ExtentBuffer& buffer) {
    std::lock_guard lock(mutex_);
    uint64_t number = 0;
    std::memcpy(&number, buffer.user(), sizeof(number));
    if (number != 0) {
      EXPECT_TRUE(alive_.contains({number, buffer.start()})) << "of another buffer";
      return;
    }
    EXPECT_TRUE(std::all_of(buffer.user(), buffer.user() + kUserBytes,
                            [](std::byte byte) { return byte == std::byte{0}; }));
    ++births_;
    std::memset(buffer.user(), 0xee, kUserBytes);
    std::memcpy(buffer.user(), &births_, sizeof(births_));
    alive_.insert({births_, buffer.start()});
  }

  uint64_t births() const { return births_; }
  uint64_t forgotten() const { return forgotten_; }
  size_t alive() const { return alive_.size(); }
  uint64_t mistakes() const { return twice_ + without_bytes_; }

 private:
  std::mutex mutex_;  // guards all below
  uint64_t births_ = 0, forgotten_ = 0, twice_ = 0, without_bytes_ = 0;
  std::set<std::pair<uint64_t, uint64_t>> alive_;
};

BufferCacheOptions Options() { return {.node_bytes = kNode, .user_bytes = kUserBytes}; }

TEST(UserBytes, AreNullWhereNoneWereAskedFor) {
  MemorySource source;
  BufferCache cache({.node_bytes = kNode}, &source);
  EXPECT_EQ((*cache.ReadBlock(kNode))->user(), nullptr);
}

TEST(UserBytes, AreAlignedAndOfNoOther) {
  Births births;
  BufferCache cache(Options(), &births);
  std::vector<ExtentBufferRef> held;
  for (uint64_t i = 0; i < 3000; ++i) held.push_back(*cache.Create(i * kNode));
  std::set<const std::byte*> places;
  for (const ExtentBufferRef& buffer : held) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->user()) % alignof(std::max_align_t), 0u);
    places.insert(buffer->user());
    births.See(*buffer);
  }
  const std::byte* last = nullptr;
  for (const std::byte* place : places) {
    EXPECT_TRUE(last == nullptr || place - last >= kUserBytes);
    last = place;
  }
  EXPECT_EQ(places.size(), held.size());
}

// ---- Ways to go ---------------------------------------------------------------------------------

struct Way {
  const char* name;
  std::function<void(BufferCache&, ExtentBufferRef)> go;
};

const Way kWays[] = {
    {"stale", [](BufferCache&, ExtentBufferRef ref) { ref.PutStale(); }},
    {"last put of a stale one",
     [](BufferCache&, ExtentBufferRef ref) {
       ExtentBufferRef other = ref.Share();
       ref.PutStale();
       other.Put();
     }},
    {"nocache", [](BufferCache&, ExtentBufferRef ref) { ref.PutNoCache(); }},
    {"dropped caches",
     [](BufferCache& cache, ExtentBufferRef ref) {
       ref.Put();
       EXPECT_EQ(cache.DropCaches(), 1u);
     }},
    {"shrunk",
     [](BufferCache& cache, ExtentBufferRef ref) {
       ref.Put();
       EXPECT_EQ(cache.Shrink(1), kNode);
     }},
    {"over budget",
     [](BufferCache& cache, ExtentBufferRef ref) {
       ref.Put();
       cache.SetBudget(1);
       cache.SetBudget(0);
     }},
    {"a folio that is released",
     [](BufferCache& cache, ExtentBufferRef ref) {
       const Folio folio = ref->folios()[0];
       const uint32_t bits = Inside(ref.get()).index_;
       ref.Put();
       EXPECT_TRUE(cache.ReleaseFolio(folio, bits));
     }},
};

TEST(UserBytes, AreForgottenOnceWhateverTheWay) {
  for (const Way& way : kWays) {
    SCOPED_TRACE(way.name);
    Births births;
    BufferCache cache(Options(), &births);
    for (uint64_t round = 0; round < 1000; ++round) {
      const uint64_t start = (round % 7) * kNode;
      ExtentBufferRef ref = round % 2 == 0 ? *cache.ReadBlock(start) : *cache.Create(start);
      births.See(*ref);
      way.go(cache, std::move(ref));
      ASSERT_EQ(births.forgotten(), round + 1);
      ASSERT_EQ(births.alive(), 0u);
    }
    EXPECT_EQ(births.births(), 1000u);
    EXPECT_EQ(births.mistakes(), 0u);
  }
}

// With others that live on beside it, which no death takes along.
TEST(UserBytes, AreForgottenOnceInAnyOrderOfWays) {
  constexpr uint64_t kDeathsEachWay = 1000;
  constexpr uint64_t kBlocks = 200;
  std::mt19937_64 random(1);
  Births births;
  BufferCache cache(Options(), &births);
  std::vector<ExtentBufferRef> held;
  std::vector<uint64_t> deaths(std::size(kWays));
  uint64_t died = 0;
  while (*std::min_element(deaths.begin(), deaths.end()) < kDeathsEachWay) {
    if (held.empty() || (held.size() < kBlocks / 2 && random() % 2 == 0)) {
      const uint64_t start = random() % kBlocks * kNode;
      ExtentBufferRef ref = random() % 2 == 0 ? *cache.ReadBlock(start) : *cache.Create(start);
      births.See(*ref);
      const bool again = std::any_of(held.begin(), held.end(), [&](const ExtentBufferRef& other) {
        return other->start() == start;
      });
      if (!again) held.push_back(std::move(ref));
      continue;
    }
    std::swap(held[random() % held.size()], held.back());
    ExtentBufferRef ref = std::move(held.back());
    held.pop_back();
    const size_t way = random() % std::size(kWays);
    kWays[way].go(cache, std::move(ref));
    ++deaths[way];
    ASSERT_EQ(births.forgotten(), ++died) << kWays[way].name;
    ASSERT_EQ(births.alive(), held.size()) << kWays[way].name;
  }
  EXPECT_EQ(births.births(), died + held.size());
  EXPECT_EQ(births.mistakes(), 0u);
}

TEST(UserBytes, OfDummiesAndClonesAreForgotten) {
  Births births;
  BufferCache cache(Options(), &births);
  for (int round = 0; round < 1000; ++round) {
    ExtentBufferRef dummy = *cache.CreateDummy(kNode);
    std::memset(dummy->user(), 0xff, kUserBytes);
    // A clone is another buffer: nothing of the user's comes along.
    ExtentBufferRef clone = *cache.Clone(*dummy);
    EXPECT_EQ(clone->user()[0], std::byte{0});
    std::memset(dummy->user(), 0, kUserBytes);
  }
  EXPECT_EQ(births.forgotten(), 2000u);
}

TEST(UserBytes, AreForgottenWithTheCache) {
  Births births;
  {
    BufferCache cache(Options(), &births);
    for (uint64_t i = 0; i < 1000; ++i) births.See(**cache.ReadBlock(i * kNode));
    (*cache.ReadBlock(0)).SetDirty();
    EXPECT_EQ(births.forgotten(), 0u);
    cache.GiveUpWrites();
  }
  EXPECT_EQ(births.forgotten(), 1000u);
  EXPECT_EQ(births.mistakes(), 0u);
}

TEST(UserBytes, StayWithABlockThatIsMadeAnew) {
  Births births;
  BufferCache cache(Options(), &births);
  ExtentBufferRef ref = *cache.ReadBlock(kNode);
  births.See(*ref);
  ref.SetDirty();
  ASSERT_TRUE(*cache.GiveUpWrite(ref));
  ASSERT_TRUE(cache.Read(ref).ok());
  ASSERT_TRUE(cache.ReinitAsNewBlock(ref, 101).ok());
  ASSERT_TRUE(cache.Reread(ref).ok());
  births.See(*ref);  // the same birth
  EXPECT_EQ(births.births(), 1u);
  EXPECT_EQ(births.forgotten(), 0u);
}

// A folio that moves: under the buffer, or with the buffer's end.
TEST(UserBytes, InARegionThatCompacts) {
  using Mode = BufferCacheOptions::MigrateMode;
  for (const Mode mode : {Mode::kKeepBuffer, Mode::kDropBuffer}) {
    Births births;
    const auto region = MovableRegion::Create(RegionOptionsFor(4096, size_t{16} << 20));
    BufferCacheOptions options = Options();
    options.allocator = region;
    options.migrate_mode = mode;
    BufferCache cache(std::move(options), &births);
    for (uint64_t i = 0; i < 600; ++i) births.See(**cache.ReadBlock(i * kNode));
    // Every second one goes, so that what stays can be brought together.
    for (uint64_t i = 0; i < 600; i += 2) {
      ExtentBufferRef ref = cache.Find(i * kNode);
      if (ref) ref.PutStale();
    }
    const uint64_t before = births.forgotten();
    // Half of the arena in one piece: what is in the way has to move.
    absl::StatusOr<Folio> piece = region->AllocateContiguous({}, kHalfOfTheRegion);
    ASSERT_TRUE(piece.ok()) << piece.status();
    region->FreeBulk(kHalfOfTheRegion, absl::MakeSpan(&*piece, 1));
    const CacheStats stats = cache.stats();
    EXPECT_GT(mode == Mode::kKeepBuffer ? stats.migrations : births.forgotten() - before, 0u);
    EXPECT_EQ(births.forgotten(), births.births() - stats.cached_buffers);
    for (uint64_t i = 1; i < 600; i += 2) {
      const ExtentBufferRef ref = cache.Find(i * kNode);
      if (ref) births.See(*ref);
    }
    EXPECT_EQ(births.births(), 600u) << "what was kept with a buffer was lost on the way";
    EXPECT_EQ(births.mistakes(), 0u);
  }
}

// The pages of a block that goes with one of them: the users are told before it is taken away.
TEST(UserBytes, OfAPageArrayThatIsDropped) {
  Births births;
  BufferCacheOptions options = Options();
  options.allocator = Order0Allocator();
  options.migrate_mode = BufferCacheOptions::MigrateMode::kDropBuffer;
  PageAllocator& allocator = *options.allocator;
  BufferCache cache(std::move(options), &births);
  for (size_t page = 0; page < 4; ++page) {
    ExtentBufferRef ref = *cache.ReadBlock(kNode);
    births.See(*ref);
    ASSERT_EQ(ref->folios().size(), 4u);
    Folio source = ref->folios()[page];
    const uint32_t bits = Inside(ref.get()).index_;
    ref.Put();
    Folio destination;
    ASSERT_TRUE(allocator.AllocateBulk({}, 0, absl::MakeSpan(&destination, 1)).ok());
    ASSERT_TRUE(cache.MigrateFolio(destination, source, bits));
    EXPECT_EQ(births.forgotten(), page + 1);
    EXPECT_EQ(births.mistakes(), 0u);
    allocator.FreeBulk(0, absl::MakeSpan(&source, 1));
  }
  EXPECT_EQ(allocator.stats().in_use_bytes, 0u);
}

TEST(UserBytes, OfEveryBirthBesideOtherThreads) {
  Births births;
  {
    BufferCacheOptions options = Options();
    options.budget_bytes = 64 * kNode;
    options.background_reclaim = true;
    BufferCache cache(std::move(options), &births);
    std::vector<std::thread> threads;
    for (uint32_t seed = 1; seed <= 3; ++seed) {
      threads.emplace_back([&cache, &births, seed] {
        std::mt19937 random(seed);
        for (int step = 0; step < 4000; ++step) {
          ExtentBufferRef ref = *cache.ReadBlock((random() % 200) * kNode);
          births.See(*ref);
          switch (random() % 3) {
            case 0:
              ref.PutStale();
              break;
            case 1:
              ref.PutNoCache();
              break;
            default:
              break;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(births.alive(), cache.stats().cached_buffers);
  }
  EXPECT_EQ(births.alive(), 0u);
  EXPECT_EQ(births.forgotten(), births.births());
  EXPECT_EQ(births.mistakes(), 0u);
}

}  // namespace
}  // namespace ebcache
