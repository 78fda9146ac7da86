// What a page allocator asks of the cache: releasing folios and moving them.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/forwarding_allocator.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

constexpr uint32_t kNode = 16384;
using Mode = BufferCacheOptions::MigrateMode;

// Keeps book of the folios a cache gets, as a compacting allocator would, and can move them.
class BookkeepingAllocator : public ForwardingAllocator {
 public:
  explicit BookkeepingAllocator(size_t page_bytes)
      : ForwardingAllocator(Order0Allocator({.page_bytes = page_bytes, .arena_bytes = 64 << 20})) {}

  std::string_view name() const override { return "bookkeeping"; }
  OwnerId RegisterOwner(FolioOwner* owner) override {
    owner_ = owner;
    return id_ = below().RegisterOwner(owner);
  }
  absl::Status AllocateBulk(const FolioRequest& request, int order,
                            absl::Span<Folio> slots) override {
    auto status = below().AllocateBulk(request, order, slots);
    if (status.ok()) Note(request, slots);
    return status;
  }
  void FreeBulk(int order, absl::Span<Folio> slots) override {
    for (Folio folio : slots) {
      if (!folio.empty()) book_.erase(folio.pfn());
    }
    below().FreeBulk(order, slots);
  }
  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override {
    auto status = below().AllocateBlock(request, block);
    if (status.ok()) Note(request, block.folios());
    return status;
  }
  void FreeBlock(FolioBlock& block) override {
    for (Folio folio : block.folios()) {
      if (!folio.empty()) book_.erase(folio.pfn());
    }
    below().FreeBlock(block);
  }
  void SetPrivate(Folio folio, uint32_t bits) override {
    book_[folio.pfn()] = bits;
    below().SetPrivate(folio, bits);
  }

  // Moves every folio once, as compaction would. Returns how many moved.
  int MoveAll() {
    int moved = 0;
    const std::map<uint32_t, uint32_t> folios = book_;
    for (const auto& [pfn, bits] : folios) {
      if (!book_.contains(pfn)) continue;  // went along with another one of its block
      Folio destination;
      const FolioRequest request{.flags = AllocFlags::kMovable, .owner = id_, .private_bits = bits};
      if (!below().AllocateBulk(request, 0, absl::MakeSpan(&destination, 1)).ok()) break;
      book_[destination.pfn()] = bits;
      Folio source(pfn);
      if (owner_->Migrate(destination, source, bits)) {
        ++moved;
        FreeBulk(0, absl::MakeSpan(&source, 1));
      } else {
        FreeBulk(0, absl::MakeSpan(&destination, 1));
      }
    }
    return moved;
  }

  // Moves at once all folios with these private bits, and `stranger`, which has others.
  std::vector<FolioMove> MoveTogether(uint32_t bits, Folio stranger) {
    std::vector<FolioMove> moves;
    for (const auto& [pfn, theirs] : book_) {
      if (theirs == bits) moves.push_back({.source = Folio(pfn)});
    }
    moves.insert(moves.begin() + 1, {.source = stranger});
    for (FolioMove& move : moves) {
      const FolioRequest request{.flags = AllocFlags::kMovable, .owner = id_, .private_bits = bits};
      EXPECT_TRUE(below().AllocateBulk(request, 0, absl::MakeSpan(&move.destination, 1)).ok());
    }
    for (const FolioMove& move : moves) book_[move.destination.pfn()] = bits;
    owner_->MigrateTogether(absl::MakeSpan(moves), bits);
    for (FolioMove& move : moves) {
      Folio left = move.moved ? move.source : move.destination;
      FreeBulk(0, absl::MakeSpan(&left, 1));
    }
    return moves;
  }

  const std::map<uint32_t, uint32_t>& book() const { return book_; }

 private:
  void Note(const FolioRequest& request, absl::Span<const Folio> folios) {
    for (Folio folio : folios) book_[folio.pfn()] = request.private_bits;
  }

  FolioOwner* owner_ = nullptr;
  OwnerId id_ = kNoOwner;
  std::map<uint32_t, uint32_t> book_;  // frame number to private bits
};

class MigrateTest : public testing::TestWithParam<size_t> {
 protected:
  MigrateTest() { Make(Mode::kKeepBuffer); }

  void Make(Mode mode) {
    cache_.reset();
    allocator_ = std::make_shared<BookkeepingAllocator>(GetParam());
    cache_ = std::make_unique<BufferCache>(
        BufferCacheOptions{
            .node_bytes = kNode, .budget_bytes = 0, .allocator = allocator_, .migrate_mode = mode},
        &source_);
  }
  void ReadSome(uint64_t blocks) {
    for (uint64_t i = 0; i < blocks; ++i) (void)*cache_->ReadBlock(i * kNode);
  }
  void ExpectAllBytes(uint64_t blocks) {
    for (uint64_t i = 0; i < blocks; ++i) {
      ExtentBufferRef block = cache_->Find(i * kNode);
      ASSERT_TRUE(block) << i;
      ASSERT_EQ(*block->Compare(0, MemorySource::Pattern(i * kNode, kNode)), 0) << i;
    }
  }

