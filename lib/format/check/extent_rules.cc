// Extents, and the references to them: in the item itself, or in items of their own.

#include <absl/strings/str_cat.h>

#include "lib/base/planted.h"
#include "lib/format/check/item_rules.h"
#include "lib/format/check/rejection.h"
#include "lib/format/checksum.h"

namespace ebcache {
namespace {

constexpr uint32_t kExtentHeaderBytes = 24;
constexpr uint32_t kTreeBlockInfoBytes = 18;  // a key and a level, in items that are not skinny
constexpr uint64_t kDataFlag = 1 << 0;
constexpr uint64_t kTreeBlockFlag = 1 << 1;
constexpr uint64_t kFullBackrefFlag = 1 << 8;

constexpr uint32_t kDataReferenceBytes = 28;
// Holds the cache of free inode numbers, in filesystems that still have one. Kernels of 2025 and
// later refuse references to it; those before made them, and we read them.
constexpr uint64_t kFreeInodesObjectId = static_cast<uint64_t>(-12);

bool IsTreeBlock(const CheckedItem& item) {
  return (item.Load<uint64_t>(16) & kTreeBlockFlag) != 0;
}

// How many bytes of address space an extent takes that has passed CheckExtentKey.
uint64_t ExtentBytes(const CheckedItem& item, uint32_t block_bytes) {
  return item.type() == kMetadataItemType ? block_bytes : item.offset();
}

// Bits that are not known are let pass.
absl::Status CheckExtentFlags(const CheckedItem& item) {
  const uint64_t flags = item.Load<uint64_t>(16);
  const uint64_t kind = flags & (kDataFlag | kTreeBlockFlag);
  const bool one_kind = kind == kDataFlag || kind == kTreeBlockFlag;
  const bool data_in_place = kind != kDataFlag || item.type() == kExtentItemType;
  // Only blocks are referred to by their parents rather than by their trees.
  const bool full_in_place = (flags & kFullBackrefFlag) == 0 || kind == kTreeBlockFlag;
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

// ---- References to data
// --------------------------------------------------------------------------

// What refers to data: a file of a tree, wherever the reference is written.
struct DataReference {
  DataReference(const CheckedItem& item, size_t at)
      : root(item.Load<uint64_t>(at)),
        objectid(item.Load<uint64_t>(at + 8)),
        offset(item.Load<uint64_t>(at + 16)),
        count(item.Load<uint32_t>(at + 24)) {}
  uint64_t root;
  uint64_t objectid;
  uint64_t offset;
  uint32_t count;

  // What references of one extent are sorted by.
  uint64_t Hash() const {
    const uint32_t high = Crc32cOf(~uint32_t{0}, BytesOf(root));
    const uint32_t low = Crc32cOf(Crc32cOf(~uint32_t{0}, BytesOf(objectid)), BytesOf(offset));
    return (uint64_t{high} << 31) ^ low;
  }

 private:
  static absl::Span<const std::byte> BytesOf(const uint64_t& value) {
    return {reinterpret_cast<const std::byte*>(&value), sizeof(value)};
  }
};

absl::Status CheckDataReferenceFields(const CheckedItem& item, const DataReference& reference) {
  // Files; data being moved; the space cache of old, which the root tree has.
  if (!IsFsTree(reference.root) && reference.root != kDataRelocTreeId &&
      reference.root != kRootTreeId) [[unlikely]] {
    return Reject(Rejection::kDataRefRoot, "data of tree ", TreeName(reference.root));
  }
  const bool inode =
      (reference.objectid >= kFirstFreeObjectId && reference.objectid <= kLastFreeObjectId) ||
      reference.objectid == kFreeInodesObjectId;
  if (!inode) [[unlikely]] {
    return Reject(Rejection::kDataRefObject, "data of object ", reference.objectid,
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
      return 1 + 8;
    case kExtentDataRefType:
      return 1 + kDataReferenceBytes;
    case kSharedDataRefType:
      return 1 + 8 + 4;
    default:
      return 0;
  }
}

// How many references one at `at` stands for. REQUIRES: it lies inside the item.
uint64_t ReferencesOf(const CheckedItem& item, uint8_t type, uint64_t at) {
  switch (type) {
    case kExtentOwnerRefType:
      return 0;  // tells which tree pays for the extent, and holds nothing
    case kExtentDataRefType:
      return item.Load<uint32_t>(at + 1 + 24);
    case kSharedDataRefType:
      return item.Load<uint32_t>(at + 1 + 8);
    default:
      return 1;
  }
}

// What references of one type are in descending order of.
uint64_t OrderOf(const CheckedItem& item, uint8_t type, uint64_t at) {
  return type == kExtentDataRefType ? DataReference(item, at + 1).Hash()
                                    : item.Load<uint64_t>(at + 1);
}

absl::Status CheckInlineReference(const CheckedItem& item, uint8_t type, uint64_t at) {
  if (type == kExtentDataRefType) {
    return CheckDataReferenceFields(item, DataReference(item, at + 1));
  }
  const bool by_parent = type == kSharedBlockRefType || type == kSharedDataRefType;
  if (by_parent && !item.Aligned(item.Load<uint64_t>(at + 1))) [[unlikely]] {
    return Reject(Rejection::kInlineRefAlign, "reference at ", at, " from block ",
                  item.Load<uint64_t>(at + 1), ", which is not aligned");
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
    const uint8_t type = item.Load<uint8_t>(at);
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
  if (references > item.Load<uint64_t>(0) && !fuzz::Planted("references-not-added-up"))
      [[unlikely]] {
    return Reject(Rejection::kInlineRefCount, references, " references, ", item.Load<uint64_t>(0),
                  " by its count");
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
  if (item.TooNew(item.Load<uint64_t>(8))) [[unlikely]] {
    return Reject(Rejection::kExtentGeneration, "generation ", item.Load<uint64_t>(8),
                  ", the newest is ", item.limits().newest_generation);
  }
  uint64_t references_at = kExtentHeaderBytes;
  if (item.type() == kExtentItemType && IsTreeBlock(item)) {
    references_at += kTreeBlockInfoBytes;
    if (item.size() < references_at) [[unlikely]] {
      return Reject(Rejection::kExtentSize, item.size(), " bytes, of a tree block it has ",
                    references_at);
    }
    const uint8_t level = item.Load<uint8_t>(references_at - 1);
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
    absl::Status status = CheckDataReferenceFields(item, DataReference(item, at));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckSharedDataReference(const CheckedItem& item) {
  if (absl::Status status = CheckExactSize(item, 4); !status.ok()) return status;
  if (!item.Aligned(item.objectid()) || !item.Aligned(item.offset())) [[unlikely]] {
    return Reject(Rejection::kReferenceKey, "an extent or a block that is not aligned");
  }
  if (item.Load<uint32_t>(0) == 0) [[unlikely]] {
    return Reject(Rejection::kReferenceCount, "counts 0 times");
  }
  return absl::OkStatus();
}

}  // namespace ebcache
