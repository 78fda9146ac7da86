#include "lib/format/check/item_rules.h"

namespace ebcache {
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
    case kDevExtentType:
      return CheckDeviceExtent(item);
    case kDevItemType:
      return CheckDeviceItem(item);
    case kChunkItemType:
      return CheckChunkItem(item);
    case kRaidStripeType:
      return CheckRaidStripe(item);
    default:
      return absl::OkStatus();
  }
}

}  // namespace ebcache
