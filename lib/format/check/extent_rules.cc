// Extents, and the references to them: in the item itself, or in items of their own.

#include <absl/strings/str_cat.h>

#include "lib/format/check/item_rules.h"
#include "lib/format/check/rejection.h"
#include "lib/format/checksum.h"

namespace ebcache {
namespace {

constexpr uint32_t kExtentHeaderBytes = ExtentHead::kBytes;
constexpr uint32_t kDataReferenceBytes = ExtentDataRef::kBytes;
// Holds the cache of free inode numbers, in filesystems that still have one. Kernels of 2025 and
// later refuse references to it; those before made them, and we read them.
constexpr uint64_t kFreeInodesObjectId = static_cast<uint64_t>(-12);

bool IsTreeBlock(const CheckedItem& item) {
  return (item.Get<&ExtentHead::flags>() & kExtentTreeBlock) != 0;
}

// How many bytes of address space an extent takes that has passed CheckExtentKey.
uint64_t ExtentBytes(const CheckedItem& item, uint32_t block_bytes) {
  return item.type() == kMetadataItemType ? block_bytes : item.offset();
}

// Bits that are not known are let pass.
absl::Status CheckExtentFlags(const CheckedItem& item) {
  const uint64_t flags = item.Get<&ExtentHead::flags>();
  const uint64_t kind = flags & (kExtentData | kExtentTreeBlock);
  const bool one_kind = kind == kExtentData || kind == kExtentTreeBlock;
  const bool data_in_place = kind != kExtentData || item.type() == kExtentItemType;
  // Only blocks are referred to by their parents rather than by their trees.
  const bool full_in_place = (flags & kExtentFullBackref) == 0 || kind == kExtentTreeBlock;
  if (one_kind && data_in_place && full_in_place) [[likely]]
    return absl::OkStatus();
  return Reject(Rejection::kExtentFlags, "flags 0x", absl::Hex(flags));
}

absl::Status CheckExtentKey(const CheckedItem& item, uint32_t block_bytes) {
  if (!item.Aligned(item.objectid())) [[unlikely]] {
    return Reject(Rejection::kExtentKey, "begins within a sector");
  }
  if (item.type() == kMetadataItemType) {
    if (!item.limits().skinny_metadata) [[unlikely]] {
      return Reject(Rejection::kExtentSkinny, "the filesystem has no skinny metadata");
    }
    if (item.offset() < kMaxLevels) [[likely]]
      return absl::OkStatus();
    return Reject(Rejection::kExtentLevel, "level ", item.offset(), ", the highest is ",
                  kMaxLevels - 1);
  }
  if (!item.Aligned(item.offset())) [[unlikely]] {
    return Reject(Rejection::kExtentKey, "length ", item.offset());
  }
  if (IsTreeBlock(item) && item.offset() != block_bytes) [[unlikely]] {
    return Reject(Rejection::kExtentKey, "a tree block of ", item.offset(), " bytes, they have ",
                  block_bytes);
  }
  return absl::OkStatus();
}

// Whether the extent of the slot before, which has passed, reaches into this one.
absl::Status CheckExtentOverlap(const CheckedItem& item, uint32_t block_bytes) {
  if (item.slot() == 0) return absl::OkStatus();
  const CheckedItem previous = item.previous();
  if (previous.type() != kExtentItemType && previous.type() != kMetadataItemType) {
    return absl::OkStatus();
  }
  if (item.objectid() - previous.objectid() >= ExtentBytes(previous, block_bytes)) [[likely]] {
    return absl::OkStatus();
  }
  return Reject(Rejection::kExtentOverlap, "overlaps extent ", previous.key().ToString());
}

// ---- References to data -------------------------------------------------------------------------

// What references of one extent are sorted by.
uint64_t HashOf(const ExtentDataRef& reference) {
  // Of the three fields in front of the count, as they lie on disk.
  std::byte bytes[kDataReferenceBytes];
  format::DiskType<ExtentDataRef>::Encode(reference, bytes);
  const uint32_t high = Crc32cOf(~uint32_t{0}, {bytes, 8});
  const uint32_t low = Crc32cOf(~uint32_t{0}, {bytes + 8, 16});
  return (uint64_t{high} << 31) ^ low;
}

absl::Status CheckDataReferenceFields(const CheckedItem& item, const ExtentDataRef& reference) {
  // Files; data being moved; the space cache of old, which the root tree has.
  if (!IsFsTree(reference.root) && reference.root != kDataRelocTreeId &&
      reference.root != kRootTreeId) [[unlikely]] {
    return Reject(Rejection::kDataRefRoot, "data of tree ", TreeName(reference.root));
  }
  const bool inode =
      (reference.inode >= kFirstFreeObjectId && reference.inode <= kLastFreeObjectId) ||
      reference.inode == kFreeInodesObjectId;
  if (!inode) [[unlikely]] {
    return Reject(Rejection::kDataRefObject, "data of object ", reference.inode,
                  ", which is no file");
  }
  if (!item.Aligned(reference.offset)) [[unlikely]] {
    return Reject(Rejection::kReferenceAlign, "from within a sector of a file, at ",
                  reference.offset);
  }
  if (reference.count == 0) [[unlikely]]
    return Reject(Rejection::kReferenceCount, "counts 0 times");
  return absl::OkStatus();
}

// ---- References in the item ---------------------------------------------------------------------

// Bytes of an inline reference with its type in front; 0 for what is none.
uint32_t InlineReferenceBytes(uint8_t type) {
  switch (type) {
    case kExtentOwnerRefType:
    case kTreeBlockRefType:
    case kSharedBlockRefType:
      return 1 + TreeBlockRef::kBytes;
    case kExtentDataRefType:
      return 1 + ExtentDataRef::kBytes;
    case kSharedDataRefType:
      return 1 + SharedDataRef::kBytes;
    default:
      return 0;
  }
}

// What a reference of any other type than to data by its owner begins with: a tree or a block.
uint64_t NumberOf(const CheckedItem& item, uint64_t at) {
  constexpr size_t kOffset = format::kOffsetOf<&TreeBlockRef::root>;
  static_assert(format::kOffsetOf<&SharedBlockRef::parent> == kOffset &&
                format::kOffsetOf<&SharedDataRef::parent> == kOffset &&
                format::kOffsetOf<&ExtentOwnerRef::root> == kOffset);
  return item.Get<&TreeBlockRef::root>(at + 1);
}

// How many references one at `at` stands for. REQUIRES: it lies inside the item.
uint64_t ReferencesOf(const CheckedItem& item, uint8_t type, uint64_t at) {
  switch (type) {
    case kExtentOwnerRefType:
      return 0;  // tells which tree pays for the extent, and holds nothing
    case kExtentDataRefType:
      return item.Get<&ExtentDataRef::count>(at + 1);
    case kSharedDataRefType:
      return item.Get<&SharedDataRef::count>(at + 1);
    default:
      return 1;
  }
}

// What references of one type are in descending order of.
uint64_t OrderOf(const CheckedItem& item, uint8_t type, uint64_t at) {
  return type == kExtentDataRefType ? HashOf(item.Decode<ExtentDataRef>(at + 1))
                                    : NumberOf(item, at);
}

absl::Status CheckInlineReference(const CheckedItem& item, uint8_t type, uint64_t at) {
  if (type == kExtentDataRefType) {
    return CheckDataReferenceFields(item, item.Decode<ExtentDataRef>(at + 1));
  }
  const bool by_parent = type == kSharedBlockRefType || type == kSharedDataRefType;
  if (by_parent && !item.Aligned(NumberOf(item, at))) [[unlikely]] {
    return Reject(Rejection::kInlineRefAlign, "reference at ", at, " from block ",
                  NumberOf(item, at), ", which is not aligned");
  }
  if (type == kSharedDataRefType && ReferencesOf(item, type, at) == 0) [[unlikely]] {
    return Reject(Rejection::kInlineRefCount, "reference at ", at, " that counts 0 times");
  }
  return absl::OkStatus();
}

absl::Status CheckInlineOrder(const CheckedItem& item, uint8_t previous, uint64_t previous_at,
                              uint8_t type, uint64_t at) {
  // Most extents have one reference, and few have two of a type: hashes are for those.
  if (type > previous) [[likely]]
    return absl::OkStatus();
  if (type == previous && OrderOf(item, type, at) <= OrderOf(item, type, previous_at)) {
    return absl::OkStatus();
  }
  return Reject(Rejection::kInlineRefOrder, "reference of type ", type, " at ", at,
                " is out of order behind that of type ", previous, " at ", previous_at);
}

absl::Status CheckInlineReferences(const CheckedItem& item, uint64_t at) {
  uint64_t references = 0;
  uint8_t previous = 0;
  uint64_t previous_at = 0;
  while (at < item.size()) {
    const uint8_t type = LoadLe8(item.data(), at);
    const uint32_t bytes = InlineReferenceBytes(type);
    if (bytes == 0) [[unlikely]]
      return Reject(Rejection::kInlineRefType, "reference of type ", type, " at ", at);
    if (at + bytes > item.size()) [[unlikely]] {
      return Reject(Rejection::kInlineRefTruncated, "reference at ", at,
                    " leaves the item, which has ", item.size());
    }
    absl::Status status = CheckInlineReference(item, type, at);
    if (status.ok()) status = CheckInlineOrder(item, previous, previous_at, type, at);
    if (!status.ok()) [[unlikely]]
      return status;
    references += ReferencesOf(item, type, at);  // 32 bits each, of at most 64 KiB: no overflow
    previous = type;
    previous_at = at;
    at += bytes;
  }
  if (references > item.Get<&ExtentHead::references>()) [[unlikely]] {
    return Reject(Rejection::kInlineRefCount, references, " references, ",
                  item.Get<&ExtentHead::references>(), " by its count");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckExtentItem(const CheckedItem& item, uint32_t block_bytes) {
  if (item.size() < kExtentHeaderBytes) [[unlikely]] {
    return Reject(Rejection::kExtentSize, item.size(), " bytes, the header alone has ",
                  kExtentHeaderBytes);
  }
  absl::Status status = CheckExtentFlags(item);
  if (status.ok()) status = CheckExtentKey(item, block_bytes);
  if (status.ok()) status = CheckExtentOverlap(item, block_bytes);
  if (!status.ok()) return status;
  if (item.TooNew(item.Get<&ExtentHead::generation>())) [[unlikely]] {
    return Reject(Rejection::kExtentGeneration, "generation ", item.Get<&ExtentHead::generation>(),
                  ", the newest is ", item.limits().newest_generation);
  }
  uint64_t references_at = kExtentHeaderBytes;
  if (item.type() == kExtentItemType && IsTreeBlock(item)) {
    references_at += TreeBlockInfo::kBytes;
    if (item.size() < references_at) [[unlikely]] {
      return Reject(Rejection::kExtentSize, item.size(), " bytes, of a tree block it has ",
                    references_at);
    }
    const uint8_t level = item.Get<&TreeBlockInfo::level>(kExtentHeaderBytes);
    if (level >= kMaxLevels) [[unlikely]] {
      return Reject(Rejection::kExtentLevel, "level ", level, ", the highest is ", kMaxLevels - 1);
    }
  }
  return CheckInlineReferences(item, references_at);
}

// ---- References with keys of their own ----------------------------------------------------------

absl::Status CheckTreeReference(const CheckedItem& item) {
  if (absl::Status status = CheckExactSize(item, 0); !status.ok()) return status;
  const bool by_parent = item.type() == kSharedBlockRefType;
  if (!item.Aligned(item.objectid()) || (by_parent && !item.Aligned(item.offset()))) [[unlikely]] {
    return Reject(Rejection::kReferenceKey, "blocks that are not aligned");
  }
  return absl::OkStatus();
}

absl::Status CheckDataReference(const CheckedItem& item) {
  if (absl::Status status = CheckRecords(item, kDataReferenceBytes); !status.ok()) return status;
  if (!item.Aligned(item.objectid())) [[unlikely]] {
    return Reject(Rejection::kReferenceKey, "an extent that is not aligned");
  }
  for (uint32_t at = 0; at < item.size(); at += kDataReferenceBytes) {
    absl::Status status = CheckDataReferenceFields(item, item.Decode<ExtentDataRef>(at));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckSharedDataReference(const CheckedItem& item) {
  if (absl::Status status = CheckExactSize(item, SharedDataCount::kBytes); !status.ok())
    return status;
  if (!item.Aligned(item.objectid()) || !item.Aligned(item.offset())) [[unlikely]] {
    return Reject(Rejection::kReferenceKey, "an extent or a block that is not aligned");
  }
  if (item.Get<&SharedDataCount::count>() == 0) [[unlikely]] {
    return Reject(Rejection::kReferenceCount, "counts 0 times");
  }
  return absl::OkStatus();
}

}  // namespace ebcache
