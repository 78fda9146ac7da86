// What the numbers of the format are called, as btrfs-progs prints them.

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

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

constexpr std::pair<uint8_t, std::string_view> kItemTypes[] = {
    {kInodeItemType, "INODE_ITEM"},
    {kInodeRefType, "INODE_REF"},
    {kInodeExtrefType, "INODE_EXTREF"},
    {kXattrItemType, "XATTR_ITEM"},
    {kVerityDescriptorType, "VERITY_DESC_ITEM"},
    {kVerityMerkleType, "VERITY_MERKLE_ITEM"},
    {kOrphanItemType, "ORPHAN_ITEM"},
    {kDirLogItemType, "DIR_LOG_ITEM"},
    {kDirLogIndexType, "DIR_LOG_INDEX"},
    {kDirItemType, "DIR_ITEM"},
    {kDirIndexType, "DIR_INDEX"},
    {kExtentDataType, "EXTENT_DATA"},
    {kExtentCsumType, "EXTENT_CSUM"},
    {kRootItemType, "ROOT_ITEM"},
    {kRootBackrefType, "ROOT_BACKREF"},
    {kRootRefType, "ROOT_REF"},
    {kExtentItemType, "EXTENT_ITEM"},
    {kMetadataItemType, "METADATA_ITEM"},
    {kExtentOwnerRefType, "EXTENT_OWNER_REF"},
    {kTreeBlockRefType, "TREE_BLOCK_REF"},
    {kExtentDataRefType, "EXTENT_DATA_REF"},
    {kSharedBlockRefType, "SHARED_BLOCK_REF"},
    {kSharedDataRefType, "SHARED_DATA_REF"},
    {kBlockGroupItemType, "BLOCK_GROUP_ITEM"},
    {kFreeSpaceInfoType, "FREE_SPACE_INFO"},
    {kFreeSpaceExtentType, "FREE_SPACE_EXTENT"},
    {kFreeSpaceBitmapType, "FREE_SPACE_BITMAP"},
    {kDevExtentType, "DEV_EXTENT"},
    {kDevItemType, "DEV_ITEM"},
    {kChunkItemType, "CHUNK_ITEM"},
    {kRaidStripeType, "RAID_STRIPE"},
    {kIdentityRemapType, "IDENTITY_REMAP"},
    {kRemapType, "REMAP"},
    {kRemapBackrefType, "REMAP_BACKREF"},
    {kQgroupStatusType, "QGROUP_STATUS"},
    {kQgroupInfoType, "QGROUP_INFO"},
    {kQgroupLimitType, "QGROUP_LIMIT"},
    {kQgroupRelationType, "QGROUP_RELATION"},
    {kTemporaryItemType, "TEMPORARY_ITEM"},
    {kPersistentItemType, "PERSISTENT_ITEM"},
    {kDevReplaceType, "DEV_REPLACE"},
    {kUuidSubvolType, "UUID_KEY_SUBVOL"},
    {kUuidReceivedSubvolType, "UUID_KEY_RECEIVED_SUBVOL"},
    {kStringItemType, "STRING_ITEM"},
};

// The same by type; "" where it has no name.
constexpr std::array<std::string_view, 256> kItemTypeNames = [] {
  std::array<std::string_view, 256> names;
  for (const auto& [type, name] : kItemTypes) names[type] = name;
  return names;
}();

}  // namespace

std::string_view ItemTypeName(uint8_t type) { return kItemTypeNames[type]; }

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
