#include "tests/capi/cache_stage.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

extern "C" {
#include "tests/capi/memory_source.h"
}

namespace ebcache {
namespace {

// One at a time: the source of the stage that there is.
memory_source& Source() {
  static auto* source = new memory_source;
  return *source;
}

void Make(const ebcache_cache_options& options, ebcache_cache** cache) {
  ASSERT_EQ(ebcache_cache_create(&options, &memory_source_functions, &Source(), cache), 0)
      << ebcache_last_error();
}

int KindOf(CacheShape shape) {
  switch (shape) {
    case CacheShape::kOrder0:
      return EBCACHE_ALLOCATOR_ORDER0;
    case CacheShape::kHigh:
      return EBCACHE_ALLOCATOR_HIGH;
    case CacheShape::kVmap:
      return EBCACHE_ALLOCATOR_VMAP;
    case CacheShape::kMovable:
      return EBCACHE_ALLOCATOR_MOVABLE;
    default:
      return EBCACHE_ALLOCATOR_HEAP;
  }
}

ebcache_allocator* AllocatorOf(CacheShape shape) {
  const bool subpage = shape == CacheShape::kSubpage;
  const int kind = KindOf(shape);
  if (kind == EBCACHE_ALLOCATOR_HEAP && !subpage) return nullptr;
  ebcache_allocator_options options{.size = sizeof options, .kind = static_cast<uint32_t>(kind)};
  options.page_bytes = subpage ? 65536 : 4096;
  options.arena_bytes = uint64_t{64} << 20;
  ebcache_allocator* allocator = nullptr;
  EXPECT_EQ(ebcache_allocator_create(&options, &allocator), 0) << ebcache_last_error();
  return allocator;
}

ebcache_buffer* Read(ebcache_cache* cache, uint64_t start) {
  ebcache_buffer* buffer = nullptr;
  EXPECT_EQ(ebcache_read(cache, start, nullptr, &buffer), 0) << ebcache_last_error();
  return buffer;
}

ebcache_buffer* Create(ebcache_cache* cache, uint64_t start) {
  ebcache_buffer* buffer = nullptr;
  EXPECT_EQ(ebcache_get_or_create(cache, start, &buffer), 0) << ebcache_last_error();
  return buffer;
}

// How many dirty blocks are found in the order of addresses.
int CountDirty(ebcache_cache* cache) {
  int count = 0;
  uint64_t next = 0;
  while (ebcache_buffer* buffer = ebcache_next_dirty(cache, next)) {
    ++count;
    next = ebcache_buffer_start(buffer) + 1;
    ebcache_put(buffer);
  }
  return count;
}

void PutAll(CacheStage& stage) {
  for (ebcache_buffer** buffer : {&stage.held, &stage.fresh, &stage.dirty, &stage.dummy}) {
    ebcache_put(*buffer);
    *buffer = nullptr;
  }
}

struct ebcache_cache_stats StatsOf(ebcache_cache* cache) {
  struct ebcache_cache_stats stats {};
  stats.size = sizeof stats;
  EXPECT_EQ(ebcache_cache_stats(cache, &stats), 0);
  return stats;
}

constexpr uint64_t kUsed = 20;  // blocks that ExpectSound uses, from 0
constexpr size_t kMark = 800;   // where it writes

}  // namespace

CacheStage::CacheStage(CacheShape shape) : allocator(AllocatorOf(shape)) {
  memory_source_init(&Source());
  ebcache_cache_options options{};
  options.size = sizeof options;
  options.allocator = allocator;
  options.budget_bytes = shape == CacheShape::kFull ? 8 * kNode : EBCACHE_UNLIMITED;
  Make(options, &cache);
  Make({.size = sizeof options}, &other);
  if (shape == CacheShape::kGrowing) {
    for (uint64_t leaf = 1; leaf < 32; ++leaf) ebcache_put(Create(cache, leaf << 24));
  }
  if (shape == CacheShape::kFull) {
    for (uint64_t block = 30; block < 60; ++block) ebcache_put(Read(cache, block * kNode));
  }
  held = Read(cache, kHeld);
  fresh = Create(cache, kFresh);
  dirty = Read(cache, kDirty);
  EXPECT_EQ(ebcache_set_dirty(dirty), 0);
  EXPECT_EQ(ebcache_dummy(cache, 0, &dummy), 0);
}

CacheStage::~CacheStage() {
  PutAll(*this);
  ebcache_give_up_writes(cache);  // where ExpectSound has not written them
  EXPECT_EQ(ebcache_cache_destroy(cache), 0) << ebcache_last_error();
  EXPECT_EQ(ebcache_cache_destroy(other), 0) << ebcache_last_error();
  ebcache_allocator_release(allocator);
}

void CacheStage::ExpectSound() {
  PutAll(*this);
  struct ebcache_pins pins {};
  pins.size = sizeof pins;
  ASSERT_EQ(ebcache_pins(cache, &pins), 0);
  for (const int verdict :
       {EBCACHE_VERDICT_UNMAPPED, EBCACHE_VERDICT_MIGRATING, EBCACHE_VERDICT_READING,
        EBCACHE_VERDICT_WRITEBACK, EBCACHE_VERDICT_IN_USE, EBCACHE_VERDICT_NO_TREE_REF}) {
    EXPECT_EQ(pins.buffers[verdict], 0u) << ebcache_verdict_name(verdict);
  }
  EXPECT_EQ(ebcache_writeback_all(cache), 0) << ebcache_last_error();
  // The contents of a made block are whoever's who made it.
  ebcache_put_stale(Create(cache, kFresh));
  for (uint64_t block = 0; block < kUsed; ++block) {
    ebcache_buffer* buffer = Read(cache, block * kNode);
    uint64_t word = 0;
    EXPECT_EQ(ebcache_get_u64(buffer, 4096, &word), 0);
    EXPECT_EQ(word, memory_source_word(block * kNode, 4096));
    EXPECT_EQ(ebcache_set_u64(buffer, kMark, block + 77), 0);
    EXPECT_EQ(ebcache_set_dirty(buffer), 0);
    ebcache_put(buffer);
  }
  ebcache_buffer* far_away = Create(cache, kFarAway);
  EXPECT_EQ(ebcache_set_uptodate(far_away), 0);
  EXPECT_EQ(ebcache_set_dirty(far_away), 0);
  ebcache_put(far_away);
  EXPECT_EQ(CountDirty(cache), static_cast<int>(kUsed) + 1);
  Source().writes = 0;
  EXPECT_EQ(ebcache_writeback_all(cache), 0) << ebcache_last_error();
  EXPECT_EQ(Source().writes, static_cast<int>(kUsed) + 1);
  for (uint64_t block = 0; block < kUsed; ++block) {
    uint64_t word = 0;
    std::memcpy(&word, Source().blocks[block] + kMark, sizeof word);
    EXPECT_EQ(word, block + 77);
  }
  EXPECT_EQ(CountDirty(cache), 0);
  EXPECT_EQ(StatsOf(cache).dirty_buffers, 0u);
  ebcache_drop_caches(cache);
  EXPECT_EQ(StatsOf(cache).cached_buffers, 0u);
  EXPECT_EQ(StatsOf(cache).private_buffers, 0u);
  if (allocator == nullptr) return;
  struct ebcache_allocator_stats stats {};
  stats.size = sizeof stats;
  EXPECT_EQ(ebcache_allocator_stats(allocator, &stats), 0);
  EXPECT_EQ(stats.in_use_bytes, 0u);
}

}  // namespace ebcache
