// Every item that a tree can have, as a struct, and the way from bytes to it and back.
//
//   absl::StatusOr<InodeItem> inode = ParseItem<InodeItem>(bytes);
//   absl::Status status = AppendItem(*inode, other_bytes);
//
// | key type | its item |
// |---|---|
// | INODE_ITEM | InodeItem |
// | INODE_REF, INODE_EXTREF | records of InodeRef, InodeExtref |
// | DIR_ITEM, DIR_INDEX, XATTR_ITEM | records of DirEntry |
// | EXTENT_DATA | FileExtentItem |
// | EXTENT_CSUM | ParseDataChecksums |
// | DIR_LOG_ITEM, DIR_LOG_INDEX | DirLogItem |
// | VERITY_DESC_ITEM with offset 0 | VerityDescriptorItem; others are bytes, and so is
// VERITY_MERKLE_ITEM | | untyped, of object -11 | FreeSpaceCacheHeader | | ROOT_ITEM | RootItem |
// | ROOT_REF, ROOT_BACKREF | RootRef |
// | UUID_KEY_SUBVOL, UUID_KEY_RECEIVED_SUBVOL | records of UuidSubvolume |
// | EXTENT_ITEM, METADATA_ITEM | ParseExtentItem: ExtentHead, TreeBlockInfo, records of InlineRef |
// | EXTENT_DATA_REF | ExtentDataRef; records where several share a key |
// | SHARED_DATA_REF | SharedDataCount |
// | EXTENT_OWNER_REF | ExtentOwnerRef |
// | CHUNK_ITEM | ChunkItem |
// | DEV_ITEM | DeviceItem |
// | DEV_EXTENT | DeviceExtent |
// | BLOCK_GROUP_ITEM | BlockGroupItem |
// | FREE_SPACE_INFO, FREE_SPACE_BITMAP | FreeSpaceInfo, FreeSpaceBitmap |
// | RAID_STRIPE | records of RaidStride |
// | REMAP, REMAP_BACKREF | RemapItem |
// | QGROUP_STATUS, QGROUP_INFO, QGROUP_LIMIT | QgroupStatus, QgroupInfo, QgroupLimit |
// | TEMPORARY_ITEM of object -4 | BalanceItem |
// | PERSISTENT_ITEM of object 0 | DeviceStats |
// | DEV_REPLACE | DeviceReplaceItem |
// | ORPHAN_ITEM, TREE_BLOCK_REF, SHARED_BLOCK_REF, FREE_SPACE_EXTENT, IDENTITY_REMAP,
// QGROUP_RELATION | EmptyItem: the key tells all | | STRING_ITEM | bytes |
//
// Sizes, lengths and addresses are in bytes, times in seconds and nanoseconds since 1970 UTC,
// generations are numbers of transactions. Fields called `reserved` and `unused` are written back
// as they were. Flags that a field may have are the constants beside its struct; item_names.h has
// the words for them.

#ifndef EBCACHE_ITEMS_H_
#define EBCACHE_ITEMS_H_

#include "ebcache/item_codec.h"
#include "ebcache/items_block.h"
#include "ebcache/items_device.h"
#include "ebcache/items_extent.h"
#include "ebcache/items_file.h"
#include "ebcache/items_quota.h"
#include "ebcache/items_root.h"
#include "ebcache/items_space.h"

#endif  // EBCACHE_ITEMS_H_
