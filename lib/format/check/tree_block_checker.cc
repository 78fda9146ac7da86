#include "lib/format/check/tree_block_checker.h"

#include <absl/strings/str_cat.h>

#include <memory>

#include "ebcache/on_disk.h"
#include "lib/base/messages.h"
#include "lib/format/check/checked_item.h"
#include "lib/format/check/item_rules.h"
#include "lib/format/check/rejection.h"
#include "lib/format/layout_block.h"

namespace ebcache {
namespace {

using format::LoadField;

// Whether the key at `a` is below the key at `b`. Compares them where they lie: copying keys around
// took most of the time of the whole check.
bool IsBelow(const std::byte* a, const std::byte* b) {
  const uint64_t objectid_a = LoadField<&Key::objectid>(a);
  const uint64_t objectid_b = LoadField<&Key::objectid>(b);
  if (objectid_a != objectid_b) return objectid_a < objectid_b;
  const uint8_t type_a = LoadField<&Key::type>(a);
  const uint8_t type_b = LoadField<&Key::type>(b);
  if (type_a != type_b) return type_a < type_b;
  return LoadField<&Key::offset>(a) < LoadField<&Key::offset>(b);
}

absl::Status KeyOrderError(uint32_t slot, const std::byte* previous, const std::byte* key) {
  return Reject(Rejection::kKeyOrder, "slot ", slot, ": key ", KeyAt(key).ToString(),
                " is not above ", KeyAt(previous).ToString(), " of slot ", slot - 1);
}

// An empty leaf is the root of an empty tree, and some trees never are. Of a relocation tree the
// owner does not tell which tree it is.
absl::Status CheckMayBeEmpty(absl::Span<const std::byte> block) {
  if ((LoadField<&BlockHeader::flags>(block.data()) & kHeaderReloc) != 0) return absl::OkStatus();
  const uint64_t owner = LoadField<&BlockHeader::owner>(block.data());
  switch (owner) {
    case 0:
      return Reject(Rejection::kLeafEmpty, "empty leaf without an owner");
    case kRootTreeId:
    case kExtentTreeId:
    case kChunkTreeId:
    case kDevTreeId:
    case kFsTreeId:
    case kDataRelocTreeId:
      return Reject(Rejection::kLeafEmpty, "empty leaf, and ", TreeName(owner), " is never empty");
    default:
      return absl::OkStatus();
  }
}

// The rules for what is in an item, whose place in the leaf is sound.
absl::Status CheckContents(absl::Span<const std::byte> block, uint32_t slot,
                           const TreeBlockLimits& limits) {
  const CheckedItem item(block.data(), slot, limits);
  absl::Status status = CheckItem(item, static_cast<uint32_t>(block.size()));
  if (status.ok()) [[likely]]
    return status;
  return Prefixed(absl::StrCat("slot ", slot, ", item ", item.key().ToString()), status);
}

// Item data fills the leaf from its end downwards, in the order of the slots and without gaps.
absl::Status CheckLeaf(absl::Span<const std::byte> block, uint32_t count,
                       const TreeBlockLimits& limits) {
  const size_t data_area = block.size() - kHeaderBytes;
  if (count > data_area / kItemBytes) {
    return Reject(Rejection::kLeafCount, "leaf with ", count, " items, room is for ",
                  data_area / kItemBytes);
  }
  if (count == 0) return CheckMayBeEmpty(block);
  const uint64_t heads_end = uint64_t{count} * kItemBytes;
  uint64_t expected_end = data_area;
  for (uint32_t slot = 0; slot < count; ++slot) {
    const std::byte* head = block.data() + kHeaderBytes + size_t{slot} * kItemBytes;
    if (slot > 0 && !IsBelow(head - kItemBytes, head)) [[unlikely]] {
      return KeyOrderError(slot, head - kItemBytes, head);
    }
    const uint64_t offset = LoadField<&DiskItemHead::offset>(head);
    const uint64_t size = LoadField<&DiskItemHead::size>(head);
    if (offset + size != expected_end) [[unlikely]] {
      return Reject(Rejection::kLeafDataEnd, "slot ", slot, ": item data ends at ",
                    offset + size + kHeaderBytes, ", not at ", expected_end + kHeaderBytes);
    }
    if (offset < heads_end) [[unlikely]] {
      return Reject(Rejection::kLeafDataOverlap, "slot ", slot, ": item data at ",
                    offset + kHeaderBytes, " overlaps the item heads, which end at ",
                    heads_end + kHeaderBytes);
    }
    expected_end = offset;
    absl::Status status = CheckContents(block, slot, limits);
    if (!status.ok()) [[unlikely]]
      return status;
  }
  return absl::OkStatus();
}

absl::Status CheckNode(absl::Span<const std::byte> block, uint32_t count, uint32_t sector_bytes) {
  const size_t most = (block.size() - kHeaderBytes) / kKeyPointerBytes;
  if (count == 0 || count > most) {
    return Reject(Rejection::kNodeCount, "node with ", count, " pointers, legal is 1 to ", most);
  }
  // Sector sizes are powers of two, and a division costs more than all the rest of the loop.
  const uint64_t alignment_mask = sector_bytes - 1;
  for (uint32_t slot = 0; slot < count; ++slot) {
    const std::byte* pointer = block.data() + kHeaderBytes + size_t{slot} * kKeyPointerBytes;
    if (slot > 0 && !IsBelow(pointer - kKeyPointerBytes, pointer)) [[unlikely]] {
      return KeyOrderError(slot, pointer - kKeyPointerBytes, pointer);
    }
    const uint64_t bytenr = LoadField<&KeyPointer::bytenr>(pointer);
    if (bytenr == 0) [[unlikely]] {
      return Reject(Rejection::kNodePointerZero, "slot ", slot, ": pointer to block 0");
    }
    if ((bytenr & alignment_mask) != 0) [[unlikely]] {
      return Reject(Rejection::kNodePointerAlign, "slot ", slot, ": pointer to block ", bytenr,
                    ", which is not aligned to the sector size ", sector_bytes);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTreeBlockBytes(absl::Span<const std::byte> block, const TreeBlockLimits& limits) {
  if (block.size() < kHeaderBytes) {
    return Reject(Rejection::kBlockSize, "block of ", block.size(), " bytes");
  }
  const uint8_t level = LoadField<&BlockHeader::level>(block.data());
  const uint32_t count = LoadField<&BlockHeader::item_count>(block.data());
  if (level >= kMaxLevels) {
    return Reject(Rejection::kBlockLevel, "level ", level, ", the highest is ", kMaxLevels - 1);
  }
  const uint64_t flags = LoadField<&BlockHeader::flags>(block.data());
  if (limits.from_disk && (flags & kHeaderWritten) == 0) {
    return Reject(Rejection::kNotWritten, "header flags 0x", absl::Hex(flags),
                  " without WRITTEN, which every block has that was ever on a disk");
  }
  return level == 0 ? CheckLeaf(block, count, limits)
                    : CheckNode(block, count, limits.sector_bytes);
}

absl::Status CheckTreeBlock(const BlockBytes& block, const TreeBlockLimits& limits) {
  const size_t length = block.length();
  if (block.contiguous() != nullptr) [[likely]] {
    return CheckTreeBlockBytes({block.contiguous(), length}, limits);
  }
  // A page array: one copy costs less than a test for a straddling field with every field.
  auto copy = std::make_unique_for_overwrite<std::byte[]>(length);
  absl::Span<std::byte> bytes(copy.get(), length);
  if (!block.Copy(0, bytes)) return absl::InternalError("a block that ends before its end");
  return CheckTreeBlockBytes(bytes, limits);
}

UnusedBytes FindUnusedBytes(absl::Span<const std::byte> block) {
  const uint8_t level = LoadField<&BlockHeader::level>(block.data());
  const uint32_t count = LoadField<&BlockHeader::item_count>(block.data());
  size_t begin = kHeaderBytes + size_t{count} * (level == 0 ? kItemBytes : kKeyPointerBytes);
  size_t end = block.size();
  if (level == 0 && count > 0) {
    end = kHeaderBytes + LoadField<&DiskItemHead::offset>(block.data() + begin - kItemBytes);
  }
  return {begin, end - begin};
}

}  // namespace ebcache