  MemorySource source_;
  std::shared_ptr<BookkeepingAllocator> allocator_;
  std::unique_ptr<BufferCache> cache_;
};

TEST_P(MigrateTest, EachMoveIsCountedOnce) {
  ReadSome(3);
  const int folios = allocator_->MoveAll();
  // Of a block for each of its folios; of each block that shares one.
  EXPECT_EQ(cache_->stats().migrations, GetParam() > kNode ? 3u : static_cast<uint64_t>(folios));
}

TEST_P(MigrateTest, MovesIdleBuffersAndKeepsTheirBytes) {
  ReadSome(32);
  const auto before = allocator_->book();
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(allocator_->MoveAll(), static_cast<int>(before.size()));
    ExpectAllBytes(32);
  }
  EXPECT_EQ(source_.reads(), 32);  // nothing was read again
  EXPECT_EQ(cache_->stats().cached_buffers, 32u);
  EXPECT_EQ(allocator_->book().size(), before.size());
  EXPECT_EQ(cache_->DropCaches(), 32u);
  EXPECT_TRUE(allocator_->book().empty());
  EXPECT_EQ(allocator_->stats().in_use_bytes, 0u);
}

// All pages of a block in one question, with a page of another block among them.
TEST_P(MigrateTest, MovesThePagesOfABlockTogether) {
  for (const Mode mode : {Mode::kKeepBuffer, Mode::kDropBuffer}) {
    Make(mode);
    ReadSome(8);
    const auto before = allocator_->book();
    const auto [other_pfn, other_bits] = *before.rbegin();
    const auto [pfn, bits] = *before.begin();
    ASSERT_NE(bits, other_bits);
    const auto pages =
        std::count_if(before.begin(), before.end(),
                      [bits = bits](const auto& entry) { return entry.second == bits; });
    EXPECT_EQ(pages, std::max<int>(1, kNode / static_cast<int>(GetParam())));
    const auto moves = allocator_->MoveTogether(bits, Folio(other_pfn));
    for (const FolioMove& move : moves) {
      EXPECT_EQ(move.moved, !(move.source == Folio(other_pfn)));
    }
    EXPECT_EQ(source_.reads(), mode == Mode::kKeepBuffer ? 8 : 16);
    if (mode == Mode::kKeepBuffer) {
      ExpectAllBytes(8);
      EXPECT_EQ(allocator_->book().size(), before.size());
      // A buffer that is in use stays, with all its pages.
      ExtentBufferRef held = cache_->Find(0);
      ASSERT_EQ(held->folios().size(), static_cast<size_t>(pages));
      const uint32_t its_bits = allocator_->book().at(held->folios().front().pfn());
      for (const FolioMove& move : allocator_->MoveTogether(its_bits, Folio(other_pfn))) {
        EXPECT_FALSE(move.moved);
      }
    } else {
      const uint64_t gone = std::max<uint64_t>(1, GetParam() / kNode);
      EXPECT_EQ(cache_->stats().cached_buffers, 8 - gone);
      EXPECT_EQ(allocator_->book().size(), before.size() - static_cast<size_t>(pages));
    }
    cache_->DropCaches();
    EXPECT_TRUE(allocator_->book().empty());
    EXPECT_EQ(allocator_->stats().in_use_bytes, 0u);
  }
}

// "Contiguous by accident": the address of the whole block holds only while its pages stay.
TEST_P(MigrateTest, TheAddressOfABlockInOnePieceIsForgottenAndFoundAgain) {
  if (GetParam() >= kNode) GTEST_SKIP() << "blocks of one page are always in one piece";
  ReadSome(1);
  const auto move = [&](Folio source) {
    Folio destination;
    const uint32_t bits = allocator_->book().at(source.pfn());
    EXPECT_TRUE(allocator_->AllocateBulk({}, 0, absl::MakeSpan(&destination, 1)).ok());
    EXPECT_TRUE(cache_->MigrateFolio(destination, source, bits));
    allocator_->SetPrivate(destination, bits);
    allocator_->FreeBulk(0, absl::MakeSpan(&source, 1));
    return destination;
  };
  const Folio source = cache_->Find(0)->folios()[1];
  EXPECT_NE(cache_->Find(0)->contiguous(), nullptr);

  const Folio away = move(source);
  EXPECT_EQ(cache_->Find(0)->contiguous(), nullptr);
  EXPECT_EQ(cache_->stats().contiguity_lost, 1u);
  ExpectAllBytes(1);

  EXPECT_EQ(move(away), source);  // the page that was freed last
  EXPECT_NE(cache_->Find(0)->contiguous(), nullptr);
  EXPECT_EQ(cache_->stats().contiguity_gained, 1u);
  ExpectAllBytes(1);
}

