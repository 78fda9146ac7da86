// What the numbers of the format are called, as btrfs-progs prints them.

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include <string>
#include <string_view>

#include "ebcache/on_disk.h"
#include "lib/base/messages.h"

namespace ebcache {
namespace {

std::string_view KnownTreeName(uint64_t tree) {
  switch (tree) {
    case kRootTreeId:
      return "ROOT_TREE";
    case kExtentTreeId:
      return "EXTENT_TREE";
    case kChunkTreeId:
      return "CHUNK_TREE";
    case kDevTreeId:
      return "DEV_TREE";
    case kFsTreeId:
      return "FS_TREE";
    case kRootTreeDirId:
      return "ROOT_TREE_DIR";
    case kCsumTreeId:
      return "CSUM_TREE";
    case kQuotaTreeId:
      return "QUOTA_TREE";
    case kUuidTreeId:
      return "UUID_TREE";
    case kFreeSpaceTreeId:
      return "FREE_SPACE_TREE";
    case kBlockGroupTreeId:
      return "BLOCK_GROUP_TREE";
    case kRaidStripeTreeId:
      return "RAID_STRIPE_TREE";
    case kTreeLogId:
      return "TREE_LOG";
    case kTreeLogFixupId:
      return "TREE_LOG_FIXUP";
    case kTreeRelocId:
      return "TREE_RELOC";
    case kDataRelocTreeId:
      return "DATA_RELOC_TREE";
    default:
      return {};
  }
}

}  // namespace

std::string_view ItemTypeName(uint8_t type) {
  switch (type) {
    case kInodeItemType:
      return "INODE_ITEM";
    case kInodeRefType:
      return "INODE_REF";
    case kInodeExtrefType:
      return "INODE_EXTREF";
    case kXattrItemType:
      return "XATTR_ITEM";
    case kVerityDescriptorType:
      return "VERITY_DESC_ITEM";
    case kVerityMerkleType:
      return "VERITY_MERKLE_ITEM";
    case kOrphanItemType:
      return "ORPHAN_ITEM";
    case kDirLogItemType:
      return "DIR_LOG_ITEM";
    case kDirLogIndexType:
      return "DIR_LOG_INDEX";
    case kDirItemType:
      return "DIR_ITEM";
    case kDirIndexType:
      return "DIR_INDEX";
    case kExtentDataType:
      return "EXTENT_DATA";
    case kExtentCsumType:
      return "EXTENT_CSUM";
    case kRootItemType:
      return "ROOT_ITEM";
    case kRootBackrefType:
      return "ROOT_BACKREF";
    case kRootRefType:
      return "ROOT_REF";
    case kExtentItemType:
      return "EXTENT_ITEM";
    case kMetadataItemType:
      return "METADATA_ITEM";
    case kExtentOwnerRefType:
      return "EXTENT_OWNER_REF";
    case kTreeBlockRefType:
      return "TREE_BLOCK_REF";
    case kExtentDataRefType:
      return "EXTENT_DATA_REF";
    case kSharedBlockRefType:
      return "SHARED_BLOCK_REF";
    case kSharedDataRefType:
      return "SHARED_DATA_REF";
    case kBlockGroupItemType:
      return "BLOCK_GROUP_ITEM";
    case kFreeSpaceInfoType:
      return "FREE_SPACE_INFO";
    case kFreeSpaceExtentType:
      return "FREE_SPACE_EXTENT";
    case kFreeSpaceBitmapType:
      return "FREE_SPACE_BITMAP";
    case kDevExtentType:
      return "DEV_EXTENT";
    case kDevItemType:
      return "DEV_ITEM";
    case kChunkItemType:
      return "CHUNK_ITEM";
    case kRaidStripeType:
      return "RAID_STRIPE";
    case kIdentityRemapType:
      return "IDENTITY_REMAP";
    case kRemapType:
      return "REMAP";
    case kRemapBackrefType:
      return "REMAP_BACKREF";
    case kQgroupStatusType:
      return "QGROUP_STATUS";
    case kQgroupInfoType:
      return "QGROUP_INFO";
    case kQgroupLimitType:
      return "QGROUP_LIMIT";
    case kQgroupRelationType:
      return "QGROUP_RELATION";
    case kTemporaryItemType:
      return "TEMPORARY_ITEM";
    case kPersistentItemType:
      return "PERSISTENT_ITEM";
    case kDevReplaceType:
      return "DEV_REPLACE";
    case kUuidSubvolType:
      return "UUID_KEY_SUBVOL";
    case kUuidReceivedSubvolType:
      return "UUID_KEY_RECEIVED_SUBVOL";
    case kStringItemType:
      return "STRING_ITEM";
    default:
      return {};
  }
}

std::string TreeName(uint64_t tree) {
  std::string_view known = KnownTreeName(tree);
  return known.empty() ? absl::StrCat(tree) : std::string(known);
}

std::string Key::ToString() const {
  std::string_view known = ItemTypeName(type);
  std::string type_name = known.empty() ? absl::StrCat(type) : std::string(known);
  return absl::StrCat("(", objectid, " ", type_name, " ", offset, ")");
}

std::string UuidString(const Uuid& uuid) {
  absl::string_view raw(reinterpret_cast<const char*>(uuid.data()), uuid.size());
  std::string text = absl::BytesToHexString(raw);
  for (size_t dash : {8, 13, 18, 23}) text.insert(dash, 1, '-');
  return text;
}

}  // namespace ebcache
