#include "lib/tree/edit/mutable_block.h"

#include <absl/strings/str_cat.h>

#include <bit>
#include <cstring>

#include "lib/format/layout_block.h"
#include "lib/tree/edit/block_editor.h"

namespace ebcache::edit {
namespace {

using format::LoadField;
using format::StoreField;

constexpr size_t kLeastBytes = 4096;
constexpr size_t kMostBytes = 65536;
constexpr uint64_t kFlagsMask = (uint64_t{1} << kBackrefRevisionShift) - 1;

absl::Status CheckSize(size_t bytes) {
  if (std::has_single_bit(bytes) && bytes >= kLeastBytes && bytes <= kMostBytes) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("no tree block has ", bytes, " bytes"));
}

template <typename... Words>
absl::Status Unsound(uint64_t bytenr, const Words&... words) {
  return absl::DataLossError(absl::StrCat("block ", bytenr, " cannot be edited: ", words...));
}

// Data of the slots from the first on must end where the one before begins, and stay behind the
// heads.
absl::Status CheckDataPlaces(const MutableBlock& block) {
  const BlockEditor leaf(block);
  const uint32_t count = leaf.count();
  uint64_t end = leaf.area_bytes();
  for (uint32_t slot = 0; slot < count; ++slot) {
    const uint64_t offset = leaf.offset(slot);
    if (offset + leaf.item_bytes(slot) != end || offset < uint64_t{count} * kItemBytes) {
      return Unsound(block.bytenr(), "slot ", slot, ": item data at ", offset + kHeaderBytes,
                     " of ", leaf.item_bytes(slot), " bytes is out of place");
    }
    end = offset;
  }
  return absl::OkStatus();
}

// Keys must rise. Every edit begins with this, so that each key is read once.
absl::Status CheckKeys(const MutableBlock& block) {
  const BlockEditor entries(block);
  const uint32_t count = entries.count();
  const size_t stride = block.is_leaf() ? kItemBytes : kKeyPointerBytes;
  const std::byte* at = entries.entry(0);  // of an empty block: bytes that lie in it all the same
  Key last = format::Decode<Key>(at);
  for (uint32_t slot = 1; slot < count; ++slot) {
    at += stride;
    const Key key = format::Decode<Key>(at);
    if (last >= key) {
      return Unsound(block.bytenr(), "slot ", slot, ": key ", key.ToString(), " is not above ",
                     last.ToString());
    }
    last = key;
  }
  return absl::OkStatus();
}

}  // namespace

const char* ResultWords(Result result) {
  switch (result) {
    case Result::kDone:
      return "done";
    case Result::kMismatch:
      return "the blocks do not go together";
    case Result::kWrongLevel:
      return "wrong level";
    case Result::kBadSlot:
      return "no such slot";
    case Result::kBadCount:
      return "no such number of entries";
    case Result::kBadData:
      return "data of another length than the item, or of the block itself";
    case Result::kBadPointer:
      return "pointer to block 0";
    case Result::kTooLarge:
      return "larger than an item can be";
    case Result::kKeyOrder:
      return "keys would not rise";
    case Result::kNoRoom:
      return "no room";
  }
  return "unknown";
}

absl::StatusOr<MutableBlock> MutableBlock::Open(absl::Span<std::byte> bytes) {
  if (absl::Status status = CheckSize(bytes.size()); !status.ok()) return status;
  const MutableBlock block(bytes);
  if (block.level() >= kMaxLevels) {
    return Unsound(block.bytenr(), "level ", block.level(), ", the highest is ", kMaxLevels - 1);
  }
  const uint32_t most = block.area_bytes() / (block.is_leaf() ? kItemBytes : kKeyPointerBytes);
  if (block.item_count() > most) {
    return Unsound(block.bytenr(), block.item_count(), " entries, room is for ", most);
  }
  if (block.is_leaf()) {
    if (absl::Status status = CheckDataPlaces(block); !status.ok()) return status;
  }
  if (absl::Status status = CheckKeys(block); !status.ok()) return status;
  return block;
}

absl::StatusOr<MutableBlock> MutableBlock::Init(absl::Span<std::byte> bytes,
                                                const NewBlock& header) {
  if (absl::Status status = CheckSize(bytes.size()); !status.ok()) return status;
  if (header.level >= kMaxLevels) {
    return absl::InvalidArgumentError(absl::StrCat("a new block of level ", header.level));
  }
  std::memset(bytes.data(), 0, bytes.size());
  format::DiskType<BlockHeader>::Encode({.fsid = header.fsid,
                                         .bytenr = header.bytenr,
                                         .flags = kMixedBackrefRevision << kBackrefRevisionShift,
                                         .chunk_tree_uuid = header.chunk_tree_uuid,
                                         .generation = header.generation,
                                         .owner = header.owner,
                                         .level = header.level},
                                        bytes.data());
  return MutableBlock(bytes);
}

