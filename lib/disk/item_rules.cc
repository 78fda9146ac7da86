#include "lib/disk/item_rules.h"

namespace ebcache {
namespace {

constexpr uint64_t kFreeSpaceCacheObjectId = static_cast<uint64_t>(-11);

// Items without a type belong to the free space cache, the old one, and to nobody else.
absl::Status CheckUntyped(const CheckedItem& item) {
  return item.objectid() == kFreeSpaceCacheObjectId ? CheckExactSize(item, 41) : absl::OkStatus();
}

// Items that are numbers side by side: for these the size is all there is to check.
absl::Status CheckPlainItem(const CheckedItem& item) {
  switch (item.type()) {
    case kUntypedType:
      return CheckUntyped(item);
    case kOrphanItemType:
    case kQgroupRelationType:
      return CheckExactSize(item, 0);
    case kDirLogItemType:
    case kDirLogIndexType:
    case kFreeSpaceInfoType:
      return CheckExactSize(item, 8);
    case kQgroupInfoType:
    case kQgroupLimitType:
      return CheckExactSize(item, 40);
    case kQgroupStatusType:
    case kUuidSubvolType:
    case kUuidReceivedSubvolType:
    case kPersistentItemType:
      return CheckRecords(item, 8);
    case kRaidStripeType:
      return CheckRecords(item, 16);
    default:
      return absl::OkStatus();
  }
}

}  // namespace

absl::Status CheckItem(const CheckedItem& item, uint32_t block_bytes) {
  switch (item.type()) {
    case kInodeItemType:
      return CheckInodeItem(item);
    case kInodeRefType:
      return CheckInodeRefs(item);
    case kInodeExtrefType:
      return CheckInodeExtrefs(item);
    case kXattrItemType:
    case kDirItemType:
    case kDirIndexType:
      return CheckDirectoryEntries(item);
    case kExtentDataType:
      return CheckFileExtent(item);
    case kExtentCsumType:
      return CheckDataChecksums(item);
    case kRootItemType:
      return CheckRoot(item);
    case kRootRefType:
    case kRootBackrefType:
      return CheckRootReference(item);
    case kExtentItemType:
    case kMetadataItemType:
      return CheckExtentItem(item, block_bytes);
    case kTreeBlockRefType:
    case kSharedBlockRefType:
      return CheckTreeReference(item);
    case kExtentDataRefType:
      return CheckDataReference(item);
    case kSharedDataRefType:
      return CheckSharedDataReference(item);
    case kBlockGroupItemType:
      return CheckBlockGroup(item);
    case kFreeSpaceExtentType:
      return CheckFreeSpaceExtent(item);
    case kFreeSpaceBitmapType:
      return CheckFreeSpaceBitmap(item);
    case kDevExtentType:
      return CheckDeviceExtent(item);
    case kDevItemType:
      return CheckDeviceItem(item);
    case kChunkItemType:
      return CheckChunkItem(item);
    default:
      return CheckPlainItem(item);
  }
}

}  // namespace ebcache
