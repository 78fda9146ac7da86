// What only the heap allocator does.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "ebcache/allocators.h"

namespace ebcache {
namespace {

TEST(HeapAllocatorTest, ABlockIsOneFolioOfItsOrder) {
  const std::shared_ptr<PageAllocator> heap = HeapAllocator();
  std::vector<Folio> slots(16);
  FolioBlock block = {.slots = absl::MakeSpan(slots)};
  ASSERT_TRUE(heap->AllocateBlock({}, block).ok());
  EXPECT_EQ(block.order, 4);
  EXPECT_EQ(block.folios().size(), 1u);
  EXPECT_EQ(block.direct, heap->Address(slots[0]));
  EXPECT_EQ(heap->stats().allocated_folios, 1u);
  EXPECT_EQ(heap->direct_map(), nullptr);
  heap->FreeBlock(block);
}

TEST(HeapAllocatorTest, NoFailBlocksAboveOrderOneAreRefused) {
  const std::shared_ptr<PageAllocator> heap = HeapAllocator();
  std::vector<Folio> slots(4);
  FolioBlock four = {.slots = absl::MakeSpan(slots)};
  EXPECT_TRUE(absl::IsInvalidArgument(heap->AllocateBlock({.flags = AllocFlags::kNoFail}, four)));
  EXPECT_EQ(four.direct, nullptr);
  FolioBlock two = {.slots = absl::MakeSpan(slots).first(2)};
  ASSERT_TRUE(heap->AllocateBlock({.flags = AllocFlags::kNoFail}, two).ok());
  heap->FreeBlock(two);
}

// What mimalloc keeps at hand goes back to the OS.
TEST(HeapAllocatorTest, TrimGivesBackWhatWasFreed) {
  const std::shared_ptr<PageAllocator> heap = HeapAllocator();
  std::vector<Folio> folios(4096);
  ASSERT_TRUE(heap->AllocateBulk({}, 2, absl::MakeSpan(folios)).ok());
  for (const Folio folio : folios) *heap->Address(folio) = std::byte{1};
  heap->FreeBulk(2, absl::MakeSpan(folios));
  EXPECT_GT(heap->Trim(), 0u);
}

// Counts what it is asked for.
class CountingMemory final : public HeapMemory {
 public:
  std::string_view name() const override { return "counting"; }
  void* Allocate(size_t bytes, size_t alignment, AllocFlags flags) override {
    last_flags = flags;
    if (used_bytes + bytes > most_bytes) return nullptr;
    used_bytes += bytes;
    return std::aligned_alloc(alignment, bytes);
  }
  void Free(void* address, size_t bytes) override {
    used_bytes -= bytes;
    std::free(address);
  }
  size_t Trim() override { return 7; }

  size_t used_bytes = 0;
  size_t most_bytes = size_t{1} << 20;
  AllocFlags last_flags = AllocFlags::kNone;
};

TEST(HeapAllocatorTest, MemoryOfTheEmbeddersIsAskedForAndGivenBack) {
  const auto memory = std::make_shared<CountingMemory>();
  const std::shared_ptr<PageAllocator> heap = HeapAllocator({.memory = memory});
  EXPECT_EQ(heap->name(), "counting");
  EXPECT_EQ(heap->Trim(), 7u);
  std::vector<Folio> slots(4);
  FolioBlock block = {.slots = absl::MakeSpan(slots)};
  ASSERT_TRUE(heap->AllocateBlock({.flags = AllocFlags::kReclaimable}, block).ok());
  EXPECT_EQ(memory->used_bytes, 16384u);
  EXPECT_EQ(memory->last_flags, AllocFlags::kReclaimable);
  heap->FreeBlock(block);
  EXPECT_EQ(memory->used_bytes, 0u);
}

TEST(HeapAllocatorTest, MemoryOfTheEmbeddersRunsOutInTheMiddleOfABulkRequest) {
  const auto memory = std::make_shared<CountingMemory>();
  memory->most_bytes = 5 * 4096;
  const std::shared_ptr<PageAllocator> heap = HeapAllocator({.memory = memory});
  std::vector<Folio> slots(6);
  EXPECT_TRUE(absl::IsResourceExhausted(heap->AllocateBulk({}, 0, absl::MakeSpan(slots))));
  EXPECT_EQ(memory->used_bytes, 0u);
  EXPECT_THAT(slots, testing::Each(Folio()));
}

TEST(HeapAllocatorTest, BlocksAboveTheLargestOrderAreRefused) {
  const std::shared_ptr<PageAllocator> heap = HeapAllocator();
  std::vector<Folio> slots(size_t{2} << kMaxFolioOrder);
  FolioBlock block = {.slots = absl::MakeSpan(slots)};
  EXPECT_TRUE(absl::IsInvalidArgument(heap->AllocateBlock({}, block)));
}

// Address space runs out in the middle of a bulk request: all of it is undone.
int AllocateUntilRefused() {
  const std::shared_ptr<PageAllocator> heap = HeapAllocator({.page_bytes = 65536});
  Folio warm_up;
  if (!heap->AllocateBulk({}, 0, {&warm_up, 1}).ok()) return 1;
  const rlimit limit = {size_t{2} << 30, size_t{2} << 30};
  if (setrlimit(RLIMIT_AS, &limit) != 0) return 2;
  std::vector<Folio> slots(128);  // of 32 MiB
  const absl::Status status = heap->AllocateBulk({}, kMaxFolioOrder, absl::MakeSpan(slots));
  if (!absl::IsResourceExhausted(status)) return 3;
  for (Folio slot : slots) {
    if (!slot.empty()) return 4;
  }
  const AllocatorStats stats = heap->stats();
  if (stats.in_use_bytes != 65536 || stats.failed_allocations != 1) return 5;
  const absl::Status expected =
      heap->AllocateBulk({.flags = AllocFlags::kNoWarn}, kMaxFolioOrder, absl::MakeSpan(slots));
  if (expected.ok() || heap->stats().failed_allocations != 1) return 6;
  if (!heap->AllocateBulk({}, kMaxFolioOrder, absl::MakeSpan(slots).first(4)).ok()) return 7;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 0;
}

TEST(HeapAllocatorDeathTest, AllOrNothingWhenMemoryRunsOut) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need more address space than this test leaves them";
#endif
  EXPECT_EXIT(std::_Exit(AllocateUntilRefused()), testing::ExitedWithCode(0),
              "the heap has no 33554432 bytes");
}

}  // namespace
}  // namespace ebcache
