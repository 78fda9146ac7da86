// Views of tree blocks.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ebcache/on_disk.h"
#include "lib/format/byte_reader.h"
#include "lib/format/key_bytes.h"

namespace ebcache {
namespace {

size_t ItemOffset(uint32_t slot) { return kHeaderBytes + size_t{slot} * kItemBytes; }
size_t KeyPointerOffset(uint32_t slot) { return kHeaderBytes + size_t{slot} * kKeyPointerBytes; }

// Fields that would leave the block read as zero.
template <typename T>
T Field(const BlockBytes& block, size_t offset) {
  T value{};
  (void)block.Load(offset, value);
  return value;
}

}  // namespace

Uuid Header::fsid() const {
  Uuid fsid{};
  std::memcpy(fsid.data(), at_ + 32, fsid.size());
  return fsid;
}

Key LoadKey(const BlockBytes& block, size_t offset) {
  std::byte scratch[kKeyBytes];
  const std::byte* const at = block.View(offset, kKeyBytes, scratch);
  if (at != nullptr) [[likely]] {
    return KeyAt(at);
  }
  return {Field<uint64_t>(block, offset), Field<uint8_t>(block, offset + 8),
          Field<uint64_t>(block, offset + 9)};
}

Key NodeKey(const BlockBytes& node, uint32_t slot) { return LoadKey(node, KeyPointerOffset(slot)); }

KeyPointer LoadKeyPointer(const BlockBytes& node, uint32_t slot) {
  const size_t at = KeyPointerOffset(slot);
  std::byte scratch[kKeyPointerBytes];
  if (const std::byte* const p = node.View(at, kKeyPointerBytes, scratch); p != nullptr) {
    return {.key = KeyAt(p),
            .bytenr = IntegerAt<uint64_t>(p + kKeyBytes),
            .generation = IntegerAt<uint64_t>(p + kKeyBytes + 8)};
  }
  return {.key = LoadKey(node, at),
          .bytenr = Field<uint64_t>(node, at + kKeyBytes),
          .generation = Field<uint64_t>(node, at + kKeyBytes + 8)};
}

Key LeafKey(const BlockBytes& leaf, uint32_t slot) { return LoadKey(leaf, ItemOffset(slot)); }

ItemHead LoadItemHead(const BlockBytes& leaf, uint32_t slot) {
  const size_t at = ItemOffset(slot);
  // On disk the offset counts from the end of the header.
  std::byte scratch[kItemBytes];
  if (const std::byte* const p = leaf.View(at, kItemBytes, scratch); p != nullptr) {
    return {.key = KeyAt(p),
            .offset = IntegerAt<uint32_t>(p + kKeyBytes) + kHeaderBytes,
            .size = IntegerAt<uint32_t>(p + kKeyBytes + 4)};
  }
  return {.key = LoadKey(leaf, at),
          .offset = Field<uint32_t>(leaf, at + kKeyBytes) + kHeaderBytes,
          .size = Field<uint32_t>(leaf, at + kKeyBytes + 4)};
}

}  // namespace ebcache
