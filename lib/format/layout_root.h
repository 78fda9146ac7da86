// Where things are in items that tie trees together, and in those of quotas.

#ifndef EBCACHE_LIB_FORMAT_LAYOUT_ROOT_H_
#define EBCACHE_LIB_FORMAT_LAYOUT_ROOT_H_

#include <array>
#include <tuple>

#include "ebcache/items_quota.h"
#include "ebcache/items_root.h"
#include "lib/format/disk_type.h"
#include "lib/format/layout_block.h"

namespace ebcache::format {

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
