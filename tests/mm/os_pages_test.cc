// Kernels with pages of 16 and 64 KiB, for allocators whose pages are smaller: OS calls that do what such a
// kernel does. A range is taken up to the end of its last page; what does not begin with a page is refused.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/movable_region.h"

namespace ebcache {
namespace {

// mmap, madvise and fallocate, as a kernel with pages of so many bytes has them. On one whose own are larger
// still, it is that one.
class LargePagesOs final : public OsCalls {
 public:
  explicit LargePagesOs(size_t page_bytes)
      : page_bytes_(std::max(page_bytes, OsCalls::Real()->PageBytes())) {}

  size_t PageBytes() override { return page_bytes_; }
  void* Map(size_t bytes, size_t alignment) override {
    return real_->Map(Rounded(bytes), std::max(alignment, page_bytes_));
  }
  void Unmap(void* address, size_t bytes) override {
    EXPECT_TRUE(BeginsAPage(address));
    real_->Unmap(address, Rounded(bytes));
  }
  bool Purge(void* address, size_t bytes) override {
    if (!BeginsAPage(address)) return Refuse();
    purged_bytes_ += bytes;
    return real_->Purge(address, Rounded(bytes));
  }
  bool AdviseHugePages(void* address, size_t) override { return BeginsAPage(address) || Refuse(); }
  int CreateMemory(size_t bytes) override { return real_->CreateMemory(bytes); }
  void CloseMemory(int memory) override { real_->CloseMemory(memory); }
  void* MapMemory(int memory, size_t bytes, size_t alignment) override {
    return real_->MapMemory(memory, Rounded(bytes), std::max(alignment, page_bytes_));
  }
  // A hole ends at the byte, but no memory of a page that is left in part goes back.
  bool PurgeMemory(int memory, size_t offset, size_t bytes) override {
    purged_bytes_ += bytes;
    return real_->PurgeMemory(memory, offset, bytes);
  }
  void* ReserveAddresses(size_t bytes) override {
    void* const at = real_->Map(Rounded(bytes), page_bytes_);
    return at != nullptr && real_->UnmapWindows(at, Rounded(bytes)) ? at : nullptr;
  }
  bool MapWindow(void* address, int memory, absl::Span<const WindowPiece> pieces) override {
    auto* at = static_cast<std::byte*>(address);
    for (const WindowPiece& piece : pieces) {
      if (!BeginsAPage(at) || piece.offset % page_bytes_ != 0) return Refuse();
      at += piece.bytes;
    }
    return real_->MapWindow(address, memory, pieces);
  }
  bool UnmapWindows(void* address, size_t bytes) override {
    return BeginsAPage(address) ? real_->UnmapWindows(address, Rounded(bytes)) : Refuse();
  }
  size_t MaxMappings() override { return 1000; }

  size_t purged_bytes() const { return purged_bytes_; }
  int refusals() const { return refusals_; }

 private:
  size_t Rounded(size_t bytes) const { return (bytes + page_bytes_ - 1) & ~(page_bytes_ - 1); }
  bool BeginsAPage(const void* address) const {
    return reinterpret_cast<uintptr_t>(address) % page_bytes_ == 0;
  }
  bool Refuse() {
    ++refusals_;
    return false;
  }

  OsCalls* const real_ = OsCalls::Real();
  const size_t page_bytes_;
  size_t purged_bytes_ = 0;
  int refusals_ = 0;
};

struct OsPagesCase {
  const char* allocator;
  size_t page_bytes;
  size_t os_page_bytes;

