// Checksums of data that is freed, against a map of sectors.

#include "lib/space/data_checksums.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "ebcache/items_file.h"
#include "ebcache/on_disk.h"
#include "tests/space/map_store.h"

namespace ebcache::space {
namespace {

constexpr uint32_t kSector = 4096;

Key KeyAt(uint64_t logical) { return {kDataChecksumsObjectId, kExtentCsumType, logical}; }

// What checksums there are, by sector; each sector's are of its own.
using Sectors = std::map<uint64_t, std::vector<std::byte>>;

std::vector<std::byte> ChecksumOf(uint64_t sector, uint32_t bytes) {
  return std::vector<std::byte>(bytes, static_cast<std::byte>(sector * 7 + 1));
}

Sectors SectorsOf(const MapStore& store, uint32_t bytes) {
  Sectors sectors;
  for (const auto& [key, data] : store.items) {
    if (key.objectid != kDataChecksumsObjectId || key.type != kExtentCsumType) continue;
    EXPECT_EQ(data.size() % bytes, 0u);
    EXPECT_FALSE(data.empty());
    for (size_t at = 0; at < data.size(); at += bytes) {
      const uint64_t sector = key.offset / kSector + at / bytes;
      const bool is_first =
          sectors
              .emplace(sector, std::vector<std::byte>(data.begin() + at, data.begin() + at + bytes))
              .second;
      EXPECT_TRUE(is_first) << sector;
    }
  }
  return sectors;
}

// Items of some sectors each, with gaps here and there; and something before and behind them.
MapStore MakeStore(uint32_t bytes, std::mt19937_64& random, Sectors& sectors) {
  MapStore store;
  store.items[{1, 1, 1}] = {std::byte{1}};
  store.items[{kDataChecksumsObjectId, kExtentCsumType + 1, 0}] = {std::byte{2}};
  uint64_t sector = 16;
  for (int item = 0; item < 8; ++item) {
    sector += random() % 3;
    std::vector<std::byte> data;
    const uint64_t first = sector;
    for (uint64_t end = sector + 1 + random() % 6; sector < end; ++sector) {
      const std::vector<std::byte> checksum = ChecksumOf(sector, bytes);
      data.insert(data.end(), checksum.begin(), checksum.end());
      sectors[sector] = checksum;
    }
    store.items[KeyAt(first * kSector)] = data;
  }
  return store;
}

TEST(DataChecksumsTest, OfTheRangeGoAndAllOthersStay) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 3000; ++round) {
    const uint32_t bytes = round % 2 == 0 ? 4 : 32;
    Sectors expected;
    MapStore store = MakeStore(bytes, random, expected);
    ASSERT_EQ(SectorsOf(store, bytes), expected);
    const uint64_t first = random() % 64;
    const uint64_t count = 1 + random() % 24;
    const absl::Status status =
        RemoveChecksums(store, {first * kSector, count * kSector}, kSector, bytes);
    ASSERT_TRUE(status.ok()) << status;
    expected.erase(expected.lower_bound(first), expected.lower_bound(first + count));
    ASSERT_EQ(SectorsOf(store, bytes), expected) << first << " " << count;
    EXPECT_EQ(store.items.count({1, 1, 1}), 1u);
    EXPECT_EQ(store.items.count({kDataChecksumsObjectId, kExtentCsumType + 1, 0}), 1u);
  }
}

TEST(DataChecksumsTest, OfNothingIsFine) {
  MapStore store;
  EXPECT_TRUE(RemoveChecksums(store, {0, kSector}, kSector, 4).ok());
  EXPECT_TRUE(store.items.empty());
}

TEST(DataChecksumsTest, ARangeOfPartsOfSectorsIsRefused) {
  MapStore store;
  for (const Range& range : {Range{1, kSector}, Range{0, kSector + 1}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(RemoveChecksums(store, range, kSector, 4)));
  }
}

TEST(DataChecksumsTest, ItemsThatCannotBeAreDamageAndNothingIsChanged) {
  const std::vector<std::byte> two(8);
  for (const auto& [offset, data] : std::map<uint64_t, std::vector<std::byte>>{
           {kSector, std::vector<std::byte>(7)}, {kSector + 1, two}, {kSector * 2, {}}}) {
    MapStore store;
    store.items[KeyAt(offset)] = data;
    store.items[KeyAt(kSector * 4)] = two;
    const MapStore::Items before = store.items;
    EXPECT_TRUE(absl::IsDataLoss(RemoveChecksums(store, {0, kSector * 16}, kSector, 4))) << offset;
    EXPECT_EQ(store.items, before);
  }
}

}  // namespace
}  // namespace ebcache::space
