// Where things are in superblocks.

#ifndef EBCACHE_LIB_FORMAT_LAYOUT_SUPERBLOCK_H_
#define EBCACHE_LIB_FORMAT_LAYOUT_SUPERBLOCK_H_

#include <array>
#include <string_view>
#include <tuple>

#include "ebcache/on_disk.h"
#include "lib/format/disk_type.h"
#include "lib/format/layout_device.h"

namespace ebcache::format {

template <>
struct Layout<BackupRoot> {
  static constexpr const char* kName = "backup root";
  static constexpr auto kFields = std::tuple{
      Field{0, &BackupRoot::root},
      Field{8, &BackupRoot::root_generation},
      Field{16, &BackupRoot::chunk_root},
      Field{24, &BackupRoot::chunk_root_generation},
      Field{32, &BackupRoot::extent_root},
      Field{40, &BackupRoot::extent_root_generation},
      Field{48, &BackupRoot::fs_root},
      Field{56, &BackupRoot::fs_root_generation},
      Field{64, &BackupRoot::dev_root},
      Field{72, &BackupRoot::dev_root_generation},
      Field{80, &BackupRoot::csum_root},
      Field{88, &BackupRoot::csum_root_generation},
      Field{96, &BackupRoot::total_bytes},
      Field{104, &BackupRoot::bytes_used},
      Field{112, &BackupRoot::num_devices},
      Field{120, &BackupRoot::unused},
      Field{152, &BackupRoot::root_level},
      Field{153, &BackupRoot::chunk_root_level},
      Field{154, &BackupRoot::extent_root_level},
      Field{155, &BackupRoot::fs_root_level},
      Field{156, &BackupRoot::dev_root_level},
      Field{157, &BackupRoot::csum_root_level},
      Field{158, &BackupRoot::unused_bytes},
  };
};
static_assert(LeavesNothingOut<BackupRoot>() && HeadBytes<BackupRoot>() == BackupRoot::kBytes);

template <>
struct Layout<Superblock> {
  static constexpr const char* kName = "superblock";
  static constexpr auto kFields = std::tuple{
      Field{0, &Superblock::checksum},
      Field{32, &Superblock::fsid},
      Field{48, &Superblock::bytenr},
      Field{56, &Superblock::flags},
      Field{64, &Superblock::magic},
      Field{72, &Superblock::generation},
      Field{80, &Superblock::root},
      Field{88, &Superblock::chunk_root},
      Field{96, &Superblock::log_root},
      Field{104, &Superblock::log_root_transaction},
      Field{112, &Superblock::total_bytes},
      Field{120, &Superblock::bytes_used},
      Field{128, &Superblock::root_directory},
      Field{136, &Superblock::num_devices},
      Field{144, &Superblock::sector_bytes},
      Field{148, &Superblock::node_bytes},
      Field{152, &Superblock::leaf_bytes},
      Field{156, &Superblock::stripe_bytes},
      Field{164, &Superblock::chunk_root_generation},
      Field{172, &Superblock::compat_flags},
      Field{180, &Superblock::compat_ro_flags},
      Field{188, &Superblock::incompat_flags},
      Field{196, &Superblock::checksum_type},
      Field{198, &Superblock::root_level},
      Field{199, &Superblock::chunk_root_level},
      Field{200, &Superblock::log_root_level},
      Field{201, &Superblock::device},
      Field{555, &Superblock::cache_generation},
      Field{563, &Superblock::uuid_tree_generation},
      Field{571, &Superblock::metadata_uuid},
      Field{587, &Superblock::global_roots},
      Field{595, &Superblock::remap_root},
      Field{603, &Superblock::remap_root_generation},
      Field{611, &Superblock::remap_root_level},
      Field{612, &Superblock::reserved},
      Field{2859, &Superblock::backup_roots},
      Field{3531, &Superblock::padding},
  };
};
// The fields of which the length of one is the value of another.
inline constexpr size_t kSystemChunkArrayBytesOffset = 160;
inline constexpr size_t kLabelOffset = 299;
inline constexpr size_t kSystemChunkArrayOffset = 811;
static_assert(HeadBytes<Superblock>() == kSuperblockBytes);
static_assert(LeavesNothingOut<Superblock>(sizeof(uint32_t) + kLabelBytes +
                                           kSystemChunkArrayBytes));

}  // namespace ebcache::format

#endif  // EBCACHE_LIB_FORMAT_LAYOUT_SUPERBLOCK_H_
