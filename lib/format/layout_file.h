// Where things are in items of files.

#ifndef EBCACHE_LIB_FORMAT_LAYOUT_FILE_H_
#define EBCACHE_LIB_FORMAT_LAYOUT_FILE_H_

#include <array>
#include <tuple>

#include "ebcache/item_codec.h"
#include "ebcache/items_file.h"
#include "lib/format/disk_type.h"
#include "lib/format/layout_block.h"

namespace ebcache::format {

template <>
struct Layout<EmptyItem> {
  static constexpr const char* kName = "item without data";
  static constexpr std::tuple<> kFields{};
};
static_assert(LeavesNothingOut<EmptyItem>() && HeadBytes<EmptyItem>() == EmptyItem::kBytes);

template <>
struct Layout<DiskTime> {
  static constexpr const char* kName = "time";
  static constexpr auto kFields = std::tuple{
      Field{0, &DiskTime::seconds},
      Field{8, &DiskTime::nanoseconds},
  };
};
static_assert(LeavesNothingOut<DiskTime>() && HeadBytes<DiskTime>() == DiskTime::kBytes);

template <>
struct Layout<InodeItem> {
  static constexpr const char* kName = "inode item";
  static constexpr auto kFields = std::tuple{
      Field{0, &InodeItem::generation},   Field{8, &InodeItem::transaction},
      Field{16, &InodeItem::size},        Field{24, &InodeItem::disk_bytes},
      Field{32, &InodeItem::block_group}, Field{40, &InodeItem::link_count},
      Field{44, &InodeItem::uid},         Field{48, &InodeItem::gid},
      Field{52, &InodeItem::mode},        Field{56, &InodeItem::rdev},
      Field{64, &InodeItem::flags},       Field{72, &InodeItem::sequence},
      Field{80, &InodeItem::reserved},    Field{112, &InodeItem::atime},
      Field{124, &InodeItem::ctime},      Field{136, &InodeItem::mtime},
      Field{148, &InodeItem::otime},
  };
};
static_assert(LeavesNothingOut<InodeItem>() && HeadBytes<InodeItem>() == InodeItem::kBytes);

template <>
struct Layout<InodeRef> {
  static constexpr const char* kName = "inode reference";
  static constexpr auto kFields = std::tuple{
      Field{0, &InodeRef::index},
  };
  static constexpr auto kStrings = std::array{
      StringField<InodeRef>{8, &InodeRef::name},
  };
};
static_assert(LeavesNothingOut<InodeRef>() && HeadBytes<InodeRef>() == InodeRef::kHeadBytes);

template <>
struct Layout<InodeExtref> {
  static constexpr const char* kName = "extended inode reference";
  static constexpr auto kFields = std::tuple{
      Field{0, &InodeExtref::directory},
      Field{8, &InodeExtref::index},
  };
  static constexpr auto kStrings = std::array{
      StringField<InodeExtref>{16, &InodeExtref::name},
  };
};
static_assert(LeavesNothingOut<InodeExtref>() &&
              HeadBytes<InodeExtref>() == InodeExtref::kHeadBytes);

template <>
struct Layout<DirEntry> {
  static constexpr const char* kName = "directory entry";
  static constexpr auto kFields = std::tuple{
      Field{0, &DirEntry::location},
      Field{17, &DirEntry::transaction},
      Field{29, &DirEntry::type},
  };
  static constexpr auto kStrings = std::array{
      StringField<DirEntry>{27, &DirEntry::name},
      StringField<DirEntry>{25, &DirEntry::data},
  };
};
static_assert(LeavesNothingOut<DirEntry>() && HeadBytes<DirEntry>() == DirEntry::kHeadBytes);

// Inline data, or a FileExtentPlace, follows.
template <>
struct Layout<FileExtentItem> {
  static constexpr const char* kName = "file extent";
  static constexpr auto kFields = std::tuple{
      Field{0, &FileExtentItem::generation},      Field{8, &FileExtentItem::ram_bytes},
      Field{16, &FileExtentItem::compression},    Field{17, &FileExtentItem::encryption},
      Field{18, &FileExtentItem::other_encoding}, Field{20, &FileExtentItem::type},
  };
};
static_assert(LeavesNothingOut<FileExtentItem>() &&
              HeadBytes<FileExtentItem>() == FileExtentItem::kHeadBytes);

template <>
struct Layout<FileExtentPlace> {
  static constexpr const char* kName = "place of a file extent";
  static constexpr auto kFields = std::tuple{
      Field{0, &FileExtentPlace::disk_bytenr},
      Field{8, &FileExtentPlace::disk_bytes},
      Field{16, &FileExtentPlace::offset},
      Field{24, &FileExtentPlace::file_bytes},
  };
};
static_assert(LeavesNothingOut<FileExtentPlace>() &&
              HeadBytes<FileExtentPlace>() == FileExtentPlace::kBytes);

template <>
struct Layout<DirLogItem> {
  static constexpr const char* kName = "directory log item";
  static constexpr auto kFields = std::tuple{
      Field{0, &DirLogItem::end},
  };
};
static_assert(LeavesNothingOut<DirLogItem>() && HeadBytes<DirLogItem>() == DirLogItem::kBytes);

template <>
struct Layout<VerityDescriptorItem> {
  static constexpr const char* kName = "verity descriptor item";
  static constexpr auto kFields = std::tuple{
      Field{0, &VerityDescriptorItem::size},
      Field{8, &VerityDescriptorItem::reserved},
      Field{24, &VerityDescriptorItem::encryption},
  };
};
static_assert(LeavesNothingOut<VerityDescriptorItem>() &&
              HeadBytes<VerityDescriptorItem>() == VerityDescriptorItem::kBytes);

template <>
struct Layout<FreeSpaceCacheHeader> {
  static constexpr const char* kName = "space cache header";
  static constexpr auto kFields = std::tuple{
      Field{0, &FreeSpaceCacheHeader::location},
      Field{17, &FreeSpaceCacheHeader::generation},
      Field{25, &FreeSpaceCacheHeader::entry_count},
      Field{33, &FreeSpaceCacheHeader::bitmap_count},
  };
};
static_assert(LeavesNothingOut<FreeSpaceCacheHeader>() &&
              HeadBytes<FreeSpaceCacheHeader>() == FreeSpaceCacheHeader::kBytes);

}  // namespace ebcache::format

#endif  // EBCACHE_LIB_FORMAT_LAYOUT_FILE_H_
