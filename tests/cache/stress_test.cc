// Everything at once: readers, writers, writes that fail, stale frees, reclaim, drop caches,
// clones, folio releases, with few blocks, so that threads meet. Every reader checks the bytes it
// got against what the block must hold; at the end nothing is left over. Made for the thread and
// address sanitizers.
//
// EBCACHE_STRESS_SECONDS makes it longer, EBCACHE_STRESS_SEED makes it another.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <iostream>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "tests/support/memory_source.h"
#include "tests/support/stress_options.h"

namespace ebcache {
namespace {

constexpr uint32_t kNode = 4096;
constexpr uint64_t kBlocks = 48;

class Stress {
 public:
  Stress(size_t page_bytes, uint64_t budget_blocks)
      : allocator_(Order0Allocator({.page_bytes = page_bytes, .arena_bytes = 64 << 20})),
        cache_(
            {.node_bytes = kNode, .budget_bytes = budget_blocks * kNode, .allocator = allocator_},
            &source_) {
    // Every hundredth read fails, so that failures meet waiters.
    source_.on_read = [this](uint64_t) {
      return reads_.fetch_add(1) % 100 == 99 ? absl::UnavailableError("EIO") : absl::OkStatus();
    };
  }

  void Run(int threads, double seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([this, t, end] {
        std::mt19937_64 random = StressRandom(t);
        while (std::chrono::steady_clock::now() < end) {
          for (int i = 0; i < 200; ++i) Step(random);
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    EXPECT_TRUE(cache_.WritebackAll().ok());
    cache_.DropCaches();
    const CacheStats stats = cache_.stats();
    EXPECT_EQ(stats.cached_buffers, 0u);
    EXPECT_EQ(stats.private_buffers, 0u);
    EXPECT_EQ(stats.dirty_buffers, 0u);
    EXPECT_EQ(allocator_->stats().in_use_bytes, 0u);
    std::cout << "operations " << operations_.load() << ", checked " << checked_.load()
              << ", reads " << stats.reads << ", failed " << stats.read_failures << ", waited "
              << stats.read_waits << ", stale frees " << stats.stale_frees << ", reclaimed "
              << stats.reclaimed << ", released by folio " << stats.folio_releases
              << ", races lost " << stats.create_races_lost << "\n";
    EXPECT_GT(checked_.load(), 0u);
  }

 private:
  void Check(const ExtentBufferRef& block) {
    // The last bytes are never written.
    const auto pattern = MemorySource::Pattern(block->start(), kNode);
    const auto tail = absl::MakeConstSpan(pattern).subspan(kNode - 256);
    ASSERT_EQ(*block->Compare(kNode - 256, tail), 0) << "block " << block->start();
    checked_.fetch_add(1, std::memory_order_relaxed);
  }

  void DirtyAndWrite(uint64_t start) {
    auto block = cache_.ReadBlock(start);
    if (!block.ok()) return;
    block->SetDirty();
    (void)cache_.Writeback(*block);
  }

  void Clone(uint64_t start) {
    auto block = cache_.ReadBlock(start);
    if (!block.ok()) return;
    auto clone = cache_.Clone(**block);
    block->Put();
    if (clone.ok()) Check(*clone);
  }

  void ReadBatch(uint64_t start) {
    std::vector<uint64_t> starts;
    for (uint64_t i = 0; i < 6; ++i) starts.push_back((start + i * kNode) % (kBlocks * kNode));
    std::vector<absl::StatusOr<ExtentBufferRef>> blocks(starts.size());
    cache_.ReadBlocks(starts, {}, absl::MakeSpan(blocks));
    for (const auto& block : blocks) {
      if (block.ok()) Check(*block);
    }
  }

  void Step(std::mt19937_64& random) {
    operations_.fetch_add(1, std::memory_order_relaxed);
    const uint64_t start = random() % kBlocks * kNode;
    switch (random() % 16) {
      default: {  // most of what happens in a filesystem
        auto block = cache_.ReadBlock(start);
        if (block.ok()) Check(*block);
        break;
      }
      case 0: {
        ExtentBufferRef block = cache_.Find(start);
        if (block && block->uptodate()) Check(block);
        break;
      }
      case 1: {
        auto block = cache_.ReadBlock(start);
        if (block.ok()) block->PutStale();
        break;
      }
      case 2:
        DirtyAndWrite(start);
        break;
      case 3:
        Clone(start);
        break;
      case 4:
        ReadBatch(start);
        break;
      case 5:
        cache_.Shrink(4 * kNode);
        break;
      case 6:
        if (random() % 16 == 0) cache_.DropCaches();
        break;
      case 7: {
        ExtentBufferRef block = cache_.FirstAtOrAfter(start);
        if (block && block->uptodate()) Check(block);
        break;
      }
      case 8: {
        // Whatever frames and descriptors there may be: mostly wrong guesses, sometimes right.
        const auto frame = static_cast<uint32_t>(random() % 64);
        cache_.ReleaseFolio(Folio(frame), random() % 64);
        break;
      }
      case 9:
        (void)cache_.ExplainPins();
        break;
      case 10: {
        ExtentBufferRef block = cache_.NextDirty(start);
        if (block) (void)cache_.Writeback(block);
        break;
      }
    }
  }

  std::atomic<uint64_t> reads_{0};
  std::atomic<uint64_t> operations_{0};
  std::atomic<uint64_t> checked_{0};
  MemorySource source_;
  std::shared_ptr<PageAllocator> allocator_;
  BufferCache cache_;
};

// Every fifth write fails. Blocks have versions, which go up; who changes or looks at one has its
// lock, and so has the device while it copies the bytes.
class FailingDisk : public MemorySource {
 public:
  std::mutex& LockOf(uint64_t start) { return locks_[start / kNode]; }
  uint64_t VersionOnDisk(uint64_t start) {
    uint64_t version = 0;
    std::memcpy(&version, Contents(start, kNode).data(), sizeof(version));
    return version;
  }
  bool fails = true;

  void Write(absl::Span<BlockWrite> writes) override {
    for (BlockWrite& write : writes) {
      if (fails && count_.fetch_add(1) % 5 == 0) {
        write.status = absl::UnavailableError("EIO");
        continue;
      }
      std::lock_guard lock(LockOf(write.buffer->start()));
      MemorySource::Write({&write, 1});
    }
  }

 private:
  std::array<std::mutex, kBlocks> locks_;
  std::atomic<uint64_t> count_{0};
};

// Writers, retries and flushes beside readers, reclaim and stale puts. Readers get the newest
// bytes, a flush that says OK has written what was there before it, and nothing is lost in the end.
class WriteStress {
 public:
  WriteStress() {
    for (uint64_t start = 0; start < kBlocks * kNode; start += kNode) {
      auto block = *cache_.ReadBlock(start);
      newest_[start / kNode] = *block->Get<uint64_t>(0) >> 1;  // far from the end
      EXPECT_TRUE(block->Set<uint64_t>(0, newest_[start / kNode]).ok());
      block.SetDirty();
    }
    disk_.fails = false;
    EXPECT_TRUE(cache_.WritebackAll().ok());
    disk_.fails = true;
  }

  void Run(int threads, double seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([this, t, end] {
        std::mt19937_64 random = StressRandom(t);
        while (std::chrono::steady_clock::now() < end) {
          for (int i = 0; i < 200; ++i) Step(random);
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    disk_.fails = false;
    EXPECT_TRUE(cache_.WritebackAll().ok());
    for (uint64_t block = 0; block < kBlocks; ++block) {
      EXPECT_EQ(disk_.VersionOnDisk(block * kNode), newest_[block]) << block;
    }
    cache_.DropCaches();
    const CacheStats stats = cache_.stats();
    EXPECT_EQ(stats.cached_buffers, 0u);
    EXPECT_EQ(stats.dirty_buffers, 0u);
    EXPECT_EQ(stats.write_err_buffers, 0u);
    std::cout << "changes " << changes_.load() << ", writes " << stats.writes << ", failed "
              << stats.write_failures << ", flushes that were OK " << flushes_.load() << ", reads "
              << stats.reads << ", reclaimed " << stats.reclaimed << "\n";
    EXPECT_GT(stats.write_failures, 0u);
  }

 private:
  void Change(uint64_t start) {
    ExtentBufferRef block = *cache_.ReadBlock(start);
    std::lock_guard lock(disk_.LockOf(start));
    EXPECT_TRUE(block->Set<uint64_t>(0, ++newest_[start / kNode]).ok());
    block.SetDirty();
    changes_.fetch_add(1);
  }
  void Look(uint64_t start) {
    ExtentBufferRef block = *cache_.ReadBlock(start);
    std::lock_guard lock(disk_.LockOf(start));
    ASSERT_EQ(*block->Get<uint64_t>(0), newest_[start / kNode]) << "older than the newest";
  }
  void Flush() {
    std::array<uint64_t, kBlocks> before;
    for (uint64_t block = 0; block < kBlocks; ++block) {
      std::lock_guard lock(disk_.LockOf(block * kNode));
      before[block] = newest_[block];
    }
    if (!cache_.WritebackAll().ok()) return;
    flushes_.fetch_add(1);
    for (uint64_t block = 0; block < kBlocks; ++block) {
      ASSERT_GE(disk_.VersionOnDisk(block * kNode), before[block]) << "OK, and not on disk";
    }
  }

  void Step(std::mt19937_64& random) {
    const uint64_t start = random() % kBlocks * kNode;
    switch (random() % 16) {
      default:
        return Look(start);
      case 0:
      case 1:
      case 2:
        return Change(start);
      case 3:
      case 4:
        if (ExtentBufferRef block = cache_.Find(start)) (void)cache_.Writeback(block);
        return;
      case 5:
        return Flush();
      case 6:
        if (ExtentBufferRef block = cache_.Find(start)) block.PutStale();
        return;
      case 7:
        cache_.DropCaches();
        return;
    }
  }

  FailingDisk disk_;
  BufferCache cache_{{.node_bytes = kNode, .budget_bytes = 16 * kNode}, &disk_};
  std::array<uint64_t, kBlocks> newest_{};  // each guarded by the block's lock
  std::atomic<uint64_t> changes_{0};
  std::atomic<uint64_t> flushes_{0};
};

TEST(Stress, WritesThatFail) { WriteStress().Run(4, StressSeconds()); }

TEST(Stress, UnlimitedCache) { Stress(4096, 0).Run(4, StressSeconds()); }
TEST(Stress, CacheSmallerThanItsBlocks) { Stress(4096, 16).Run(4, StressSeconds()); }
TEST(Stress, BlocksThatSharePages) { Stress(16384, 16).Run(4, StressSeconds()); }

}  // namespace
}  // namespace ebcache