  std::shared_ptr<PageAllocator> Make(OsCalls* os) const {
    constexpr size_t kBytes = size_t{32} << 20;
    const std::string kind = allocator;
    if (kind == "order0") {
      return Order0Allocator({.page_bytes = page_bytes, .arena_bytes = kBytes, .os = os});
    }
    if (kind == "vmap") {
      return VmapAllocator(
          {.page_bytes = page_bytes, .arena_bytes = kBytes, .contiguous_by_luck = false, .os = os});
    }
    const bool small = kind == "small page blocks";
    auto region = MovableRegion::Create({.page_bytes = page_bytes,
                                         .arena_bytes = kBytes,
                                         .pageblock_bytes = small ? page_bytes : size_t{2} << 20,
                                         .superpageblock_bytes = size_t{4} << 20,
                                         .os = os});
    if (kind != "high") return region;
    return HighOrderAllocator({.pages = std::move(region)});
  }
};

void PrintTo(const OsPagesCase& c, std::ostream* out) {
  *out << c.allocator << ", pages of " << c.page_bytes << ", the OS's of " << c.os_page_bytes;
}

class OsPagesTest : public testing::TestWithParam<OsPagesCase> {};

// A block of a tree, in as many pages as it takes.
class Block {
 public:
  Block(PageAllocator* allocator, uint64_t mark)
      : allocator_(allocator), mark_(mark), folios_(std::max<size_t>(kBytes / page_bytes(), 1)) {
    block_.slots = absl::MakeSpan(folios_);
    made_ = allocator->AllocateBlock({}, block_).ok();
    if (made_) ForEachWord([&](uint64_t* word, uint64_t number) { *word = mark_ ^ number; });
  }
  ~Block() {
    if (made_) allocator_->FreeBlock(block_);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  bool made() const { return made_; }
  bool IsWhole() {
    bool whole = true;
    ForEachWord([&](const uint64_t* word, uint64_t number) { whole &= *word == (mark_ ^ number); });
    return whole;
  }

 private:
  static constexpr size_t kBytes = 16384;

  size_t page_bytes() const { return allocator_->page_bytes(); }
  // Through the pages, and through the block's own address where it has one.
  template <typename Visit>
  void ForEachWord(Visit visit) {
    for (size_t i = 0; i < folios_.size(); ++i) {
      if (!folios_[i].empty()) {  // else a large folio before it has it
        auto* const words = reinterpret_cast<uint64_t*>(allocator_->Address(folios_[i]));
        for (size_t at = 0; at < page_bytes() / 8; at += 64) visit(&words[at], i << 32 | at);
      }
      if (block_.direct == nullptr) continue;
      auto* const direct = reinterpret_cast<uint64_t*>(block_.direct + i * page_bytes());
      for (size_t at = 0; at < page_bytes() / 8; at += 64) visit(&direct[at], i << 32 | at);
    }
  }

  PageAllocator* const allocator_;
  const uint64_t mark_;
  std::vector<Folio> folios_;
  FolioBlock block_;
  bool made_ = false;
};

TEST_P(OsPagesTest, WhatIsInUseKeepsItsBytesWhenMemoryGoesBack) {
  LargePagesOs os(GetParam().os_page_bytes);
  const std::shared_ptr<PageAllocator> allocator = GetParam().Make(&os);
  std::mt19937_64 random(7);
  std::vector<std::unique_ptr<Block>> blocks;
  uint64_t mark = 0;
  for (int round = 0; round < 12; ++round) {
    while (blocks.size() < 300) {
      blocks.push_back(std::make_unique<Block>(allocator.get(), ++mark << 20));
      ASSERT_TRUE(blocks.back()->made());
    }
    // Some single ones, and a long run of neighbours.
    std::erase_if(blocks, [&](const auto&) { return random() % 3 == 0; });
    const size_t first = random() % (blocks.size() - 60);
    blocks.erase(blocks.begin() + static_cast<ptrdiff_t>(first),
                 blocks.begin() + static_cast<ptrdiff_t>(first + 60));
    allocator->Trim();
    for (const auto& block : blocks) ASSERT_TRUE(block->IsWhole()) << "round " << round;
    const AllocatorStats stats = allocator->stats();
    EXPECT_GE(stats.from_os_bytes, stats.in_use_bytes);
  }
  EXPECT_EQ(os.refusals(), 0);
  // Whole pages between blocks in use went back all the while. (Of regions it is whole page blocks.)
  const std::string kind = GetParam().allocator;
  if (kind == "order0" || kind == "vmap") {
    EXPECT_GT(os.purged_bytes(), size_t{4} << 20);
  }
  blocks.clear();
  allocator->Trim();
  // Page blocks that are smaller than a page of the OS stay.
  if (GetParam().allocator == std::string("small page blocks") &&
      GetParam().page_bytes < os.PageBytes()) {
    EXPECT_EQ(os.purged_bytes(), 0u);
  } else {
    EXPECT_GT(os.purged_bytes(), size_t{1} << 20);
    EXPECT_EQ(allocator->stats().from_os_bytes, 0u);
  }
}

TEST_P(OsPagesTest, WindowsAreThereWhereWholePagesCanBeMapped) {
  if (GetParam().allocator != std::string("vmap")) return;
  LargePagesOs os(GetParam().os_page_bytes);
  const std::shared_ptr<PageAllocator> allocator = GetParam().Make(&os);
  std::vector<Folio> folios(4);
  FolioBlock block = {.slots = absl::MakeSpan(folios)};
  ASSERT_TRUE(allocator->AllocateBlock({}, block).ok());
  EXPECT_EQ(allocator->stats().windows.windows, GetParam().page_bytes >= os.PageBytes() ? 1u : 0u);
  allocator->FreeBlock(block);
}

std::vector<OsPagesCase> Cases() {
  std::vector<OsPagesCase> cases;
  for (const char* allocator : {"order0", "vmap", "region", "small page blocks", "high"}) {
    for (const size_t page_bytes : {4096, 16384, 65536}) {
      for (const size_t os_page_bytes : {4096, 16384, 65536}) {
        cases.push_back({allocator, page_bytes, os_page_bytes});
      }
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, OsPagesTest, testing::ValuesIn(Cases()));

TEST(OsPages, TheKernelIsAsked) {
  EXPECT_EQ(OsCalls::Real()->PageBytes(), static_cast<size_t>(sysconf(_SC_PAGESIZE)));
}

}  // namespace
}  // namespace ebcache
