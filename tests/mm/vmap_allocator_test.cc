// Windows: when blocks get one, what it costs, and what happens where there is none.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "tests/mm/allocator_cases.h"
#include "tests/mm/fake_os_calls.h"

namespace ebcache {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kArena = size_t{8} << 20;

struct Block {
  explicit Block(size_t pages = 4) : slots(pages), block{.slots = absl::MakeSpan(slots)} {}
  Block(Block&& other) : slots(std::move(other.slots)), block(other.block) {}
  std::vector<Folio> slots;
  FolioBlock block;
};

// An allocator whose free pages are all scattered.
class VmapTest : public testing::Test {
 protected:
  void Make(VmapOptions options = {}) {
    options.arena_bytes = kArena;
    options.os = &os_;
    allocator_ = VmapAllocator(options);
    scattered_ = std::make_unique<ScatteredPages>(allocator_);
  }
  void TearDown() override {
    scattered_.reset();
    EXPECT_EQ(allocator_->stats().in_use_bytes, 0u);
    allocator_.reset();
    EXPECT_EQ(os_.mapped_bytes(), 0u);
    EXPECT_EQ(os_.memories(), 0);
  }

  Block Allocate(size_t pages = 4) {
    Block b(pages);
    EXPECT_TRUE(allocator_->AllocateBlock({}, b.block).ok());
    for (size_t i = 0; i < pages; ++i) {
      std::byte* const page = allocator_->Address(b.slots[i]);
      std::memset(page, static_cast<int>(i), kPage);
      if (b.block.direct != nullptr) {
        EXPECT_EQ(std::memcmp(page, b.block.direct + i * kPage, kPage), 0);
      }
    }
    return b;
  }
  void Free(Block& b) { allocator_->FreeBlock(b.block); }
  std::vector<Block> AllocateMany(size_t count) {
    std::vector<Block> blocks;
    for (size_t i = 0; i < count; ++i) blocks.push_back(Allocate());
    return blocks;
  }
  size_t Mapped(const std::vector<Block>& blocks) const {
    size_t mapped = 0;
    for (const Block& b : blocks) mapped += b.block.direct != nullptr;
    return mapped;
  }
  WindowStats windows() const { return allocator_->stats().windows; }

