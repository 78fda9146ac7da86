// Arenas, regions and windows where the OS has less address space than was asked for, or where
// nobody could have so much.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/mm/allocator_cases.h"
#include "tests/mm/fake_os_calls.h"
#include "tests/mm/region_owner.h"
#include "tests/support/in_child.h"

namespace ebcache {
namespace {

using ::testing::HasSubstr;

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kGiB = size_t{1} << 30;

// Maps no more than a limit at a time.
class TightOs final : public OsCalls {
 public:
  explicit TightOs(size_t most) : most_(most) {}
  void* Map(size_t bytes, size_t alignment) override {
    largest_refused = std::max(largest_refused, bytes > most_ ? bytes : 0);
    least_refused = std::min(least_refused, bytes > most_ ? bytes : least_refused);
    return bytes > most_ ? nullptr : real_->Map(bytes, alignment);
  }
  void Unmap(void* address, size_t bytes) override { real_->Unmap(address, bytes); }
  bool Purge(void* address, size_t bytes) override { return real_->Purge(address, bytes); }
  bool AdviseHugePages(void*, size_t) override { return false; }

  size_t largest_refused = 0;
  size_t least_refused = ~size_t{0};

 private:
  OsCalls* const real_ = OsCalls::Real();
  const size_t most_;
};

// How many pages there are, each of which can be written to.
size_t TakeAll(PageAllocator& allocator) {
  std::vector<Folio> pages;
  for (Folio page; allocator.AllocateBulk({}, 0, {&page, 1}).ok(); page = Folio()) {
    std::memset(allocator.Address(page), 1, 8);
    pages.push_back(page);
  }
  const size_t count = pages.size();
  allocator.FreeBulk(0, absl::MakeSpan(pages));
  return count;
}

TEST(ArenaSpace, IsHalvedUntilTheOsAgrees) {
  TightOs os(100 * kMiB);
  auto allocator = Order0Allocator({.arena_bytes = 510 * kMiB, .os = &os});
  EXPECT_EQ(allocator->stats().arena_bytes, 0u);
  EXPECT_EQ(os.largest_refused, 0u) << "asked before the first allocation";
  // 512 MiB with the reserve, then 256, 128, 64.
  EXPECT_EQ(TakeAll(*allocator), (64 * kMiB - kNoFailReserveBytes) / 4096);
  EXPECT_EQ(allocator->stats().arena_bytes, 64 * kMiB - kNoFailReserveBytes);
  EXPECT_EQ(os.largest_refused, 512 * kMiB);
}

TEST(ArenaSpace, AllThatWasAskedForWhereThatIsToBeHad) {
  auto allocator = Order0Allocator({.arena_bytes = 100 * kMiB});
  Folio page;
  ASSERT_TRUE(allocator->AllocateBulk({}, 0, {&page, 1}).ok());
  EXPECT_EQ(allocator->stats().arena_bytes, 100 * kMiB);
  allocator->FreeBulk(0, {&page, 1});
}

TEST(ArenaSpace, TooLittleIsAnErrorThatSaysWhatToDo) {
  TightOs os(60 * kMiB);
  const std::shared_ptr<PageAllocator> allocators[] = {
      Order0Allocator({.arena_bytes = 64 * kGiB, .os = &os}),
      MovableRegion::Create({.os = &os}),
  };
  for (const auto& allocator : allocators) {
    Folio page;
    const absl::Status status = allocator->AllocateBulk({}, 0, {&page, 1});
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("address space"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("RLIMIT_AS"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("heap allocator"));
    EXPECT_EQ(allocator->stats().arena_bytes, 0u);
  }
}

// An arena of a few pages would do more harm than an error.
TEST(RegionSpace, IsNotHalvedBelow64MiB) {
  TightOs os(8 * kMiB);  // enough for the table
  auto region = MovableRegion::Create(
      {.arena_bytes = 512 * kMiB, .superpageblock_bytes = 16 * kMiB, .os = &os});
  Folio page;
  EXPECT_FALSE(region->AllocateBulk({}, 0, {&page, 1}).ok());
  EXPECT_EQ(os.least_refused, 64 * kMiB);
}

// More at the first request than the OS turns out to give.
TEST(ArenaSpace, ARequestBeyondWhatTheOsGaveFails) {
  TightOs os(100 * kMiB);
  auto allocator = Order0Allocator({.arena_bytes = 510 * kMiB, .os = &os});
  std::vector<Folio> pages(65 * kMiB / 4096);
  const absl::Status status = allocator->AllocateBulk({}, 0, absl::MakeSpan(pages));
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  for (Folio page : pages) ASSERT_TRUE(page.empty());
  pages.resize(60 * kMiB / 4096);
  EXPECT_TRUE(allocator->AllocateBulk({}, 0, absl::MakeSpan(pages)).ok());
  allocator->FreeBulk(0, absl::MakeSpan(pages));
}

TEST(RegionSpace, IsHalvedInSuperpageblocks) {
  TightOs os(100 * kMiB);
  for (const auto policy :
       {MovableRegionOptions::Policy::kSuperpageblock, MovableRegionOptions::Policy::kPageblock}) {
    auto region = MovableRegion::Create({.arena_bytes = 384 * kMiB,
                                         .superpageblock_bytes = 16 * kMiB,
                                         .policy = policy,
                                         .os = &os});
    EXPECT_EQ(TakeAll(*region), 96 * kMiB / 4096);
    EXPECT_EQ(region->stats().arena_bytes, 96 * kMiB);
    const MovableRegionReport report = region->report();
    EXPECT_EQ(report.superpageblocks, 6u);
    EXPECT_EQ(report.refused_superpageblocks, 18u);
    EXPECT_EQ(report.by_category[0] + report.by_category[1] + report.by_category[2] +
                  report.by_category[3],
              6u);
    region->Trim();
    EXPECT_EQ(region->report().free_frames, 96 * kMiB / 4096);
    // Compaction and what empties whole superpageblocks leave alone what is not there.
    std::vector<Folio> whole;
    for (;;) {
      auto got = region->AllocateContiguous({}, region->superpageblock_order());
      if (!got.ok()) break;
      std::memset(region->Address(*got), 1, 16 * kMiB);
      whole.push_back(*got);
    }
    EXPECT_EQ(whole.size(), 6u);
    region->FreeBulk(region->superpageblock_order(), absl::MakeSpan(whole));
    EXPECT_EQ(region->DefragStep(), MovableRegion::DefragProgress::kEmptied);
    std::vector<Folio> too_many(100 * kMiB / 4096);
    const absl::Status status =
        region->AllocateBulk({.flags = AllocFlags::kNoFail}, 0, absl::MakeSpan(too_many));
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  }
}

TEST(RegionSpace, OwnersAreAskedOnceAroundWhatIsThere) {
  TightOs os(100 * kMiB);
  auto region = MovableRegion::Create({.arena_bytes = 384 * kMiB,
                                       .superpageblock_bytes = 16 * kMiB,
                                       .no_fail_wait_ms = 1,
                                       .os = &os});
  Owner owner(region.get());
  for (uint32_t key = 0; owner.Allocate(key, AllocFlags::kMovable | AllocFlags::kNoWarn); ++key) {
  }
  owner.releasable = true;
  Folio page;
  EXPECT_TRUE(region->AllocateBulk({.flags = AllocFlags::kNoFail}, 0, {&page, 1}).ok());
  region->FreeBulk(0, {&page, 1});
}

// With the limit that a shell sets: 64 GiB of address space are refused.
TEST(AddressSpaceLimit, ArenasHaveWhatThereIs) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "SKIPPED: sanitizers need terabytes of address space themselves";
#endif
  const std::pair<const char*, std::function<std::shared_ptr<PageAllocator>()>> kinds[] = {
      {"order0", [] { return Order0Allocator(); }},
      {"vmap", [] { return VmapAllocator(); }},
      {"movable", [] { return MovableRegion::Create({}); }},
      {"high", [] { return HighOrderAllocator(); }},
  };
  for (const auto& [name, make] : kinds) {
    EXPECT_EQ(InChild([&] {
                const rlimit limit{.rlim_cur = 4 * kGiB, .rlim_max = 4 * kGiB};
                ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
                const std::shared_ptr<PageAllocator> allocator = make();
                std::vector<Folio> pages(1000);
                const absl::Status status = allocator->AllocateBulk({}, 0, absl::MakeSpan(pages));
                ASSERT_TRUE(status.ok()) << status;
                EXPECT_GE(allocator->stats().arena_bytes, kGiB);
                EXPECT_LE(allocator->stats().arena_bytes, 4 * kGiB);
                allocator->FreeBulk(0, absl::MakeSpan(pages));
              }),
              "")
        << name;
  }
}

// ---- Windows ------------------------------------------------------------------------------------

// However many are allowed: windows lie in addresses of their own.
TEST(WindowSpace, LimitsThatNobodyCouldHave) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "SKIPPED: the address sanitizer keeps a shadow of all those addresses";
#endif
  for (const size_t most : {~size_t{0} - 1, (size_t{1} << 51) + 1000, (size_t{1} << 62)}) {
    auto vmap = VmapAllocator(
        {.arena_bytes = 64 * kMiB, .max_mappings = most, .contiguous_by_luck = false});
    std::vector<std::array<Folio, 4>> slots(500);
    std::vector<FolioBlock> blocks;
    for (auto& each : slots) {
      FolioBlock block{.slots = absl::MakeSpan(each)};
      ASSERT_TRUE(vmap->AllocateBlock({}, block).ok());
      blocks.push_back(block);
    }
    const std::byte* const arena = vmap->direct_map();
    for (size_t i = 0; i < blocks.size(); ++i) {
      const std::byte* const at = blocks[i].direct;
      ASSERT_NE(at, nullptr) << "window " << i << " of " << most;
      ASSERT_TRUE(at + 4 * 4096 <= arena || at >= arena + 66 * kMiB) << "inside the arena";
      std::memset(blocks[i].direct, static_cast<int>(i % 251), 4 * 4096);
    }
    for (size_t i = 0; i < blocks.size(); ++i) {
      for (Folio page : blocks[i].slots) {
        ASSERT_EQ(static_cast<size_t>(*vmap->Address(page)), i % 251);
      }
    }
    for (FolioBlock& block : blocks) vmap->FreeBlock(block);
  }
}

// An OS that has addresses for a few windows only, or for none.
TEST(WindowSpace, FewerWhereTheOsRefusesThatMany) {
  class FewAddresses final : public OsCalls {
   public:
    explicit FewAddresses(size_t most) : most_(most) {}
    void* Map(size_t bytes, size_t alignment) override { return real_->Map(bytes, alignment); }
    void Unmap(void* address, size_t bytes) override { real_->Unmap(address, bytes); }
    bool Purge(void* address, size_t bytes) override { return real_->Purge(address, bytes); }
    bool AdviseHugePages(void*, size_t) override { return false; }
    int CreateMemory(size_t bytes) override { return real_->CreateMemory(bytes); }
    void CloseMemory(int memory) override { real_->CloseMemory(memory); }
    void* MapMemory(int memory, size_t bytes, size_t alignment) override {
      return real_->MapMemory(memory, bytes, alignment);
    }
    void* ReserveAddresses(size_t bytes) override {
      return bytes > most_ ? nullptr : real_->ReserveAddresses(bytes);
    }
    bool MapWindow(void* address, int memory, absl::Span<const WindowPiece> pieces) override {
      return real_->MapWindow(address, memory, pieces);
    }
    bool UnmapWindows(void* address, size_t bytes) override {
      return real_->UnmapWindows(address, bytes);
    }
    size_t MaxMappings() override { return 1000; }

   private:
    OsCalls* const real_ = OsCalls::Real();
    const size_t most_;
  };
  // 250 windows of 16 KiB are too much, 125 are not; and where nothing is to be had, page arrays.
  for (const auto& [most, windows] : {std::pair<size_t, int>{125 * 16384, 125}, {0, 0}}) {
    FewAddresses os(most);
    auto vmap = VmapAllocator({.arena_bytes = 64 * kMiB, .contiguous_by_luck = false, .os = &os});
    std::vector<std::array<Folio, 4>> slots(300);
    std::vector<FolioBlock> blocks;
    int mapped = 0;
    for (auto& each : slots) {
      FolioBlock block{.slots = absl::MakeSpan(each)};
      ASSERT_TRUE(vmap->AllocateBlock({}, block).ok());
      mapped += block.direct != nullptr;
      blocks.push_back(block);
    }
    EXPECT_EQ(mapped, windows);
    for (FolioBlock& block : blocks) vmap->FreeBlock(block);
  }
}

// ---- The size of a region -----------------------------------------------------------------------

TEST(RegionOptions, SuperpageblocksThatFit) {
  struct Case {
    size_t asked;
    size_t superpageblock;
    size_t arena;
  };
  const size_t odd = (size_t{1} << 38) + 2 * kMiB;
  for (const Case& c :
       {Case{2 * kMiB, 2 * kMiB, 2 * kMiB}, Case{6 * kMiB, 2 * kMiB, 6 * kMiB},
        Case{4 * kGiB, kGiB, 4 * kGiB}, Case{5 * kGiB / 2, kGiB / 2, 5 * kGiB / 2},
        Case{250 * kGiB, kGiB, 250 * kGiB}, Case{odd, 64 * kMiB, size_t{1} << 38}}) {
    const MovableRegionOptions options = RegionOptionsFor(4096, c.asked);
    EXPECT_EQ(options.superpageblock_bytes, c.superpageblock) << c.asked;
    EXPECT_EQ(options.arena_bytes, c.arena) << c.asked;
    EXPECT_EQ(options.arena_bytes % options.superpageblock_bytes, 0u);
    EXPECT_LE(options.arena_bytes / options.superpageblock_bytes, 4096u);
    EXPECT_LE(c.asked - options.arena_bytes, c.asked / 4096);
  }
}

uint64_t ResidentBytes() {
  uint64_t pages[2] = {};
  std::FILE* const file = std::fopen("/proc/self/statm", "re");
  EXPECT_EQ(std::fscanf(file, "%lu %lu", &pages[0], &pages[1]), 2);
  std::fclose(file);
  return pages[1] * 4096;
}

TEST(RegionOptions, ARegionCostsLittleWhateverItsSize) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "SKIPPED: what is resident would be the sanitizer's";
#endif
  for (const size_t bytes : {size_t{1} << 38, (size_t{1} << 38) + 2 * kMiB}) {
    const uint64_t before = ResidentBytes();
    auto region = MovableRegion::Create(RegionOptionsFor(4096, bytes));
    EXPECT_LE(ResidentBytes(), before + 8 * kMiB) << bytes;
    Folio page;
    ASSERT_TRUE(region->AllocateBulk({}, 0, {&page, 1}).ok());
    EXPECT_LE(ResidentBytes(), before + 32 * kMiB) << bytes;
    region->FreeBulk(0, {&page, 1});
  }
}

}  // namespace
}  // namespace ebcache
