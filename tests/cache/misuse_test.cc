// What callers do wrong: refused, or a CHECK that says so; never OK with the wrong bytes.

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "lib/cache/buffer_state.h"
#include "lib/cache/extent_buffer_access.h"
#include "lib/cache/state_word.h"
#include "tests/support/memory_source.h"

namespace ebcache {

namespace {

// As if so many references had been taken.
void AddRefs(ExtentBuffer* buffer, int64_t refs) {
  Inside(buffer).state_.fetch_add(static_cast<uint64_t>(refs));
}

constexpr uint64_t kNode = 16384;

// ---- Buffers of another cache -------------------------------------------------------------------

class TwoCaches : public testing::Test {
 protected:
  MemorySource source_a_, source_b_;
  BufferCache a_{{.node_bytes = kNode}, &source_a_};
  BufferCache b_{{.node_bytes = kNode}, &source_b_};
};

TEST_F(TwoCaches, WritebackOfAnothersBufferWritesNothing) {
  ExtentBufferRef of_a = *a_.ReadBlock(kNode);
  of_a.SetDirty();
  const absl::Status status = b_.Writeback(of_a);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_NE(status.message().find("another cache"), std::string::npos) << status;
  EXPECT_EQ(source_a_.writes() + source_b_.writes(), 0);
  EXPECT_TRUE(of_a->dirty());
  EXPECT_EQ(a_.stats().dirty_buffers, 1u);
  EXPECT_EQ(b_.stats().dirty_buffers, 0u);
  // Neither cache has lost count.
  ExtentBufferRef of_b = *b_.ReadBlock(2 * kNode);
  of_b.SetDirty();
  EXPECT_TRUE(b_.WritebackAll().ok());
  EXPECT_FALSE(of_b->dirty());
  EXPECT_TRUE(a_.WritebackAll().ok());
  EXPECT_EQ(source_a_.writes(), 1);
}

TEST_F(TwoCaches, ReadOfAnothersBufferReadsNothing) {
  ExtentBufferRef of_a = *a_.Create(kNode);
  EXPECT_EQ(b_.Read(of_a).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(source_a_.reads() + source_b_.reads(), 0);
  EXPECT_FALSE(of_a->uptodate());
  EXPECT_TRUE(a_.Read(of_a).ok());
}

TEST_F(TwoCaches, ReinitOfAnothersBufferChangesNothing) {
  ExtentBufferRef of_a = *a_.ReadBlock(kNode);
  of_a.SetDirty();
  const uint64_t before = *of_a->Get<uint64_t>(8);
  EXPECT_EQ(b_.ReinitAsNewBlock(of_a, 101).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(of_a->dirty());
  EXPECT_EQ(*of_a->Get<uint64_t>(8), before);
  EXPECT_EQ(a_.stats().dirty_buffers, 1u);
}

TEST_F(TwoCaches, GivingUpAnothersBufferGivesNothingUp) {
  ExtentBufferRef of_a = *a_.ReadBlock(kNode);
  of_a.SetDirty();
  EXPECT_EQ(b_.GiveUpWrite(of_a).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(b_.WriteError(of_a).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(of_a->dirty() && of_a->uptodate());
  EXPECT_TRUE(*a_.GiveUpWrite(of_a));
}

// A put, and what else goes by the reference alone, is the buffer's own cache's business.
TEST_F(TwoCaches, StepsOfAReferenceGoToItsOwnCache) {
  ExtentBufferRef of_a = *a_.ReadBlock(kNode);
  of_a.SetDirty();
  EXPECT_EQ(a_.stats().dirty_buffers, 1u);
  of_a.ClearDirty();
  EXPECT_EQ(a_.stats().dirty_buffers, 0u);
  of_a.PutStale();
  EXPECT_EQ(a_.stats().stale_frees, 1u);
  EXPECT_EQ(b_.stats().stale_frees, 0u);
}

TEST_F(TwoCaches, ACloneMayBeOfAnothersBufferOfTheSameSize) {
  ExtentBufferRef of_a = *a_.ReadBlock(kNode);
  ExtentBufferRef clone = *b_.Clone(*of_a);
  EXPECT_EQ(*clone->Get<uint64_t>(kNode - 8), *of_a->Get<uint64_t>(kNode - 8));
  EXPECT_EQ(b_.stats().private_buffers, 1u);
}

TEST_F(TwoCaches, ACloneThatIsTooLargeIsRefused) {
  for (const uint32_t node : {32768u, 65536u}) {
    BufferCache other({.node_bytes = node});
    ExtentBufferRef block = *other.Create(0);
    const auto clone = a_.Clone(*block);
    EXPECT_EQ(clone.status().code(), absl::StatusCode::kInvalidArgument) << node;
    EXPECT_NE(clone.status().message().find(std::to_string(node)), std::string::npos);
    EXPECT_EQ(a_.stats().private_buffers, 0u);
  }
}

// ---- References that are never put --------------------------------------------------------------

class ManyReferences : public testing::Test {
 protected:
  ManyReferences() : held_(*cache_.ReadBlock(kNode)) {}
  ~ManyReferences() override { SetRefs(2); }
  void SetRefs(uint32_t refs) { AddRefs(held_.get(), int64_t{refs} - held_->state().refs); }

  MemorySource source_;
  BufferCache cache_{{.node_bytes = kNode}, &source_};
  ExtentBufferRef held_;
};

TEST_F(ManyReferences, MakingAndReadingIsRefused) {
  for (const uint32_t refs : {state::kMaxRefs, state::kMaxRefs + 1, state::kMostRefs - 1}) {
    SetRefs(refs);
    const auto created = cache_.Create(kNode);
    EXPECT_EQ(created.status().code(), absl::StatusCode::kResourceExhausted) << refs;
    EXPECT_NE(created.status().message().find("references"), std::string::npos);
    EXPECT_EQ(cache_.ReadBlock(kNode).status(), created.status());
    const uint64_t starts[] = {kNode, 3 * kNode};
    absl::StatusOr<ExtentBufferRef> results[2];
    cache_.ReadBlocks(starts, {}, results);
    EXPECT_EQ(results[0].status(), created.status());
    EXPECT_TRUE(results[1].ok());
    EXPECT_EQ(held_->state().refs, refs) << "a refusal keeps no reference";
  }
  SetRefs(state::kMaxRefs - 1);
  EXPECT_TRUE(cache_.Create(kNode).ok());
}

// "Not cached" would be a lie: it is found for as long as references can be counted.
TEST_F(ManyReferences, LookupsStillFindIt) {
  for (const uint32_t refs : {state::kMaxRefs - 1, state::kMaxRefs, state::kMostRefs - 1}) {
    SetRefs(refs);
    EXPECT_TRUE(cache_.Find(kNode)) << refs;
    const uint64_t starts[] = {kNode};
    ExtentBufferRef found[1];
    cache_.FindMany(starts, found);
    EXPECT_TRUE(found[0]);
    found[0].Put();
    EXPECT_EQ(cache_.FirstAtOrAfter(0).get(), held_.get());
    EXPECT_EQ(held_->state().refs, refs);
  }
  held_.SetDirty();
  SetRefs(state::kMaxRefs);
  EXPECT_TRUE(cache_.NextDirty(0));
  EXPECT_TRUE(cache_.WritebackAll().ok());
  EXPECT_EQ(source_.writes(), 1);
}

TEST_F(ManyReferences, WhereTheyCannotBeCountedIsACheck) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  SetRefs(state::kMostRefs);
  EXPECT_DEATH((void)cache_.Find(kNode), "2\\^31 references");
  EXPECT_DEATH((void)cache_.FirstAtOrAfter(0), "2\\^31 references");
  EXPECT_DEATH((void)cache_.Create(kNode), "2\\^31 references");
  EXPECT_DEATH((void)held_.Share(), "Share");
}

// ---- Arguments ----------------------------------------------------------------------------------

TEST(Misuse, MirrorsAreFrom0To255) {
  BufferCache cache({.node_bytes = kNode});
  ExtentBufferRef block = *cache.Create(0);
  for (const int mirror : {0, 1, 255}) {
    block->set_mirror(mirror);
    EXPECT_EQ(block->mirror(), mirror);
  }
  for (const int mirror : {256, 257, -1, std::numeric_limits<int>::min()}) {
    EXPECT_DEATH(block->set_mirror(mirror), "a mirror is 0 to 255");
  }
}

TEST(Misuse, EmptyReferences) {
  MemorySource source;
  BufferCache cache({.node_bytes = kNode}, &source);
  const ExtentBufferRef empty;
  EXPECT_DEATH((void)cache.Read(empty), "Read of an empty reference");
  EXPECT_DEATH((void)cache.Writeback(empty), "Writeback of an empty reference");
  EXPECT_DEATH((void)cache.ReinitAsNewBlock(empty, 0), "ReinitAsNewBlock of an empty reference");
  EXPECT_DEATH(empty.SetDirty(), "SetDirty of an empty reference");
  EXPECT_DEATH(empty.ClearDirty(), "ClearDirty of an empty reference");
  EXPECT_DEATH(empty.SetUptodate(), "SetUptodate of an empty reference");
  EXPECT_DEATH(empty.ForgetAccess(), "ForgetAccess of an empty reference");
  EXPECT_DEATH(ExtentBufferRef().PutStale(), "PutStale of an empty reference");
}

// Spans that do not fit each other.
TEST(Misuse, AResultForEachBlock) {
  MemorySource source;
  BufferCache cache({.node_bytes = kNode}, &source);
  const uint64_t starts[2] = {0, kNode};
  ExtentBufferRef found[1];
  EXPECT_DEATH(cache.FindMany(starts, found), "one result for each block");
  absl::StatusOr<ExtentBufferRef> results[3];
  EXPECT_DEATH(cache.ReadBlocks(starts, {}, results), "one result for each block");
  const ParentCheck* checks[1] = {nullptr};
  EXPECT_DEATH(cache.ReadBlocks(starts, checks, absl::MakeSpan(results, 2)),
               "no checks, or one for each block");
}

// A reference that was put once more, where nobody else holds the buffer: the cache's own is not
// the caller's to put. (While others hold it, no counter can tell whose was taken.)
TEST(Misuse, ASecondPutWhereNobodyHoldsTheBuffer) {
  BufferCache cache({.node_bytes = kNode});
  ExtentBuffer* const buffer = (*cache.Create(0)).Release();
  ExtentBufferRef::Adopt(buffer).Put();
  EXPECT_DEATH(ExtentBufferRef::Adopt(buffer).Put(), "put twice, or never taken");
  EXPECT_DEATH(ExtentBufferRef::Adopt(buffer).PutStale(), "put twice, or never taken");
  ExtentBufferRef dummy = *cache.CreateDummy(0);
  ExtentBuffer* const dead = dummy.Release();
  ExtentBufferRef::Adopt(dead).Put();
  EXPECT_DEATH(ExtentBufferRef::Adopt(dead).Put(), "put twice, or never taken");
}

// A step that is refused changes nothing, not even the header of what is on its way to the disk.
TEST(Misuse, WhatIsBeingWrittenIsMadeNoNewBlock) {
  MemorySource source;
  BufferCache cache({.node_bytes = kNode}, &source);
  const ExtentBufferRef block = *cache.ReadBlock(0);
  const uint64_t ours = 0x1234'5678'9abc'def0;
  ASSERT_TRUE(block->Set<uint64_t>(0, ours).ok());
  block.SetDirty();
  absl::Status refused;
  source.on_write = [&](uint64_t) {
    refused = cache.TryReinitAsNewBlock(block, 64);
    EXPECT_EQ(*block->Get<uint64_t>(0), ours);
    return absl::OkStatus();
  };
  ASSERT_TRUE(cache.Writeback(block).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
  EXPECT_EQ(*block->Get<uint64_t>(0), ours);
  EXPECT_TRUE(cache.TryReinitAsNewBlock(block, 64).ok());
  EXPECT_EQ(*block->Get<uint64_t>(0), 0u);
}

// In batches it is the same error as by itself.
TEST(Misuse, NothingIsReadWithoutASource) {
  BufferCache cache({.node_bytes = kNode});
  const absl::Status alone = cache.ReadBlock(0).status();
  EXPECT_FALSE(alone.ok());
  const std::vector<uint64_t> starts = {0, kNode};
  std::vector<absl::StatusOr<ExtentBufferRef>> results(2);
  cache.ReadBlocks(starts, {}, absl::MakeSpan(results));
  EXPECT_EQ(results[0].status(), alone);
  EXPECT_EQ(results[1].status().code(), alone.code());
}

// ---- Options ------------------------------------------------------------------------------------

TEST(Misuse, OptionsOfACacheOutOfRange) {
  for (const uint32_t node : {0u, 1u, 2048u, 4095u, 12288u, 131072u, ~0u}) {
    EXPECT_DEATH(BufferCache({.node_bytes = node}), "node_bytes must be a power of two") << node;
  }
  const auto make = [](uint32_t low, uint32_t high) {
    BufferCache({.low_room_percent = low, .high_room_percent = high});
  };
  EXPECT_DEATH(make(3, 2), "low_room_percent <= high_room_percent <= 50");
  EXPECT_DEATH(make(0, 51), "low_room_percent <= high_room_percent <= 50");
  EXPECT_DEATH(make(~0u, ~0u), "low_room_percent <= high_room_percent <= 50");
  make(0, 0);
  make(50, 50);
  const auto with_mode = [](int mode) {
    BufferCache({.migrate_mode = static_cast<BufferCacheOptions::MigrateMode>(mode)});
  };
  EXPECT_DEATH(with_mode(2), "migrate_mode");
  EXPECT_DEATH(with_mode(-1), "migrate_mode");
  const auto with_flags = [](uint32_t flags) {
    BufferCache({.alloc_flags = static_cast<AllocFlags>(flags)});
  };
  EXPECT_DEATH(with_flags(1u << 31), "alloc_flags");
}

// Any budget is one: the largest, and less than a block, which allows one.
TEST(Misuse, AnyBudgetIsOne) {
  MemorySource source;
  for (const uint64_t budget : {uint64_t{1}, uint64_t{kNode - 1}, ~uint64_t{0}}) {
    BufferCache cache({.node_bytes = kNode, .budget_bytes = budget, .background_reclaim = true},
                      &source);
    for (uint64_t i = 0; i < 10; ++i) ASSERT_TRUE(cache.ReadBlock(i * kNode).ok());
    if (budget < kNode) {
      EXPECT_LE(cache.stats().cached_buffers, 1u);
    } else {
      EXPECT_EQ(cache.stats().cached_buffers, 10u);
    }
  }
}

}  // namespace
}  // namespace ebcache
