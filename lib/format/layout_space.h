// Where things are in items of block groups, free space and stripes.

#ifndef EBCACHE_LIB_FORMAT_LAYOUT_SPACE_H_
#define EBCACHE_LIB_FORMAT_LAYOUT_SPACE_H_

#include <array>
#include <tuple>

#include "ebcache/items_space.h"
#include "lib/format/disk_type.h"

namespace ebcache::format {

template <>
struct Layout<RemapCounts> {
  static constexpr const char* kName = "remap counts";
  static constexpr auto kFields = std::tuple{
      Field{0, &RemapCounts::remap_bytes},
      Field{8, &RemapCounts::identity_remap_count},
  };
};
static_assert(LeavesNothingOut<RemapCounts>() && HeadBytes<RemapCounts>() == RemapCounts::kBytes);

template <>
struct Layout<BlockGroupItem> {
  static constexpr const char* kName = "block group item";
  static constexpr auto kFields = std::tuple{
      Field{0, &BlockGroupItem::used},
      Field{8, &BlockGroupItem::chunk_objectid},
      Field{16, &BlockGroupItem::flags},
  };
  static constexpr auto kTail = &BlockGroupItem::remap;
};
static_assert(LeavesNothingOut<BlockGroupItem>() &&
              HeadBytes<BlockGroupItem>() == BlockGroupItem::kBytes);

template <>
struct Layout<FreeSpaceInfo> {
  static constexpr const char* kName = "free space info";
  static constexpr auto kFields = std::tuple{
      Field{0, &FreeSpaceInfo::extent_count},
      Field{4, &FreeSpaceInfo::flags},
  };
};
static_assert(LeavesNothingOut<FreeSpaceInfo>() &&
              HeadBytes<FreeSpaceInfo>() == FreeSpaceInfo::kBytes);

template <>
struct Layout<RaidStride> {
  static constexpr const char* kName = "stripe";
  static constexpr auto kFields = std::tuple{
      Field{0, &RaidStride::device_id},
      Field{8, &RaidStride::physical},
  };
};
static_assert(LeavesNothingOut<RaidStride>() && HeadBytes<RaidStride>() == RaidStride::kBytes);

template <>
struct Layout<RemapItem> {
  static constexpr const char* kName = "remap item";
  static constexpr auto kFields = std::tuple{
      Field{0, &RemapItem::address},
  };
};
static_assert(LeavesNothingOut<RemapItem>() && HeadBytes<RemapItem>() == RemapItem::kBytes);

}  // namespace ebcache::format

#endif  // EBCACHE_LIB_FORMAT_LAYOUT_SPACE_H_
