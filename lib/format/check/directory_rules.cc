// Directory entries, by the hash of their names and by their numbers, and extended attributes: all
// of them records of the same form.

#include "lib/format/check/item_rules.h"
#include "lib/format/check/rejection.h"
#include "lib/format/checksum.h"

namespace ebcache {
namespace {

constexpr uint32_t kEntryHeaderBytes = DirEntry::kHeadBytes;
constexpr uint8_t kXattrEntryType = static_cast<uint8_t>(DirEntryType::kXattr);

// An entry's header. REQUIRES: inside the item.
struct Entry {
  Entry(const CheckedItem& item, uint64_t at)
      : location(item.Get<&DirEntry::location>(at)),
        data_bytes(item.StringBytes<&DirEntry::data>(at)),
        name_bytes(item.StringBytes<&DirEntry::name>(at)),
        type(item.Get<&DirEntry::type>(at)) {}
  Key location;
  uint16_t data_bytes;
  uint16_t name_bytes;
  uint8_t type;
};

// Whether a key names an inode of the same tree.
bool LeadsToInode(const Key& key) {
  const bool inode = (key.objectid >= kFirstFreeObjectId && key.objectid <= kLastFreeObjectId) ||
                     key.objectid == kRootTreeDirId;
  return inode && key.offset == 0;
}

// An attribute leads nowhere, an entry to an inode or to a subvolume.
bool IsLocation(const Key& key, bool is_xattr) {
  if (is_xattr) return key == kMinKey;
  switch (key.type) {
    case kUntypedType:
    case kInodeItemType:
      return LeadsToInode(key);
    case kRootItemType:
      return IsFsTree(key.objectid);
    default:
      return false;
  }
}

absl::Status CheckEntryFields(const CheckedItem& item, const Entry& entry) {
  const bool is_xattr = item.type() == kXattrItemType;
  const uint8_t type = entry.type & ~kDirEntryEncrypted;
  if (!IsLocation(entry.location, is_xattr)) [[unlikely]] {
    return Reject(Rejection::kDirectoryLocation, "leads to ", entry.location.ToString());
  }
  if (type > kXattrEntryType || (type == kXattrEntryType) != is_xattr) [[unlikely]] {
    return Reject(Rejection::kDirectoryType, "entry of type ", entry.type);
  }
  if (!is_xattr && entry.data_bytes != 0) [[unlikely]] {
    return Reject(Rejection::kDirectoryData, "entry with ", entry.data_bytes,
                  " bytes of data, which only attributes have");
  }
  if (entry.name_bytes > kMaxNameBytes) [[unlikely]] {
    return Reject(Rejection::kNameLength, "name of ", entry.name_bytes, " bytes, the longest has ",
                  kMaxNameBytes);
  }
  return absl::OkStatus();
}

absl::Status CheckHash(const CheckedItem& item, uint64_t name_at, uint32_t name_bytes) {
  if (item.type() == kDirIndexType) return absl::OkStatus();  // its key is a number
  const uint32_t hash = NameHash(item.data().subspan(name_at, name_bytes));
  if (item.offset() == hash) [[likely]]
    return absl::OkStatus();
  return Reject(Rejection::kDirectoryHash, "the name's hash is ", hash, ", not the key's offset");
}

}  // namespace

absl::Status CheckDirectoryEntries(const CheckedItem& item) {
  if (absl::Status status = CheckFollowsInode(item); !status.ok()) return status;
  uint64_t at = 0;
  do {
    if (at + kEntryHeaderBytes > item.size()) [[unlikely]] {
      return Reject(Rejection::kNameTruncated, "entry at ", at, " leaves the item, which has ",
                    item.size());
    }
    const Entry entry(item, at);
    const uint64_t name_at = at + kEntryHeaderBytes;
    absl::Status status = CheckEntryFields(item, entry);
    if (status.ok()) status = CheckName(item, name_at, entry.name_bytes);
    if (!status.ok()) return status;
    at = name_at + entry.name_bytes + entry.data_bytes;
    if (at > item.size()) [[unlikely]] {
      return Reject(Rejection::kDirectoryData, "data of ", entry.data_bytes,
                    " bytes leaves the item, which has ", item.size());
    }
    status = CheckHash(item, name_at, entry.name_bytes);
    if (!status.ok()) return status;
  } while (at < item.size());
  return absl::OkStatus();
}

}  // namespace ebcache
