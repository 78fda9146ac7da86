#include "tests/format/item_by_key.h"

#include <absl/strings/str_cat.h>

#include <optional>

namespace ebcache::testing {
namespace {

using Bytes = std::vector<std::byte>;

template <typename T>
absl::Status One(absl::Span<const std::byte> item, Bytes& out) {
  const absl::StatusOr<T> parsed = ParseItem<T>(item);
  return parsed.ok() ? AppendItem(*parsed, out) : parsed.status();
}

template <typename T>
absl::Status Several(absl::Span<const std::byte> item, Bytes& out) {
  ItemRecords<T> records(item);
  while (const std::optional<T> record = records.Next()) {
    if (absl::Status status = AppendItem(*record, out); !status.ok()) return status;
  }
  return records.status();
}

absl::Status Extent(uint8_t type, absl::Span<const std::byte> item, Bytes& out) {
  const absl::StatusOr<ExtentItem> extent = ParseExtentItem(type, item);
  if (!extent.ok()) return extent.status();
  std::vector<InlineRef> refs;
  ItemRecords<InlineRef> records(extent->inline_refs);
  while (const std::optional<InlineRef> ref = records.Next()) refs.push_back(*ref);
  if (!records.status().ok()) return records.status();
  return AppendExtentItem(extent->head, extent->block, refs, out);
}

absl::Status OfFile(const Key& key, absl::Span<const std::byte> item, Bytes& out) {
  switch (key.type) {
    case kInodeItemType:
      return One<InodeItem>(item, out);
    case kInodeRefType:
      return Several<InodeRef>(item, out);
    case kInodeExtrefType:
      return Several<InodeExtref>(item, out);
    case kXattrItemType:
    case kDirItemType:
    case kDirIndexType:
      return Several<DirEntry>(item, out);
    case kExtentDataType:
      return One<FileExtentItem>(item, out);
    case kOrphanItemType:
      return One<EmptyItem>(item, out);
    case kDirLogItemType:
    case kDirLogIndexType:
      return One<DirLogItem>(item, out);
    case kUntypedType:
      return One<FreeSpaceCacheHeader>(item, out);
    default:
      return absl::NotFoundError(absl::StrCat("type ", key.type));
  }
}

absl::Status OfExtent(const Key& key, absl::Span<const std::byte> item, Bytes& out) {
  switch (key.type) {
    case kExtentItemType:
    case kMetadataItemType:
      return Extent(key.type, item, out);
    case kTreeBlockRefType:
    case kSharedBlockRefType:
    case kFreeSpaceExtentType:
      return One<EmptyItem>(item, out);
    case kExtentDataRefType:
      return Several<ExtentDataRef>(item, out);
    case kSharedDataRefType:
      return One<SharedDataCount>(item, out);
    case kBlockGroupItemType:
      return One<BlockGroupItem>(item, out);
    case kFreeSpaceInfoType:
      return One<FreeSpaceInfo>(item, out);
    case kFreeSpaceBitmapType:
      return One<FreeSpaceBitmap>(item, out);
    case kRemapType:
    case kRemapBackrefType:
      return One<RemapItem>(item, out);
    case kIdentityRemapType:
      return One<EmptyItem>(item, out);
    case kRaidStripeType:
      return Several<RaidStride>(item, out);
    default:
      return OfFile(key, item, out);
  }
}

}  // namespace

absl::Status ParseAndEncode(const Key& key, absl::Span<const std::byte> item, Bytes& out) {
  switch (key.type) {
    case kRootItemType:
      return One<RootItem>(item, out);
    case kDevItemType:
      return One<DeviceItem>(item, out);
    case kRootRefType:
    case kRootBackrefType:
      return One<RootRef>(item, out);
    case kUuidSubvolType:
    case kUuidReceivedSubvolType:
      return Several<UuidSubvolume>(item, out);
    case kChunkItemType:
      return One<ChunkItem>(item, out);
    case kDevExtentType:
      return One<DeviceExtent>(item, out);
    case kDevReplaceType:
      return One<DeviceReplaceItem>(item, out);
    case kPersistentItemType:
      return One<DeviceStats>(item, out);
    case kTemporaryItemType:
      return One<BalanceItem>(item, out);
    case kQgroupStatusType:
      return One<QgroupStatus>(item, out);
    case kQgroupInfoType:
      return One<QgroupInfo>(item, out);
    case kQgroupLimitType:
      return One<QgroupLimit>(item, out);
    case kQgroupRelationType:
      return One<EmptyItem>(item, out);
    default:
      return OfExtent(key, item, out);
  }
}

}  // namespace ebcache::testing
