// What the high-order allocator tries, and what it leaves alone.

#include <gtest/gtest.h>

#include <vector>

#include "ebcache/forwarding_allocator.h"
#include "tests/mm/allocator_cases.h"

namespace ebcache {
namespace {

// A heap that writes down the requests above order 0.
class Attempts final : public ForwardingAllocator {
 public:
  struct Attempt {
    int order;
    AllocFlags flags;
  };
  std::vector<Attempt> attempts;

  Attempts()
      : ForwardingAllocator(
            Order0Allocator({.arena_bytes = size_t{4} << 20, .contiguous_by_luck = false})) {}

  std::string_view name() const override { return "attempts"; }
  absl::Status AllocateBulk(const FolioRequest& request, int order,
                            absl::Span<Folio> slots) override {
    if (order > 0) {
      attempts.push_back({order, request.flags});
      return absl::ResourceExhaustedError("nothing of that size");
    }
    return below().AllocateBulk(request, order, slots);
  }
  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override {
    block_flags_ = request.flags;
    return below().AllocateBlock(request, block);
  }

  AllocFlags block_flags() const { return block_flags_; }

 private:
  AllocFlags block_flags_ = AllocFlags::kNone;
};

struct Block {
  explicit Block(size_t pages, bool aligned = true)
      : slots(pages), block{.slots = absl::MakeSpan(slots), .naturally_aligned = aligned} {}
  std::vector<Folio> slots;
  FolioBlock block;
};

TEST(HighOrderAllocatorTest, OneLargeFolio) {
  auto high = HighOrderAllocator();
  for (size_t pages = 1; pages <= 16; pages *= 2) {
    Block b(pages);
    ASSERT_TRUE(high->AllocateBlock({}, b.block).ok());
    EXPECT_EQ(b.block.folios().size(), 1u);
    EXPECT_EQ(b.block.direct, high->Address(b.slots[0]));
    EXPECT_EQ(b.slots[0].pfn() % pages, 0u);
    high->FreeBlock(b.block);
    EXPECT_EQ(b.block.order, 0);
  }
  EXPECT_EQ(high->stats().large_blocks, 4u);
  EXPECT_EQ(high->stats().contiguous_blocks, 5u);
  EXPECT_EQ(high->stats().in_use_bytes, 0u);
}

TEST(HighOrderAllocatorTest, OneAttemptThatPushesNobodyThenOrderZero) {
  auto attempts = std::make_shared<Attempts>();
  auto high = HighOrderAllocator({.pages = attempts});
  Block b(4);
  const AllocFlags flags = AllocFlags::kNoFail | AllocFlags::kReclaimable;
  ASSERT_TRUE(high->AllocateBlock({.flags = flags}, b.block).ok());
  ASSERT_EQ(attempts->attempts.size(), 1u);
  EXPECT_EQ(attempts->attempts[0].order, 2);
  EXPECT_EQ(attempts->attempts[0].flags,
            AllocFlags::kReclaimable | AllocFlags::kNoReclaim | AllocFlags::kNoWarn);
  EXPECT_EQ(attempts->block_flags(), flags);  // order 0 is asked for as the caller asked
  EXPECT_EQ(b.block.order, 0);
  EXPECT_EQ(b.block.direct, nullptr);
  EXPECT_EQ(b.block.folios().size(), 4u);
  high->FreeBlock(b.block);
  EXPECT_EQ(high->stats().in_use_bytes, 0u);
  EXPECT_EQ(high->stats().failed_allocations, 0u);
}

TEST(HighOrderAllocatorTest, OnlyWhereTheFolioIsTheBlockAndNothingElse) {
  auto attempts = std::make_shared<Attempts>();
  auto high = HighOrderAllocator({.pages = attempts});
  for (Block b : {Block(4, /*aligned=*/false), Block(1), Block(1024)}) {
    b.block.slots = absl::MakeSpan(b.slots);
    const bool ok = high->AllocateBlock({}, b.block).ok();
    EXPECT_TRUE(attempts->attempts.empty()) << b.slots.size();
    ASSERT_TRUE(ok);
    high->FreeBlock(b.block);
  }
}

TEST(HighOrderAllocatorTest, HalfOfAllAttemptsFailing) {
  auto region = MovableRegion::Create({.arena_bytes = size_t{1} << 30});
  auto high = HighOrderAllocator(
      {.pages = FaultInjectingAllocator(region, FaultOptions{.probability = 0.5})});
  for (int i = 0; i < 1000; ++i) {
    Block b(4);
    ASSERT_TRUE(high->AllocateBlock({}, b.block).ok());
    high->FreeBlock(b.block);
  }
  EXPECT_NEAR(static_cast<double>(high->stats().large_blocks), 500, 160);
  EXPECT_EQ(high->stats().allocated_blocks, 1000u);
  EXPECT_EQ(high->stats().in_use_bytes, 0u);
  EXPECT_EQ(high->stats().failed_allocations, 0u);  // nobody was told of any
}

}  // namespace
}  // namespace ebcache