  FakeOsCalls os_;
  std::shared_ptr<PageAllocator> allocator_;
  std::unique_ptr<ScatteredPages> scattered_;
};

TEST_F(VmapTest, NeighboursByLuckAreNotMapped) {
  Make();
  scattered_.reset();
  Block b = Allocate();
  // What the scattered gave back last may have gaps; what it gave back is whole.
  allocator_->Trim();
  Free(b);
  auto fresh = VmapAllocator({.arena_bytes = kArena, .os = &os_});
  Block neighbours;
  ASSERT_TRUE(fresh->AllocateBlock({}, neighbours.block).ok());
  EXPECT_EQ(neighbours.block.direct, fresh->Address(neighbours.slots[0]));
  EXPECT_EQ(fresh->stats().lucky_blocks, 1u);
  EXPECT_EQ(fresh->stats().windows.mapped, 0u);
  fresh->FreeBlock(neighbours.block);
}

TEST_F(VmapTest, AWindowShowsThePages) {
  Make();
  Block b = Allocate();
  ASSERT_NE(b.block.direct, nullptr);
  b.block.direct[kPage] = std::byte{77};
  EXPECT_EQ(allocator_->Address(b.slots[1])[0], std::byte{77});
  EXPECT_EQ(allocator_->stats().mapped_blocks, 1u);
  EXPECT_EQ(allocator_->stats().contiguous_blocks, 1u);
  Free(b);
}

TEST_F(VmapTest, FreeingAsksNothingFromTheOs) {
  Make();
  std::vector<Block> blocks = AllocateMany(100);
  ASSERT_EQ(Mapped(blocks), 100u);
  const int before = os_.window_calls();
  for (Block& b : blocks) Free(b);
  EXPECT_EQ(os_.window_calls(), before);
  EXPECT_EQ(windows().retired, 100u);
}

TEST_F(VmapTest, ABlockOfTheSamePagesFindsItsWindowAgain) {
  Make();
  for (int i = 0; i < 100; ++i) {
    Block b = Allocate();
    ASSERT_NE(b.block.direct, nullptr);
    Free(b);
  }
  EXPECT_EQ(windows().mapped, 1u);
  EXPECT_EQ(windows().found_again, 99u);
}

// Taken from between others that are retired, and those are still there to be taken.
TEST_F(VmapTest, OneOfSeveralRetiredWindowsIsFoundAgain) {
  Make({.max_windows = 3});
  std::vector<Block> blocks = AllocateMany(3);
  ASSERT_EQ(Mapped(blocks), 3u);
  Free(blocks[0]);
  Free(blocks[1]);
  Free(blocks[2]);
  // The pages that were freed last come first; the second block has those of the one in between.
  std::vector<Block> again = AllocateMany(2);
  EXPECT_EQ(windows().found_again, 2u);
  Block other = Allocate();
  EXPECT_EQ(Mapped(again), 2u);
  EXPECT_NE(other.block.direct, nullptr);
  EXPECT_EQ(windows().windows, 3u);
  EXPECT_EQ(windows().retired, 0u);
  Free(again[1]);
  Free(again[0]);
  Free(other);
  EXPECT_EQ(windows().retired, 3u);
  std::vector<Block> all = AllocateMany(3);
  EXPECT_EQ(Mapped(all), 3u);
  for (Block& b : all) Free(b);
}

TEST_F(VmapTest, RetiredWindowsAreUnmappedInBatches) {
  os_.set_max_mappings(10000);
  Make();
  std::vector<Block> blocks = AllocateMany(200);
  // Neighbours go with one call: freed in order they are side by side.
  for (Block& b : blocks) Free(b);
  Block other = Allocate(2);  // of a size that none of them has
  EXPECT_EQ(windows().purges, 1u);
  EXPECT_EQ(windows().unmapped, 100u);
  EXPECT_LE(windows().unmap_calls, 2u);
  EXPECT_EQ(windows().windows, 101u);
  Free(other);
  allocator_->Trim();
  EXPECT_EQ(windows().windows, 0u);
  EXPECT_EQ(windows().retired, 0u);
}

TEST_F(VmapTest, BudgetsOfNoneOneAndTwoWindows) {
  for (size_t most : {0, 1, 2}) {
    Make({.max_windows = most});
    for (int round = 0; round < 3; ++round) {
      std::vector<Block> blocks = AllocateMany(4);
      EXPECT_EQ(Mapped(blocks), most);
      EXPECT_LE(windows().windows, most);
      for (Block& b : blocks) Free(b);
      // Blocks of another size get the windows in turn.
      Block two = Allocate(2);
      EXPECT_EQ(two.block.direct != nullptr, most != 0);
      Free(two);
    }
    TearDown();
  }
  Make();
}

TEST_F(VmapTest, BudgetsOfMappings) {
  struct Case {
    size_t mappings;
    size_t windows_of_two;
    size_t windows_of_four;
  };
  for (const Case& c : {Case{0, 0, 0}, {1, 0, 0}, {2, 1, 0}, {4, 2, 1}, {9, 4, 2}}) {
    Make({.max_mappings = c.mappings});
    std::vector<Block> blocks;
    for (int i = 0; i < 8; ++i) blocks.push_back(Allocate(2));
    EXPECT_EQ(Mapped(blocks), c.windows_of_two) << c.mappings;
    for (Block& b : blocks) Free(b);
    blocks = AllocateMany(8);
    EXPECT_EQ(Mapped(blocks), c.windows_of_four) << c.mappings;
    for (Block& b : blocks) Free(b);
    TearDown();
  }
  Make();
}

TEST_F(VmapTest, HalfOfAllMappingsByDefault) {
  os_.set_max_mappings(40);
  Make();
  std::vector<Block> blocks = AllocateMany(10);
  EXPECT_EQ(Mapped(blocks), 5u);
  EXPECT_EQ(windows().refused, 5u);
  for (Block& b : blocks) Free(b);
}

TEST_F(VmapTest, AWindowThatCannotBeMappedIsAPageArray) {
  Make();
  os_.set_windows_work(false);
  std::vector<Block> blocks = AllocateMany(10);
  EXPECT_EQ(Mapped(blocks), 0u);
  EXPECT_GE(windows().failures, 10u);
  EXPECT_EQ(allocator_->stats().failed_allocations, 0u);
  os_.set_windows_work(true);
  // The half-mapped windows are as good as any.
  std::vector<Block> more = AllocateMany(10);
  EXPECT_EQ(Mapped(more), 10u);
  for (auto* all : {&blocks, &more}) {
    for (Block& b : *all) Free(b);
  }
}

TEST_F(VmapTest, WindowsThatCannotBeUnmappedStayRetired) {
  Make();
  std::vector<Block> blocks = AllocateMany(10);
  for (Block& b : blocks) Free(b);
  os_.set_unmap_works(false);
  allocator_->Trim();
  EXPECT_EQ(windows().windows, 10u);
  EXPECT_EQ(windows().retired, 10u);
  os_.set_unmap_works(true);
  allocator_->Trim();
  EXPECT_EQ(windows().windows, 0u);
}

TEST_F(VmapTest, WithoutAddressesOrSharedMemoryThereArePageArrays) {
  os_.set_reserve_works(false);
  Make();
  std::vector<Block> blocks = AllocateMany(3);
  EXPECT_EQ(Mapped(blocks), 0u);
  for (Block& b : blocks) Free(b);
  TearDown();
  os_.set_memory_works(false);
  Make();
  blocks = AllocateMany(3);
  EXPECT_EQ(Mapped(blocks), 0u);
  EXPECT_GE(allocator_->stats().from_os_bytes, kArena / 2);
  for (Block& b : blocks) Free(b);
}

TEST_F(VmapTest, SharedMemoryThatCannotBeMappedIsDoneWithout) {
  os_.FailMap(1);
  Make();
  EXPECT_EQ(os_.memories(), 0);
  Block b = Allocate();
  EXPECT_EQ(b.block.direct, nullptr);
  Free(b);
}

TEST_F(VmapTest, TrimGivesTheMemoryBack) {
  Make();
  std::vector<Block> blocks = AllocateMany(64);
  for (Block& b : blocks) Free(b);
  const uint64_t before = allocator_->stats().from_os_bytes;
  EXPECT_GE(allocator_->Trim(), 64 * 4 * kPage);
  EXPECT_LT(allocator_->stats().from_os_bytes, before);
  Block b(1);
  ASSERT_TRUE(allocator_->AllocateBlock({}, b.block).ok());
  EXPECT_EQ(b.block.direct[0], std::byte{0});  // a page that was given back
  Free(b);
}

// The decision about forks: children do not get the pages, so that they cannot write into those of
// their parent.
TEST_F(VmapTest, ChildrenDoNotGetThePages) {
  Make();
  Block b = Allocate();
  ASSERT_NE(b.block.direct, nullptr);
  for (std::byte* address : {b.block.direct, allocator_->Address(b.slots[0])}) {
    *address = std::byte{42};
    const pid_t child = fork();
    if (child == 0) {
      // The kernel is asked to read there: sanitizers have ideas of their own about signals. And a
      // sanitizer's thread may have its stack by now where the pages are missing.
      int ends[2];
      std::byte seen{0};
      if (pipe(ends) != 0) _exit(2);
      const bool there = write(ends[1], address, 1) == 1 && read(ends[0], &seen, 1) == 1;
      _exit(there && seen == std::byte{42} ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  Free(b);
}

}  // namespace
}  // namespace ebcache
