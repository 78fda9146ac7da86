// Inodes and their names.

#include "lib/format/check/item_rules.h"
#include "lib/format/check/rejection.h"

namespace ebcache {
namespace {

// Holds the cache of free inode numbers, in filesystems that still have one.
constexpr uint64_t kFreeInodesObjectId = static_cast<uint64_t>(-12);
constexpr uint32_t kModeKindMask = 0170000;
constexpr uint32_t kModeBits = kModeKindMask | 07777;

bool IsInodeNumber(uint64_t objectid) {
  return (objectid >= kFirstFreeObjectId && objectid <= kLastFreeObjectId) ||
         objectid == kRootTreeDirId || objectid == kFreeInodesObjectId;
}

// Flags that a reader has to know: twelve of what files can be asked to be, and that of roots.
constexpr uint64_t kKnownFlags = ((kInodeCompress << 1) - 1) | kInodeRootItemInit;
// In the upper half those that only a writer has to know: fs-verity.
constexpr uint64_t kKnownWriterFlags = kInodeVerity;

constexpr uint32_t kDirectoryMode = 0040000;

// Whether a mode names one of the seven kinds of file, and nothing besides.
bool IsFileMode(uint32_t mode) {
  if ((mode & ~kModeBits) != 0) return false;
  switch (mode & kModeKindMask) {
    case 0010000:  // pipe
    case 0020000:  // character device
    case 0040000:  // directory
    case 0060000:  // block device
    case 0100000:  // file
    case 0120000:  // symbolic link
    case 0140000:  // socket
      return true;
    default:
      return false;
  }
}

// Names one after the other, each behind the fields of a Ref.
template <typename Ref>
absl::Status CheckNames(const CheckedItem& item) {
  constexpr uint32_t kHeadBytes = Ref::kHeadBytes;
  uint64_t at = 0;
  do {
    if (at + kHeadBytes > item.size()) [[unlikely]] {
      return Reject(Rejection::kNameTruncated, "reference at ", at, " leaves the item, which has ",
                    item.size());
    }
    const uint32_t length = item.StringBytes<&Ref::name>(at);
    at += kHeadBytes;
    if (absl::Status status = CheckName(item, at, length); !status.ok()) return status;
    at += length;
  } while (at < item.size());
  return absl::OkStatus();
}

absl::Status CheckInodeFlags(const CheckedItem& item) {
  constexpr uint64_t kLowerHalf = 0xffffffff;
  uint64_t unknown = item.Get<&InodeItem::flags>() & ~(kKnownFlags | kKnownWriterFlags);
  if (!item.limits().writable) unknown &= kLowerHalf;
  if (unknown == 0) [[likely]]
    return absl::OkStatus();
  return Reject(Rejection::kInodeFlags, "unknown flags 0x", absl::Hex(unknown));
}

}  // namespace

absl::Status CheckInodeItem(const CheckedItem& item) {
  if (absl::Status status = CheckExactSize(item, InodeItem::kBytes); !status.ok()) return status;
  if (!IsInodeNumber(item.objectid()) || item.offset() != 0) [[unlikely]] {
    return Reject(Rejection::kInodeKey, "not the key of an inode");
  }
  const uint64_t generation = item.Get<&InodeItem::generation>();
  const uint64_t transaction = item.Get<&InodeItem::transaction>();
  if (item.TooNew(generation) || item.TooNew(transaction)) [[unlikely]] {
    return Reject(Rejection::kInodeGeneration, "generation ", generation, ", transaction ",
                  transaction, ", the newest is ", item.limits().newest_generation);
  }
  const uint32_t mode = item.Get<&InodeItem::mode>();
  if (!IsFileMode(mode)) [[unlikely]] {
    return Reject(Rejection::kInodeMode, "mode 0x", absl::Hex(mode), " is no kind of file");
  }
  const uint32_t links = item.Get<&InodeItem::link_count>();
  if ((mode & kModeKindMask) == kDirectoryMode && links > 1) [[unlikely]] {
    return Reject(Rejection::kInodeLinks, "a directory with ", links, " links");
  }
  return CheckInodeFlags(item);
}

absl::Status CheckInodeRefs(const CheckedItem& item) {
  absl::Status status = CheckFollowsInode(item);
  return status.ok() ? CheckNames<InodeRef>(item) : status;
}

absl::Status CheckInodeExtrefs(const CheckedItem& item) { return CheckNames<InodeExtref>(item); }

}  // namespace ebcache
