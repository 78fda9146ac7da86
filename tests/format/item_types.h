// All types of items, for tests that hold each of them to the same.

#ifndef EBCACHE_TESTS_FORMAT_ITEM_TYPES_H_
#define EBCACHE_TESTS_FORMAT_ITEM_TYPES_H_

#include <concepts>
#include <tuple>

#include "ebcache/items.h"

namespace ebcache::testing {

using ItemTypes =
    std::tuple<Key, BlockHeader, DiskItemHead, KeyPointer, EmptyItem, InodeItem, InodeRef,
               InodeExtref, DirEntry, FileExtentItem, DirLogItem, VerityDescriptorItem,
               FreeSpaceCacheHeader, RootRef, UuidSubvolume, ExtentHead, TreeBlockInfo, InlineRef,
               ExtentDataRef, SharedDataCount, ExtentOwnerRef, BlockGroupItem, FreeSpaceInfo,
               FreeSpaceBitmap, RaidStride, RemapItem, ChunkItem, SystemChunk, DeviceExtent,
               DeviceStats, DeviceReplaceItem, BalanceItem, QgroupStatus, QgroupInfo, QgroupLimit,
               RootItem, DeviceItem, BackupRoot, Superblock>;

// Those of which an item may have several.
template <typename T>
concept IsRecord = std::same_as<T, InodeRef> || std::same_as<T, InodeExtref> ||
    std::same_as<T, DirEntry> || std::same_as<T, UuidSubvolume> || std::same_as<T, InlineRef> ||
    std::same_as<T, ExtentDataRef> || std::same_as<T, RaidStride> || std::same_as<T, SystemChunk>;

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_FORMAT_ITEM_TYPES_H_