TEST_P(MigrateTest, SkipsWhatIsNotIdleAndCountsWhy) {
  ReadSome(3);
  ExtentBufferRef in_use = cache_->Find(0);
  {
    ExtentBufferRef dirty = cache_->Find(kNode);
    dirty.SetDirty();
  }
  ExtentBufferRef dummy = *cache_->CreateDummy(0);
  allocator_->MoveAll();
  const CacheStats stats = cache_->stats();
  EXPECT_GE(stats.skipped[static_cast<size_t>(ReleaseVerdict::kInUse)] +
                stats.skipped[static_cast<size_t>(ReleaseVerdict::kDirty)],
            1u);
  EXPECT_GE(stats.skipped[static_cast<size_t>(ReleaseVerdict::kUnmapped)], 1u);
  ExpectAllBytes(3);
  EXPECT_TRUE(cache_->Find(kNode)->dirty());
}

TEST_P(MigrateTest, StaleIdleBuffersAreReleasedNotMoved) {
  // A STALE buffer is idle only between a failed hand-over and its last put; make one by clearing
  // DIRTY after its last user has gone.
  ReadSome(1);
  ExtentBufferRef a = cache_->Find(0);
  a.SetDirty();
  ExtentBufferRef b = a.Share();
  a.PutStale();
  b.Put();
  ASSERT_EQ(cache_->stats().cached_buffers, 1u);
  ASSERT_TRUE(cache_->WritebackAll().ok());
  EXPECT_EQ(cache_->stats().cached_buffers, 0u);
  EXPECT_EQ(allocator_->stats().in_use_bytes, 0u);
}

TEST_P(MigrateTest, DropModeLetsBuffersGoAsTheKernelDoes) {
  Make(Mode::kDropBuffer);
  ReadSome(32);
  EXPECT_GT(allocator_->MoveAll(), 0);
  EXPECT_EQ(cache_->stats().cached_buffers, 0u);
  EXPECT_EQ(cache_->stats().migrations, 0u);
  EXPECT_EQ(cache_->stats().folio_releases, 32u);
  EXPECT_TRUE(allocator_->book().empty());
  EXPECT_EQ(allocator_->stats().in_use_bytes, 0u);
}

TEST_P(MigrateTest, ReleaseFolioFreesTheWholeBufferOrNothing) {
  ReadSome(8);
  ExtentBufferRef held = cache_->Find(3 * kNode);
  const auto book = allocator_->book();
  for (const auto& [pfn, bits] : book) {
    if (allocator_->book().contains(pfn)) cache_->ReleaseFolio(Folio(pfn), bits);
  }
  EXPECT_TRUE(cache_->Find(3 * kNode));
  EXPECT_EQ(*held->Compare(0, MemorySource::Pattern(3 * kNode, kNode)), 0);
  const uint64_t left = cache_->stats().cached_buffers;
  // With pages larger than blocks, the held one keeps those that share its page.
  EXPECT_EQ(left, std::max<size_t>(1, GetParam() / kNode));
  held.Put();
  EXPECT_EQ(cache_->DropCaches(), left);
  EXPECT_EQ(allocator_->stats().in_use_bytes, 0u);
}

TEST_P(MigrateTest, OutdatedQuestionsAreRefused) {
  ReadSome(2);
  const auto book = allocator_->book();
  const auto [pfn, bits] = *book.begin();
  // A folio that is not this buffer's, and a descriptor that was never made.
  EXPECT_FALSE(cache_->ReleaseFolio(Folio(pfn + 5000), bits));
  EXPECT_FALSE(cache_->ReleaseFolio(Folio(pfn), 123'456));
  EXPECT_FALSE(cache_->MigrateFolio(Folio(pfn + 1), Folio(pfn + 5000), bits));
  EXPECT_EQ(cache_->stats().cached_buffers, 2u);
  // Both are as idle as before.
  EXPECT_EQ(cache_->DropCaches(), 2u);
}

// Readers who come while a buffer is frozen wait and get the moved bytes.
TEST_P(MigrateTest, ReadersBesideAMoverSeeTheirBytes) {
  constexpr uint64_t kBlocks = 16;
  ReadSome(kBlocks);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> checked{0};
  std::thread reader([&] {
    uint64_t i = 0;
    while (!stop.load()) {
      const uint64_t start = i++ % kBlocks * kNode;
      ExtentBufferRef block = cache_->Find(start);
      ASSERT_TRUE(block);
      ASSERT_EQ(*block->Compare(0, MemorySource::Pattern(start, kNode)), 0);
      checked.fetch_add(1);
      block.Put();
      if (i % 8 == 0) std::this_thread::yield();
    }
  });
  int moved = 0;
  for (int round = 0; round < 200 || checked.load() < 100; ++round) moved += allocator_->MoveAll();
  stop = true;
  reader.join();
  EXPECT_GT(moved, 0);
  ExpectAllBytes(kBlocks);
}

INSTANTIATE_TEST_SUITE_P(PageSizes, MigrateTest, testing::Values(4096, 16384, 65536));

}  // namespace
}  // namespace ebcache
