// Where things are in keys, headers, item heads and key pointers.

#ifndef EBCACHE_LIB_FORMAT_LAYOUT_BLOCK_H_
#define EBCACHE_LIB_FORMAT_LAYOUT_BLOCK_H_

#include <array>
#include <cstddef>
#include <tuple>

#include "ebcache/items_block.h"
#include "ebcache/on_disk.h"
#include "lib/format/disk_type.h"

namespace ebcache::format {

template <>
struct Layout<Key> {
  static constexpr const char* kName = "key";
  static constexpr auto kFields = std::tuple{
      Field{0, &Key::objectid},
      Field{8, &Key::type},
      Field{9, &Key::offset},
  };
};
static_assert(LeavesNothingOut<Key>() && HeadBytes<Key>() == kKeyBytes);

template <>
struct Layout<BlockHeader> {
  static constexpr const char* kName = "block header";
  static constexpr auto kFields = std::tuple{
      Field{0, &BlockHeader::checksum},         Field{32, &BlockHeader::fsid},
      Field{48, &BlockHeader::bytenr},          Field{56, &BlockHeader::flags},
      Field{64, &BlockHeader::chunk_tree_uuid}, Field{80, &BlockHeader::generation},
      Field{88, &BlockHeader::owner},           Field{96, &BlockHeader::item_count},
      Field{100, &BlockHeader::level},
  };
};
static_assert(LeavesNothingOut<BlockHeader>() && HeadBytes<BlockHeader>() == BlockHeader::kBytes);

template <>
struct Layout<DiskItemHead> {
  static constexpr const char* kName = "item head";
  static constexpr auto kFields = std::tuple{
      Field{0, &DiskItemHead::key},
      Field{17, &DiskItemHead::offset},
      Field{21, &DiskItemHead::size},
  };
};
static_assert(LeavesNothingOut<DiskItemHead>() &&
              HeadBytes<DiskItemHead>() == DiskItemHead::kBytes);

template <>
struct Layout<KeyPointer> {
  static constexpr const char* kName = "key pointer";
  static constexpr auto kFields = std::tuple{
      Field{0, &KeyPointer::key},
      Field{17, &KeyPointer::bytenr},
      Field{25, &KeyPointer::generation},
  };
};
static_assert(LeavesNothingOut<KeyPointer>() && HeadBytes<KeyPointer>() == kKeyPointerBytes);

}  // namespace ebcache::format

namespace ebcache {

// A key as it lies on disk. REQUIRES: kKeyBytes bytes there.
inline Key KeyAt(const std::byte* at) { return format::Decode<Key>(at); }

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_LAYOUT_BLOCK_H_
