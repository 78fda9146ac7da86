// Where things are in items of the extent tree.

#ifndef EBCACHE_LIB_FORMAT_LAYOUT_EXTENT_H_
#define EBCACHE_LIB_FORMAT_LAYOUT_EXTENT_H_

#include <array>
#include <tuple>

#include "ebcache/items_extent.h"
#include "lib/format/disk_type.h"
#include "lib/format/layout_block.h"

namespace ebcache::format {

template <>
struct Layout<ExtentHead> {
  static constexpr const char* kName = "extent item";
  static constexpr auto kFields = std::tuple{
      Field{0, &ExtentHead::references},
      Field{8, &ExtentHead::generation},
      Field{16, &ExtentHead::flags},
  };
};
static_assert(LeavesNothingOut<ExtentHead>() && HeadBytes<ExtentHead>() == ExtentHead::kBytes);

template <>
struct Layout<TreeBlockInfo> {
  static constexpr const char* kName = "tree block info";
  static constexpr auto kFields = std::tuple{
      Field{0, &TreeBlockInfo::first_key},
      Field{17, &TreeBlockInfo::level},
  };
};
static_assert(LeavesNothingOut<TreeBlockInfo>() &&
              HeadBytes<TreeBlockInfo>() == TreeBlockInfo::kBytes);

template <>
struct Layout<TreeBlockRef> {
  static constexpr const char* kName = "tree block reference";
  static constexpr auto kFields = std::tuple{
      Field{0, &TreeBlockRef::root},
  };
};
static_assert(LeavesNothingOut<TreeBlockRef>() &&
              HeadBytes<TreeBlockRef>() == TreeBlockRef::kBytes);

template <>
struct Layout<SharedBlockRef> {
  static constexpr const char* kName = "shared block reference";
  static constexpr auto kFields = std::tuple{
      Field{0, &SharedBlockRef::parent},
  };
};
static_assert(LeavesNothingOut<SharedBlockRef>() &&
              HeadBytes<SharedBlockRef>() == SharedBlockRef::kBytes);

template <>
struct Layout<ExtentDataRef> {
  static constexpr const char* kName = "data reference";
  static constexpr auto kFields = std::tuple{
      Field{0, &ExtentDataRef::root},
      Field{8, &ExtentDataRef::inode},
      Field{16, &ExtentDataRef::offset},
      Field{24, &ExtentDataRef::count},
  };
};
static_assert(LeavesNothingOut<ExtentDataRef>() &&
              HeadBytes<ExtentDataRef>() == ExtentDataRef::kBytes);

template <>
struct Layout<SharedDataRef> {
  static constexpr const char* kName = "shared data reference";
  static constexpr auto kFields = std::tuple{
      Field{0, &SharedDataRef::parent},
      Field{8, &SharedDataRef::count},
  };
};
static_assert(LeavesNothingOut<SharedDataRef>() &&
              HeadBytes<SharedDataRef>() == SharedDataRef::kBytes);

template <>
struct Layout<SharedDataCount> {
  static constexpr const char* kName = "shared data reference";
  static constexpr auto kFields = std::tuple{
      Field{0, &SharedDataCount::count},
  };
};
static_assert(LeavesNothingOut<SharedDataCount>() &&
              HeadBytes<SharedDataCount>() == SharedDataCount::kBytes);

template <>
struct Layout<ExtentOwnerRef> {
  static constexpr const char* kName = "owner reference";
  static constexpr auto kFields = std::tuple{
      Field{0, &ExtentOwnerRef::root},
  };
};
static_assert(LeavesNothingOut<ExtentOwnerRef>() &&
              HeadBytes<ExtentOwnerRef>() == ExtentOwnerRef::kBytes);

}  // namespace ebcache::format

#endif  // EBCACHE_LIB_FORMAT_LAYOUT_EXTENT_H_