absl::StatusOr<MutableBlock> MutableBlock::CopyForCow(const MutableBlock& from,
                                                      absl::Span<std::byte> bytes,
                                                      const CopyPlace& place) {
  if (bytes.size() != from.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the copy of a block of ", from.size(), " bytes cannot have ", bytes.size()));
  }
  if (BlockEditor(from).Overlaps(bytes)) {
    return absl::InvalidArgumentError("a block cannot be copied onto itself");
  }
  std::memcpy(bytes.data(), from.bytes_.data(), bytes.size());
  MutableBlock copy(bytes);
  StoreField<&BlockHeader::checksum>({}, bytes.data());
  copy.set_bytenr(place.bytenr);
  copy.set_generation(place.generation);
  copy.set_flags(0);
  copy.set_owner(place.owner);
  ZeroUnused(copy);
  return copy;
}

uint64_t MutableBlock::bytenr() const { return LoadField<&BlockHeader::bytenr>(bytes_.data()); }
uint64_t MutableBlock::generation() const {
  return LoadField<&BlockHeader::generation>(bytes_.data());
}
uint64_t MutableBlock::flags() const {
  return LoadField<&BlockHeader::flags>(bytes_.data()) & kFlagsMask;
}
uint8_t MutableBlock::backref_revision() const {
  return static_cast<uint8_t>(LoadField<&BlockHeader::flags>(bytes_.data()) >>
                              kBackrefRevisionShift);
}
uint64_t MutableBlock::owner() const { return LoadField<&BlockHeader::owner>(bytes_.data()); }
uint8_t MutableBlock::level() const { return LoadField<&BlockHeader::level>(bytes_.data()); }
uint32_t MutableBlock::item_count() const {
  return LoadField<&BlockHeader::item_count>(bytes_.data());
}

void MutableBlock::set_bytenr(uint64_t bytenr) {
  StoreField<&BlockHeader::bytenr>(bytenr, bytes_.data());
}
void MutableBlock::set_generation(uint64_t generation) {
  StoreField<&BlockHeader::generation>(generation, bytes_.data());
}
void MutableBlock::set_flags(uint64_t flags) {
  const uint64_t revision = LoadField<&BlockHeader::flags>(bytes_.data()) & ~kFlagsMask;
  StoreField<&BlockHeader::flags>((flags & kFlagsMask) | revision, bytes_.data());
}
void MutableBlock::set_owner(uint64_t owner) {
  StoreField<&BlockHeader::owner>(owner, bytes_.data());
}

uint32_t MutableBlock::free_bytes() const {
  if (is_leaf()) return BlockEditor(*this).LeafFree();
  return area_bytes() - item_count() * kKeyPointerBytes;
}

Key MutableBlock::key(uint32_t slot) const {
  return slot < item_count() ? BlockEditor(*this).key(slot) : Key{};
}

absl::Span<const std::byte> MutableBlock::data(uint32_t slot) const {
  if (!is_leaf() || slot >= item_count()) return {};
  const BlockEditor leaf(*this);
  return {leaf.area() + leaf.offset(slot), leaf.item_bytes(slot)};
}

absl::Span<std::byte> MutableBlock::mutable_data(uint32_t slot) {
  const absl::Span<const std::byte> at = data(slot);
  return at.empty() ? absl::Span<std::byte>()
                    : bytes_.subspan(static_cast<size_t>(at.data() - bytes_.data()), at.size());
}

KeyPointer MutableBlock::pointer(uint32_t slot) const {
  if (is_leaf() || slot >= item_count()) return {};
  return format::Decode<KeyPointer>(BlockEditor(*this).pointer(slot));
}

Place FindSlot(const MutableBlock& block, const Key& key) {
  const BlockEditor editor(block);
  uint32_t low = 0;
  uint32_t high = editor.count();
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (editor.key(middle) < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const bool found = low < editor.count() && editor.key(low) == key;
  return {low, found};
}

Result ChangeKey(MutableBlock block, uint32_t slot, const Key& key) {
  const BlockEditor editor(block);
  if (slot >= editor.count()) return Result::kBadSlot;
  if (!editor.FitsBetween(slot, 1, key, key)) return Result::kKeyOrder;
  format::DiskType<Key>::Encode(key, editor.entry(slot));
  return Result::kDone;
}

void ZeroUnused(MutableBlock block) {
  const BlockEditor editor(block);
  // The unused bytes end where data begins; in a node, at the end.
  const uint32_t end = block.is_leaf() ? editor.DataEnd(editor.count()) : editor.area_bytes();
  std::memset(editor.area() + (end - block.free_bytes()), 0, block.free_bytes());
}

}  // namespace ebcache::edit
