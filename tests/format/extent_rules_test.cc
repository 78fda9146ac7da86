// The rules for extents and for references to them: as in kernel_rules_test.cc.

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "tests/format/rule_checks.h"

namespace ebcache::testing {
namespace {

constexpr uint64_t kData = 1;
constexpr uint64_t kTreeBlock = 2;
constexpr uint64_t kFullBackref = 256;

std::string Extent(uint64_t references, uint64_t flags, const std::string& rest = {}) {
  return Joined(ExtentHeader(references, flags), rest);
}
// What an inline reference is where it has a key of its own.
std::string Keyed(const std::string& inline_reference) { return inline_reference.substr(1); }

TEST(KernelRules, ExtentItems) {
  const Key data{kMiB, kExtentItemType, 8192};
  const Key skinny{kMiB, kMetadataItemType, 7};
  const Key block{kMiB, kExtentItemType, kNodeBytes};
  Passes(One(skinny, Extent(1, kTreeBlock)));
  Refused(Rejection::kExtentSkinny, One(skinny, Extent(1, kTreeBlock)), kExtentTreeId,
          With(&TreeBlockLimits::skinny_metadata, false));
  Passes(One(block, Extent(1, kTreeBlock, TreeBlockInfo(7))), kExtentTreeId,
         With(&TreeBlockLimits::skinny_metadata, false));
  Refused(Rejection::kExtentKey, One({kMiB + 1, kMetadataItemType, 0}, Extent(1, kTreeBlock)));
  Refused(Rejection::kExtentLevel, One({kMiB, kMetadataItemType, 8}, Extent(1, kTreeBlock)));
  Refused(Rejection::kExtentLevel, One(block, Extent(1, kTreeBlock, TreeBlockInfo(8))));
  // The level stands before the references, whatever those are.
  Passes(One(block, Extent(1, kTreeBlock, Joined(TreeBlockInfo(7), TreeBlockRef(2056)))));
  Refused(Rejection::kExtentLevel,
          One(block, Extent(1, kTreeBlock, Joined(TreeBlockInfo(8), TreeBlockRef(5)))));
  Refused(Rejection::kExtentKey, One(data, Extent(1, kTreeBlock, TreeBlockInfo(0))));
  Passes(One(skinny, ExtentHeader(1, kTreeBlock).Put<uint64_t>(8, 8)));
  Refused(Rejection::kExtentGeneration,
          One(skinny, ExtentHeader(1, kTreeBlock).Put<uint64_t>(8, 9)));
  Passes(One(data, Extent(1, kData)));
  Passes(One({kMiB, kExtentItemType, 0}, Extent(1, kData)));
  Refused(Rejection::kExtentKey, One({kMiB, kExtentItemType, 512}, Extent(1, kData)));
  Refused(Rejection::kExtentKey, One({kMiB + 512, kExtentItemType, 4096}, Extent(1, kData)));
  for (uint64_t flags : {uint64_t{0}, kData | kTreeBlock, kData | kFullBackref}) {
    Refused(Rejection::kExtentFlags, One(data, Extent(1, flags)));
  }
  for (int bit = 2; bit < 64; ++bit) {
    const uint64_t unknown = uint64_t{1} << bit;
    if (unknown != kFullBackref) Passes(One(data, Extent(1, kData | unknown)));
    Passes(One(skinny, Extent(1, kTreeBlock | unknown)));
  }
}

TEST(KernelRules, ExtentsDoNotReachIntoTheNext) {
  const LeafItem data{{kMiB, kExtentItemType, 8192}, Extent(1, kData)};
  const LeafItem skinny{{kMiB, kMetadataItemType, 0}, Extent(1, kTreeBlock)};
  const auto next = [](uint64_t start) {
    return LeafItem{{start, kExtentItemType, 4096}, Extent(1, kData)};
  };
  Passes({data, next(kMiB + 8192)});
  Refused(Rejection::kExtentOverlap, {data, next(kMiB + 4096)});
  Passes({skinny, next(kMiB + kNodeBytes)});
  TreeBlockLimits small_sectors = kLimits;
  small_sectors.sector_bytes = 512;
  Refused(Rejection::kExtentOverlap,
          {skinny, {{kMiB + 512, kMetadataItemType, 0}, Extent(1, kTreeBlock)}}, kExtentTreeId,
          small_sectors);
  Refused(Rejection::kExtentOverlap, {{data.key, data.data}, skinny});
}

TEST(KernelRules, InlineReferences) {
  const Key data{kMiB, kExtentItemType, 4096};
  const Key block{kMiB, kMetadataItemType, 0};
  const auto in_data = [&](uint64_t references, const std::string& inline_references) {
    return One(data, Extent(references, kData, inline_references));
  };
  const auto in_block = [&](uint64_t references, const std::string& inline_references) {
    return One(block, Extent(references, kTreeBlock, inline_references));
  };
  Passes(in_block(1, TreeBlockRef(0)));  // of whatever root
  Passes(in_block(1, SharedBlockRef(kMiB)));
  Refused(Rejection::kInlineRefAlign, in_block(1, SharedBlockRef(kMiB + 512)));
  Passes(in_data(1, SharedDataRef(kMiB, 1)));
  Refused(Rejection::kInlineRefAlign, in_data(1, SharedDataRef(kMiB + 512, 1)));
  for (int type = 0; type < 256; ++type) {
    const bool known = type == 172 || type == 176 || type == 178 || type == 182 || type == 184;
    const std::string reference = ItemBytes(29).Put<uint8_t>(0, type);
    if (!known) Refused(Rejection::kInlineRefType, in_data(9, reference));
  }
  // Nothing stands behind the last one, and none is cut short.
  Refused(Rejection::kInlineRefType, in_block(2, Joined(TreeBlockRef(), std::string(1, '\0'))));
  Refused(Rejection::kInlineRefTruncated, in_block(1, std::string(TreeBlockRef()).substr(0, 8)));
  Refused(Rejection::kInlineRefTruncated, in_data(1, std::string(DataRef(1)).substr(0, 28)));
  Refused(Rejection::kInlineRefTruncated,
          in_data(1, std::string(SharedDataRef(0, 1)).substr(0, 12)));
  // The count is of all, here and elsewhere.
  Passes(in_data(7, Joined(DataRef(3), SharedDataRef(kMiB, 4))));
  Passes(in_data(8, Joined(DataRef(3), SharedDataRef(kMiB, 4))));
  Refused(Rejection::kInlineRefCount, in_data(6, Joined(DataRef(3), SharedDataRef(kMiB, 4))));
  Passes(in_data(1, Joined(OwnerRef(), DataRef(1))));
}

ItemBytes DataRefOf(uint64_t root, uint64_t inode, uint64_t offset, uint32_t count = 1) {
  return DataRef(count, offset).Put<uint64_t>(1, root).Put<uint64_t>(9, inode);
}

TEST(KernelRules, ReferencesToData) {
  const auto either_way = [](auto check) {
    check([](const std::string& reference) {
      return One({kMiB, kExtentItemType, 4096}, Extent(9, kData, reference));
    });
    check([](const std::string& reference) {
      return One({kMiB, kExtentDataRefType, 1}, Keyed(reference));
    });
  };
  either_way([](auto items) {
    for (uint64_t root : {kFsTreeId, uint64_t{256}, kDataRelocTreeId, kRootTreeId}) {
      Passes(items(DataRefOf(root, 257, 0)));
    }
    for (uint64_t root : {uint64_t{0}, kExtentTreeId, uint64_t{255}, kTreeRelocId}) {
      Refused(Rejection::kDataRefRoot, items(DataRefOf(root, 257, 0)));
    }
    for (uint64_t inode : {uint64_t{256}, kLastFreeObjectId, kFreeInodes}) {
      Passes(items(DataRefOf(kFsTreeId, inode, 0)));
    }
    for (uint64_t inode : {uint64_t{0}, uint64_t{255}, kLastFreeObjectId + 1}) {
      Refused(Rejection::kDataRefObject, items(DataRefOf(kFsTreeId, inode, 0)));
    }
    Passes(items(DataRefOf(kFsTreeId, 257, kLast)));
    Refused(Rejection::kReferenceAlign, items(DataRefOf(kFsTreeId, 257, 512)));
    Refused(Rejection::kReferenceCount, items(DataRefOf(kFsTreeId, 257, 0, 0)));
  });
  Refused(Rejection::kInlineRefCount,
          One({kMiB, kExtentItemType, 4096}, Extent(1, kData, SharedDataRef(kMiB, 0))));
}

// By type upwards, and within a type by parent, root or hash downwards.
TEST(KernelRules, OrderOfInlineReferences) {
  const auto block = [](const std::string& references) {
    return One({kMiB, kMetadataItemType, 0}, Extent(9, kTreeBlock, references));
  };
  const auto data = [](const std::string& references) {
    return One({kMiB, kExtentItemType, 4096}, Extent(9, kData, references));
  };
  Passes(block(Joined(TreeBlockRef(), SharedBlockRef(kMiB))));
  Refused(Rejection::kInlineRefOrder, block(Joined(SharedBlockRef(kMiB), TreeBlockRef())));
  Passes(block(Joined(TreeBlockRef(257), TreeBlockRef(256))));
  Passes(block(Joined(TreeBlockRef(256), TreeBlockRef(256))));
  Refused(Rejection::kInlineRefOrder, block(Joined(TreeBlockRef(256), TreeBlockRef(257))));
  Passes(block(Joined(SharedBlockRef(2 * kMiB), SharedBlockRef(kMiB))));
  Refused(Rejection::kInlineRefOrder,
          block(Joined(SharedBlockRef(kMiB), SharedBlockRef(2 * kMiB))));
  Passes(data(Joined(SharedDataRef(2 * kMiB, 1), SharedDataRef(kMiB, 1))));
  Refused(Rejection::kInlineRefOrder,
          data(Joined(SharedDataRef(kMiB, 1), SharedDataRef(2 * kMiB, 1))));
  Refused(Rejection::kInlineRefOrder, data(Joined(SharedDataRef(kMiB, 1), DataRef(1))));
  Refused(Rejection::kInlineRefOrder, data(Joined(DataRef(1), OwnerRef())));
}

// crc32c bit by bit, as the definition has it.
uint32_t SlowCrc32c(uint32_t crc, uint64_t value) {
  for (int bit = 0; bit < 64; ++bit) {
    const bool out = ((crc ^ static_cast<uint32_t>(value >> bit)) & 1) != 0;
    crc = crc >> 1 ^ (out ? 0x82f63b78 : 0);
  }
  return crc;
}

TEST(KernelRules, OrderOfReferencesToDataIsOfTheirHashes) {
  const auto hash = [](uint64_t root, uint64_t inode, uint64_t offset) {
    const uint64_t high = SlowCrc32c(~uint32_t{0}, root);
    return high << 31 ^ SlowCrc32c(SlowCrc32c(~uint32_t{0}, inode), offset);
  };
  // Some of files of one tree, some of different ones; each against the one before it.
  const auto root = [](uint64_t i) { return i % 5 < 3 ? 256 + i / 5 : 300 + i; };
  int swapped = 0;
  for (uint64_t i = 1; i <= 64; ++i) {
    const ItemBytes a = DataRefOf(root(i), 257 + i, 4096 * i);
    const ItemBytes b = DataRefOf(root(i - 1), 256 + i, 4096 * (i - 1));
    const bool descends =
        hash(root(i), 257 + i, 4096 * i) >= hash(root(i - 1), 256 + i, 4096 * (i - 1));
    swapped += descends ? 0 : 1;
    const Key key{kMiB, kExtentItemType, 4096};
    Passes(One(key, Extent(2, kData, descends ? Joined(a, b) : Joined(b, a))));
    Refused(Rejection::kInlineRefOrder,
            One(key, Extent(2, kData, descends ? Joined(b, a) : Joined(a, b))));
  }
  EXPECT_GT(swapped, 10);
  EXPECT_LT(swapped, 54);
}

TEST(KernelRules, KeyedReferences) {
  Passes(One({kMiB, kTreeBlockRefType, 0}, ""));
  Passes(One({kMiB, kTreeBlockRefType, 5}, ""));
  Refused(Rejection::kItemSize, One({kMiB, kTreeBlockRefType, 5}, "x"));
  Passes(One({kMiB, kSharedBlockRefType, 4096}, ""));
  Refused(Rejection::kItemSize, One({kMiB, kSharedBlockRefType, 4096}, "x"));
  Refused(Rejection::kReferenceKey, One({kMiB, kSharedBlockRefType, 512}, ""));
  const std::string count = ItemBytes(4).Put<uint32_t>(0, 1);
  Passes(One({kMiB, kSharedDataRefType, 4096}, count));
  Refused(Rejection::kItemSize, One({kMiB, kSharedDataRefType, 4096}, count + "x"));
  Refused(Rejection::kReferenceKey, One({kMiB, kSharedDataRefType, 512}, count));
  Passes(One({kMiB, kExtentDataRefType, 7}, Joined(Keyed(DataRef(1)), Keyed(DataRef(1)))));
  Passes(One({kMiB, kExtentDataRefType, 7}, ""));
  Refused(Rejection::kItemRecords, One({kMiB, kExtentDataRefType, 7}, Keyed(DataRef(1)) + "x"));
  Refused(Rejection::kReferenceKey, One({kMiB + 512, kTreeBlockRefType, 5}, ""));
  Refused(Rejection::kReferenceKey, One({kMiB + 512, kSharedBlockRefType, 4096}, ""));
  Refused(Rejection::kReferenceKey, One({kMiB + 512, kSharedDataRefType, 4096}, count));
  Refused(Rejection::kReferenceKey, One({kMiB + 512, kExtentDataRefType, 7}, Keyed(DataRef(1))));
}

}  // namespace
}  // namespace ebcache::testing
