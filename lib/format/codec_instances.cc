// The functions of ebcache/item_codec.h, for each type that there is.

#include "ebcache/items.h"
#include "lib/format/codec.h"
#include "lib/format/layout.h"
#include "lib/format/special_codecs.h"
#include "lib/format/superblock_codec.h"

namespace ebcache {

#define EBCACHE_ITEM(T)                                                        \
  template absl::StatusOr<T> ParseItem<T>(absl::Span<const std::byte> item);   \
  template size_t EncodedBytes(const T& value);                                \
  template absl::Status EncodeItem(const T& value, absl::Span<std::byte> out); \
  template absl::Status AppendItem(const T& value, std::vector<std::byte>& out);
// Those of which an item may have several.
#define EBCACHE_RECORD(T) \
  EBCACHE_ITEM(T)         \
  template class ItemRecords<T>;

// Parts of blocks.
EBCACHE_ITEM(Key)
EBCACHE_ITEM(BlockHeader)
EBCACHE_ITEM(DiskItemHead)
EBCACHE_ITEM(KeyPointer)
EBCACHE_ITEM(EmptyItem)

// Files.
EBCACHE_ITEM(InodeItem)
EBCACHE_RECORD(InodeRef)
EBCACHE_RECORD(InodeExtref)
EBCACHE_RECORD(DirEntry)
EBCACHE_ITEM(FileExtentItem)
EBCACHE_ITEM(DirLogItem)
EBCACHE_ITEM(VerityDescriptorItem)
EBCACHE_ITEM(FreeSpaceCacheHeader)

// Roots and superblocks.
EBCACHE_ITEM(RootItem)
EBCACHE_ITEM(BackupRoot)
EBCACHE_ITEM(Superblock)
EBCACHE_ITEM(RootRef)
EBCACHE_RECORD(UuidSubvolume)

// Extents.
EBCACHE_ITEM(ExtentHead)
EBCACHE_ITEM(TreeBlockInfo)
EBCACHE_RECORD(InlineRef)
EBCACHE_RECORD(ExtentDataRef)
EBCACHE_ITEM(SharedDataCount)
EBCACHE_ITEM(ExtentOwnerRef)

// Space.
EBCACHE_ITEM(BlockGroupItem)
EBCACHE_ITEM(FreeSpaceInfo)
EBCACHE_ITEM(FreeSpaceBitmap)
EBCACHE_RECORD(RaidStride)
EBCACHE_ITEM(RemapItem)

// Devices.
EBCACHE_ITEM(DeviceItem)
EBCACHE_ITEM(ChunkItem)
EBCACHE_RECORD(SystemChunk)
EBCACHE_ITEM(DeviceExtent)
EBCACHE_ITEM(DeviceStats)
EBCACHE_ITEM(DeviceReplaceItem)
EBCACHE_ITEM(BalanceItem)

// Quotas.
EBCACHE_ITEM(QgroupStatus)
EBCACHE_ITEM(QgroupInfo)
EBCACHE_ITEM(QgroupLimit)

#undef EBCACHE_RECORD
#undef EBCACHE_ITEM

}  // namespace ebcache
