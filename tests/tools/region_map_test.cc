#include "tools/top/region_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "ebcache/movable_region.h"
#include "ebcache/page_allocator.h"

namespace ebcache::tools {
namespace {

using ::testing::SizeIs;

constexpr size_t kPageBlockPages = 512;
constexpr size_t kPageBlocks = 16;

FrameCounts Counts(uint32_t free, uint32_t unmovable, uint32_t reclaimable, uint32_t movable) {
  return {.free = free, .unmovable = unmovable, .reclaimable = reclaimable, .movable = movable};
}

TEST(RegionMapCharacter, SaysWhatIsInAPageBlock) {
  EXPECT_EQ(RegionMapCharacter(Counts(512, 0, 0, 0)), '.');
  EXPECT_EQ(RegionMapCharacter(Counts(511, 0, 0, 1)), 'm');
  EXPECT_EQ(RegionMapCharacter(Counts(257, 0, 0, 255)), 'm');
  EXPECT_EQ(RegionMapCharacter(Counts(256, 0, 0, 256)), 'M');
  EXPECT_EQ(RegionMapCharacter(Counts(511, 1, 0, 0)), 'u');
  EXPECT_EQ(RegionMapCharacter(Counts(500, 6, 6, 0)), 'u');
  EXPECT_EQ(RegionMapCharacter(Counts(511, 0, 1, 0)), 'r');
  EXPECT_EQ(RegionMapCharacter(Counts(0, 1, 0, 511)), 'x');
  EXPECT_EQ(RegionMapCharacter(Counts(0, 0, 1, 511)), 'x');
}

TEST(RegionMapCharacter, PagesAtHandAreAsGoodAsFree) {
  FrameCounts counts;
  counts.listed = 512;
  EXPECT_EQ(RegionMapCharacter(counts), '.');
  counts.listed = 300;
  counts.movable = 212;
  EXPECT_EQ(RegionMapCharacter(counts), 'm');
}

TEST(RegionMapLegend, HasEachCharacterOnce) {
  std::set<char> characters;
  for (const MapLegend& entry : RegionMapLegend()) {
    EXPECT_TRUE(characters.insert(entry.character).second) << entry.character;
  }
  EXPECT_EQ(characters, (std::set<char>{'.', 'm', 'M', 'u', 'r', 'x'}));
}

class Owner : public FolioOwner {
 public:
  std::string_view name() const override { return "test"; }
  bool movable() const override { return true; }
};

TEST(RegionMap, IsOfTheRegionAsItIs) {
  const std::shared_ptr<MovableRegion> region =
      MovableRegion::Create({.arena_bytes = kPageBlocks << 21, .superpageblock_bytes = 4 << 21});
  EXPECT_EQ(RegionMap(*region, kPageBlocks), std::string(kPageBlocks, '.'));
  Owner owner;
  const OwnerId id = region->RegisterOwner(&owner);
  const int order = 9;
  std::array<Folio, 3> movable;
  std::array<Folio, 1> fixed;
  const auto request = [&](AllocFlags flags) { return FolioRequest{.flags = flags, .owner = id}; };
  ASSERT_TRUE(
      region->AllocateBulk(request(AllocFlags::kMovable), order, absl::MakeSpan(movable)).ok());
  ASSERT_TRUE(region->AllocateBulk(request(AllocFlags::kNone), order, absl::MakeSpan(fixed)).ok());

  std::string expected(kPageBlocks, '.');
  for (const Folio folio : movable) expected[folio.pfn() / kPageBlockPages] = 'M';
  expected[fixed[0].pfn() / kPageBlockPages] = 'u';
  EXPECT_EQ(RegionMap(*region, kPageBlocks), expected);
  EXPECT_EQ(RegionMap(*region, 1000), expected);
  EXPECT_EQ(RegionMap(*region, 5), expected.substr(0, 5));

  region->FreeBulk(order, absl::MakeSpan(movable));
  region->FreeBulk(order, absl::MakeSpan(fixed));
  EXPECT_EQ(RegionMap(*region, kPageBlocks), std::string(kPageBlocks, '.'));
  region->QuiesceOwner(id);
  region->UnregisterOwner(id);
}

TEST(FreeBlocksByOrder, AddsUpToWhatIsFree) {
  const std::shared_ptr<MovableRegion> region =
      MovableRegion::Create({.arena_bytes = kPageBlocks << 21, .superpageblock_bytes = 4 << 21});
  std::array<Folio, 1> page;
  ASSERT_TRUE(region->AllocateBulk({}, 3, absl::MakeSpan(page)).ok());
  const std::vector<uint64_t> blocks = FreeBlocksByOrder(*region);
  EXPECT_THAT(blocks, SizeIs(region->superpageblock_order() + 1));
  uint64_t pages = 0;
  for (size_t order = 0; order < blocks.size(); ++order) pages += blocks[order] << order;
  EXPECT_EQ(pages, region->report().free_frames);
  EXPECT_EQ(pages, kPageBlocks * kPageBlockPages - 8);
  region->FreeBulk(3, absl::MakeSpan(page));
}

}  // namespace
}  // namespace ebcache::tools
