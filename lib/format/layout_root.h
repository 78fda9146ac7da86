// Where things are in roots, items that tie trees together, and in those of quotas.

#ifndef EBCACHE_LIB_FORMAT_LAYOUT_ROOT_H_
#define EBCACHE_LIB_FORMAT_LAYOUT_ROOT_H_

#include <array>
#include <tuple>

#include "ebcache/items_quota.h"
#include "ebcache/items_root.h"
#include "lib/format/disk_type.h"
#include "lib/format/layout_block.h"
#include "lib/format/layout_file.h"

namespace ebcache::format {

template <>
struct Layout<RootItemExtension> {
  static constexpr const char* kName = "extension of a root item";
  static constexpr auto kFields = std::tuple{
      Field{0, &RootItemExtension::generation_v2},
      Field{8, &RootItemExtension::uuid},
      Field{24, &RootItemExtension::parent_uuid},
      Field{40, &RootItemExtension::received_uuid},
      Field{56, &RootItemExtension::change_transaction},
      Field{64, &RootItemExtension::origin_transaction},
      Field{72, &RootItemExtension::send_transaction},
      Field{80, &RootItemExtension::receive_transaction},
      Field{88, &RootItemExtension::change_time},
      Field{100, &RootItemExtension::origin_time},
      Field{112, &RootItemExtension::send_time},
      Field{124, &RootItemExtension::receive_time},
      Field{136, &RootItemExtension::reserved},
  };
};
static_assert(LeavesNothingOut<RootItemExtension>() &&
              HeadBytes<RootItemExtension>() == RootItemExtension::kBytes);

template <>
struct Layout<RootItem> {
  static constexpr const char* kName = "root item";
  static constexpr auto kFields = std::tuple{
      Field{0, &RootItem::inode},
      Field{160, &RootItem::generation},
      Field{168, &RootItem::root_directory},
      Field{176, &RootItem::bytenr},
      Field{184, &RootItem::byte_limit},
      Field{192, &RootItem::bytes_used},
      Field{200, &RootItem::last_snapshot},
      Field{208, &RootItem::flags},
      Field{216, &RootItem::refs},
      Field{220, &RootItem::drop_progress},
      Field{237, &RootItem::drop_level},
      Field{238, &RootItem::level},
  };
  static constexpr auto kTail = &RootItem::extension;
};
static_assert(LeavesNothingOut<RootItem>() && HeadBytes<RootItem>() == RootItem::kBytes);

template <>
struct Layout<RootRef> {
  static constexpr const char* kName = "root reference";
  static constexpr auto kFields = std::tuple{
      Field{0, &RootRef::directory},
      Field{8, &RootRef::sequence},
  };
  static constexpr auto kStrings = std::array{
      StringField<RootRef>{16, &RootRef::name},
  };
};
static_assert(LeavesNothingOut<RootRef>() && HeadBytes<RootRef>() == RootRef::kHeadBytes);

template <>
struct Layout<UuidSubvolume> {
  static constexpr const char* kName = "subvolume of a uuid";
  static constexpr auto kFields = std::tuple{
      Field{0, &UuidSubvolume::id},
  };
};
static_assert(LeavesNothingOut<UuidSubvolume>() &&
              HeadBytes<UuidSubvolume>() == UuidSubvolume::kBytes);

template <>
struct Layout<QgroupStatus> {
  static constexpr const char* kName = "quota status";
  static constexpr auto kFields = std::tuple{
      Field{0, &QgroupStatus::version},
      Field{8, &QgroupStatus::generation},
      Field{16, &QgroupStatus::flags},
      Field{24, &QgroupStatus::rescan},
  };
  static constexpr auto kTail = &QgroupStatus::enable_generation;
};
static_assert(LeavesNothingOut<QgroupStatus>() &&
              HeadBytes<QgroupStatus>() == QgroupStatus::kBytes);

template <>
struct Layout<QgroupInfo> {
  static constexpr const char* kName = "quota group info";
  static constexpr auto kFields = std::tuple{
      Field{0, &QgroupInfo::generation},
      Field{8, &QgroupInfo::referenced},
      Field{16, &QgroupInfo::referenced_compressed},
      Field{24, &QgroupInfo::exclusive},
      Field{32, &QgroupInfo::exclusive_compressed},
  };
};
static_assert(LeavesNothingOut<QgroupInfo>() && HeadBytes<QgroupInfo>() == QgroupInfo::kBytes);

template <>
struct Layout<QgroupLimit> {
  static constexpr const char* kName = "quota group limit";
  static constexpr auto kFields = std::tuple{
      Field{0, &QgroupLimit::flags},
      Field{8, &QgroupLimit::max_referenced},
      Field{16, &QgroupLimit::max_exclusive},
      Field{24, &QgroupLimit::reserved_referenced},
      Field{32, &QgroupLimit::reserved_exclusive},
  };
};
static_assert(LeavesNothingOut<QgroupLimit>() && HeadBytes<QgroupLimit>() == QgroupLimit::kBytes);

}  // namespace ebcache::format

#endif  // EBCACHE_LIB_FORMAT_LAYOUT_ROOT_H_
