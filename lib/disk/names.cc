// What the numbers of the format are called, as btrfs-progs prints them.

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include <string>
#include <string_view>

#include "ebcache/on_disk.h"
#include "lib/disk/messages.h"

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

std::string_view KnownItemType(uint8_t type) {
  switch (type) {
    case kInodeItemType:
      return "INODE_ITEM";
    case 12:
      return "INODE_REF";
    case 13:
      return "INODE_EXTREF";
    case 24:
      return "XATTR_ITEM";
    case 36:
      return "VERITY_DESC_ITEM";
    case 37:
      return "VERITY_MERKLE_ITEM";
    case 48:
      return "ORPHAN_ITEM";
    case 60:
      return "DIR_LOG_ITEM";
    case 72:
      return "DIR_LOG_INDEX";
    case 84:
      return "DIR_ITEM";
    case 96:
      return "DIR_INDEX";
    case 108:
      return "EXTENT_DATA";
    case 128:
      return "EXTENT_CSUM";
    case kRootItemType:
      return "ROOT_ITEM";
    case 144:
      return "ROOT_BACKREF";
    case kRootRefType:
      return "ROOT_REF";
    case kExtentItemType:
      return "EXTENT_ITEM";
    case kMetadataItemType:
      return "METADATA_ITEM";
    case 172:
      return "EXTENT_OWNER_REF";
    case 176:
      return "TREE_BLOCK_REF";
    case 178:
      return "EXTENT_DATA_REF";
    case 182:
      return "SHARED_BLOCK_REF";
    case 184:
      return "SHARED_DATA_REF";
    case kBlockGroupItemType:
      return "BLOCK_GROUP_ITEM";
    case 198:
      return "FREE_SPACE_INFO";
    case 199:
      return "FREE_SPACE_EXTENT";
    case 200:
      return "FREE_SPACE_BITMAP";
    case kDevExtentType:
      return "DEV_EXTENT";
    case kDevItemType:
      return "DEV_ITEM";
    case kChunkItemType:
      return "CHUNK_ITEM";
    case 230:
      return "RAID_STRIPE";
    case 240:
      return "QGROUP_STATUS";
    case 242:
      return "QGROUP_INFO";
    case 244:
      return "QGROUP_LIMIT";
    case 246:
      return "QGROUP_RELATION";
    case 248:
      return "TEMPORARY_ITEM";
    case 249:
      return "PERSISTENT_ITEM";
    case 250:
      return "DEV_REPLACE";
    case 251:
      return "UUID_KEY_SUBVOL";
    case 252:
      return "UUID_KEY_RECEIVED_SUBVOL";
    case 253:
      return "STRING_ITEM";
    default:
      return {};
  }
}

}  // namespace

std::string TreeName(uint64_t tree) {
  std::string_view known = KnownTreeName(tree);
  return known.empty() ? absl::StrCat(tree) : std::string(known);
}

std::string Key::ToString() const {
  std::string_view known = KnownItemType(type);
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
