// Views of tree blocks.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "ebcache/on_disk.h"
#include "lib/format/layout_block.h"

namespace ebcache {
namespace {

size_t ItemOffset(uint32_t slot) { return kHeaderBytes + size_t{slot} * kItemBytes; }
size_t KeyPointerOffset(uint32_t slot) { return kHeaderBytes + size_t{slot} * kKeyPointerBytes; }

using format::kOffsetOf;
static_assert(Header::Offsets::kBytenr == kOffsetOf<&BlockHeader::bytenr> &&
              Header::Offsets::kFlags == kOffsetOf<&BlockHeader::flags> &&
              Header::Offsets::kGeneration == kOffsetOf<&BlockHeader::generation> &&
              Header::Offsets::kOwner == kOffsetOf<&BlockHeader::owner> &&
              Header::Offsets::kItemCount == kOffsetOf<&BlockHeader::item_count> &&
              Header::Offsets::kLevel == kOffsetOf<&BlockHeader::level>);
static_assert(kHeaderBytes == BlockHeader::kBytes && kItemBytes == DiskItemHead::kBytes);

// The fields of a structure that lie in the first `available` bytes at `at`; the others are zero.
template <format::Described T>
void DecodeFront(const std::byte* at, size_t available, T& value) {
  format::ForEachField<T>([&](const auto& field) {
    auto& member = value.*field.member;
    using Member = std::remove_reference_t<decltype(member)>;
    if constexpr (format::Described<Member>) {
      DecodeFront(at + field.offset, available - std::min(available, field.offset), member);
    } else if (field.offset + format::FieldBytes(field) <= available) {
      format::DiskType<Member>::Decode(at + field.offset, member);
    }
  });
}

// The structure at `offset` of a block. Fields that would leave the block read as zero.
template <typename T>
T StructureAt(const BlockBytes& block, size_t offset) {
  constexpr size_t kBytes = format::DiskType<T>::kBytes;
  std::byte scratch[kBytes];
  if (const std::byte* const at = block.View(offset, kBytes, scratch); at != nullptr) [[likely]] {
    return format::Decode<T>(at);
  }
  T value{};
  const size_t available = block.length() - std::min<size_t>(block.length(), offset);
  const std::byte* const at = block.View(offset, available, scratch);
  if (at != nullptr) DecodeFront(at, available, value);
  return value;
}

}  // namespace

Uuid Header::fsid() const {
  Uuid fsid{};
  std::memcpy(fsid.data(), at_ + kOffsetOf<&BlockHeader::fsid>, fsid.size());
  return fsid;
}

Key LoadKey(const BlockBytes& block, size_t offset) { return StructureAt<Key>(block, offset); }

Key NodeKey(const BlockBytes& node, uint32_t slot) {
  return LoadKey(node, KeyPointerOffset(slot));
}

KeyPointer LoadKeyPointer(const BlockBytes& node, uint32_t slot) {
  return StructureAt<KeyPointer>(node, KeyPointerOffset(slot));
}

Key LeafKey(const BlockBytes& leaf, uint32_t slot) { return LoadKey(leaf, ItemOffset(slot)); }

ItemHead LoadItemHead(const BlockBytes& leaf, uint32_t slot) {
  const DiskItemHead head = StructureAt<DiskItemHead>(leaf, ItemOffset(slot));
  // On disk the offset counts from the end of the header.
  return {.key = head.key, .offset = head.offset + kHeaderBytes, .size = head.size};
}

}  // namespace ebcache
