// Where things are in items of chunks and devices.

#ifndef EBCACHE_LIB_FORMAT_LAYOUT_DEVICE_H_
#define EBCACHE_LIB_FORMAT_LAYOUT_DEVICE_H_

#include <array>
#include <tuple>

#include "ebcache/items_device.h"
#include "ebcache/on_disk.h"
#include "lib/format/disk_type.h"

namespace ebcache::format {

template <>
struct Layout<DeviceItem> {
  static constexpr const char* kName = "device item";
  static constexpr auto kFields = std::tuple{
      Field{0, &DeviceItem::id},
      Field{8, &DeviceItem::total_bytes},
      Field{16, &DeviceItem::bytes_used},
      Field{24, &DeviceItem::io_align},
      Field{28, &DeviceItem::io_width},
      Field{32, &DeviceItem::sector_bytes},
      Field{36, &DeviceItem::type},
      Field{44, &DeviceItem::generation},
      Field{52, &DeviceItem::start_offset},
      Field{60, &DeviceItem::group},
      Field{64, &DeviceItem::seek_speed},
      Field{65, &DeviceItem::bandwidth},
      Field{66, &DeviceItem::uuid},
      Field{82, &DeviceItem::fsid},
  };
};
static_assert(LeavesNothingOut<DeviceItem>() && HeadBytes<DeviceItem>() == DeviceItem::kBytes);

template <>
struct Layout<ChunkStripe> {
  static constexpr const char* kName = "chunk stripe";
  static constexpr auto kFields = std::tuple{
      Field{0, &ChunkStripe::device_id},
      Field{8, &ChunkStripe::physical},
      Field{16, &ChunkStripe::device_uuid},
  };
};
static_assert(LeavesNothingOut<ChunkStripe>() &&
              HeadBytes<ChunkStripe>() == ChunkItem::kStripeBytes);

// The number of stripes, and behind all the stripes themselves.
inline constexpr size_t kChunkStripeCountOffset = 44;
// Between the fields is the number of stripes, which the code for stripes writes.
template <>
struct Layout<ChunkItem> {
  static constexpr const char* kName = "chunk item";
  static constexpr auto kFields = std::tuple{
      Field{0, &ChunkItem::length},        Field{8, &ChunkItem::owner},
      Field{16, &ChunkItem::stripe_bytes}, Field{24, &ChunkItem::type},
      Field{32, &ChunkItem::io_align},     Field{36, &ChunkItem::io_width},
      Field{40, &ChunkItem::sector_bytes}, Field{46, &ChunkItem::sub_stripes},
  };
};
static_assert(LeavesNothingOut<ChunkItem>(sizeof(uint16_t)) &&
              HeadBytes<ChunkItem>() == ChunkItem::kHeadBytes);

template <>
struct Layout<DeviceExtent> {
  static constexpr const char* kName = "device extent";
  static constexpr auto kFields = std::tuple{
      Field{0, &DeviceExtent::chunk_tree},       Field{8, &DeviceExtent::chunk_objectid},
      Field{16, &DeviceExtent::chunk_offset},    Field{24, &DeviceExtent::length},
      Field{32, &DeviceExtent::chunk_tree_uuid},
  };
};
static_assert(LeavesNothingOut<DeviceExtent>() &&
              HeadBytes<DeviceExtent>() == DeviceExtent::kBytes);

template <>
struct Layout<DeviceStats> {
  static constexpr const char* kName = "device statistics";
  static constexpr auto kFields = std::tuple{
      Field{0, &DeviceStats::write_errors},       Field{8, &DeviceStats::read_errors},
      Field{16, &DeviceStats::flush_errors},      Field{24, &DeviceStats::corruption_errors},
      Field{32, &DeviceStats::generation_errors},
  };
};
static_assert(LeavesNothingOut<DeviceStats>() && HeadBytes<DeviceStats>() == DeviceStats::kBytes);

template <>
struct Layout<DeviceReplaceItem> {
  static constexpr const char* kName = "device replace item";
  static constexpr auto kFields = std::tuple{
      Field{0, &DeviceReplaceItem::source_device_id},
      Field{8, &DeviceReplaceItem::cursor_left},
      Field{16, &DeviceReplaceItem::cursor_right},
      Field{24, &DeviceReplaceItem::reading_mode},
      Field{32, &DeviceReplaceItem::state},
      Field{40, &DeviceReplaceItem::time_started},
      Field{48, &DeviceReplaceItem::time_stopped},
      Field{56, &DeviceReplaceItem::write_errors},
      Field{64, &DeviceReplaceItem::uncorrectable_read_errors},
  };
};
static_assert(LeavesNothingOut<DeviceReplaceItem>() &&
              HeadBytes<DeviceReplaceItem>() == DeviceReplaceItem::kBytes);

template <>
struct Layout<BalanceArguments> {
  static constexpr const char* kName = "balance arguments";
  static constexpr auto kFields = std::tuple{
      Field{0, &BalanceArguments::profiles},      Field{8, &BalanceArguments::usage},
      Field{16, &BalanceArguments::device_id},    Field{24, &BalanceArguments::physical_start},
      Field{32, &BalanceArguments::physical_end}, Field{40, &BalanceArguments::logical_start},
      Field{48, &BalanceArguments::logical_end},  Field{56, &BalanceArguments::target},
      Field{64, &BalanceArguments::flags},        Field{72, &BalanceArguments::limit},
      Field{80, &BalanceArguments::stripes_min},  Field{84, &BalanceArguments::stripes_max},
      Field{88, &BalanceArguments::unused},
  };
};
static_assert(LeavesNothingOut<BalanceArguments>() &&
              HeadBytes<BalanceArguments>() == BalanceArguments::kBytes);

template <>
struct Layout<BalanceItem> {
  static constexpr const char* kName = "balance item";
  static constexpr auto kFields = std::tuple{
      Field{0, &BalanceItem::flags},      Field{8, &BalanceItem::data},
      Field{144, &BalanceItem::metadata}, Field{280, &BalanceItem::system},
      Field{416, &BalanceItem::unused},
  };
};
static_assert(LeavesNothingOut<BalanceItem>() && HeadBytes<BalanceItem>() == BalanceItem::kBytes);

}  // namespace ebcache::format

#endif  // EBCACHE_LIB_FORMAT_LAYOUT_DEVICE_H_
