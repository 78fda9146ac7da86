// Items of files: inodes, their names, directory entries, attributes, where their bytes are, and
// the checksums of those. The format is that of kernels since 2009; items.h has the table of types.

#ifndef EBCACHE_ITEMS_FILE_H_
#define EBCACHE_ITEMS_FILE_H_

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "ebcache/key.h"

namespace ebcache {

// A moment.
struct DiskTime {
  static constexpr size_t kBytes = 12;

  uint64_t seconds = 0;  // since 1970 UTC; two's complement before that
  uint32_t nanoseconds = 0;

  friend constexpr bool operator==(const DiskTime&, const DiskTime&) = default;
};

// InodeItem::flags.
inline constexpr uint64_t kInodeNoDataSum = 1 << 0;
inline constexpr uint64_t kInodeNoDataCow = 1 << 1;
inline constexpr uint64_t kInodeReadOnly = 1 << 2;
inline constexpr uint64_t kInodeNoCompress = 1 << 3;
inline constexpr uint64_t kInodePrealloc = 1 << 4;
inline constexpr uint64_t kInodeSync = 1 << 5;
inline constexpr uint64_t kInodeImmutable = 1 << 6;
inline constexpr uint64_t kInodeAppend = 1 << 7;
inline constexpr uint64_t kInodeNoDump = 1 << 8;
inline constexpr uint64_t kInodeNoAtime = 1 << 9;
inline constexpr uint64_t kInodeDirSync = 1 << 10;
inline constexpr uint64_t kInodeCompress = 1 << 11;
inline constexpr uint64_t kInodeRootItemInit = uint64_t{1} << 31;
inline constexpr uint64_t kInodeVerity = uint64_t{1} << 32;  // what only a writer has to know

// (inode, INODE_ITEM, 0).
struct InodeItem {
  static constexpr size_t kBytes = 160;

  uint64_t generation = 0;   // that made the inode
  uint64_t transaction = 0;  // that changed it last
  uint64_t size = 0;         // of a directory: twice the lengths of its entries' names
  uint64_t disk_bytes = 0;   // what the file takes, before compression and copies
  uint64_t block_group = 0;  // a hint; the inode's space cache uses it
  uint32_t link_count = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t mode = 0;  // kind and permissions, as stat(2) has them
  uint64_t rdev = 0;
  uint64_t flags = 0;
  uint64_t sequence = 0;  // of changes, for NFS
  std::array<uint64_t, 4> reserved{};
  DiskTime atime;
  DiskTime ctime;
  DiskTime mtime;
  DiskTime otime;  // when it was made

  friend constexpr bool operator==(const InodeItem&, const InodeItem&) = default;
};

// Longest name that the kernel takes, of a file, a subvolume or an attribute. The format has room
// for 65535.
inline constexpr size_t kMaxNameBytes = 255;

// An entry of (inode, INODE_REF, directory).
struct InodeRef {
  static constexpr size_t kHeadBytes = 10;  // in front of the name

  uint64_t index = 0;  // the offset of the name's DIR_INDEX
  std::string_view name;

  friend constexpr bool operator==(const InodeRef&, const InodeRef&) = default;
};

// An entry of (inode, INODE_EXTREF, hash of directory and name).
struct InodeExtref {
  static constexpr size_t kHeadBytes = 18;

  uint64_t directory = 0;
  uint64_t index = 0;
  std::string_view name;

  friend constexpr bool operator==(const InodeExtref&, const InodeExtref&) = default;
};

// DirEntry::type.
enum class DirEntryType : uint8_t {
  kUnknown = 0,
  kFile = 1,
  kDirectory = 2,
  kCharacterDevice = 3,
  kBlockDevice = 4,
  kFifo = 5,
  kSocket = 6,
  kSymlink = 7,
  kXattr = 8,
};
// Of the same byte: the name is encrypted.
inline constexpr uint8_t kDirEntryEncrypted = 0x80;

// An entry of (directory, DIR_ITEM, hash of the name), of (directory, DIR_INDEX, index), of which
// there is one to an item, or of (inode, XATTR_ITEM, hash of the name).
struct DirEntry {
  static constexpr size_t kHeadBytes = 30;

  Key location;  // of an inode's item or a subvolume's root; all zero in attributes
  uint64_t transaction = 0;
  uint8_t type = 0;  // DirEntryType and kDirEntryEncrypted
  std::string_view name;
  std::string_view data;  // the value of an attribute

  friend constexpr bool operator==(const DirEntry&, const DirEntry&) = default;
};

// What an extent of a file is: FileExtentItem::type.
enum class FileExtentType : uint8_t { kInline = 0, kRegular = 1, kPreallocated = 2 };
// How an extent's bytes are compressed, as they lie on disk.
enum class Compression : uint8_t { kNone = 0, kZlib = 1, kLzo = 2, kZstd = 3 };

// Where a file's bytes are that are not in the item.
struct FileExtentPlace {
  static constexpr size_t kBytes = 32;

  uint64_t disk_bytenr = 0;  // logical; 0: a hole
  uint64_t disk_bytes = 0;   // of the whole extent
  uint64_t offset = 0;       // where in the extent, uncompressed, this part of the file begins
  uint64_t file_bytes = 0;   // how much of the file is in it

  friend constexpr bool operator==(const FileExtentPlace&, const FileExtentPlace&) = default;
};

// (inode, EXTENT_DATA, offset in the file).
struct FileExtentItem {
  static constexpr size_t kHeadBytes = 21;

  uint64_t generation = 0;
  uint64_t ram_bytes = 0;  // of the extent when uncompressed
  uint8_t compression = 0;
  uint8_t encryption = 0;       // never in use
  uint16_t other_encoding = 0;  // never in use
  uint8_t type = 0;
  std::optional<FileExtentPlace> place;  // of all types but kInline
  std::string_view inline_data;          // of kInline, as it is stored

  constexpr bool is_inline() const { return type == static_cast<uint8_t>(FileExtentType::kInline); }
  friend constexpr bool operator==(const FileExtentItem&, const FileExtentItem&) = default;
};

// Objectid of EXTENT_CSUM items, and of those of a new type while the type is being changed.
inline constexpr uint64_t kDataChecksumsObjectId = static_cast<uint64_t>(-10);
inline constexpr uint64_t kNewDataChecksumsObjectId = static_cast<uint64_t>(-13);

// (-10, EXTENT_CSUM, logical): a checksum for each sector from there on. A view of the item's
// bytes.
class DataChecksums {
 public:
  size_t size() const { return bytes_.size() / checksum_bytes_; }
  // REQUIRES: index < size().
  absl::Span<const std::byte> operator[](size_t index) const {
    return bytes_.subspan(index * checksum_bytes_, checksum_bytes_);
  }

 private:
  friend absl::StatusOr<DataChecksums> ParseDataChecksums(absl::Span<const std::byte> item,
                                                          size_t checksum_bytes);
  DataChecksums(absl::Span<const std::byte> bytes, size_t checksum_bytes)
      : bytes_(bytes), checksum_bytes_(checksum_bytes) {}

  absl::Span<const std::byte> bytes_;
  size_t checksum_bytes_;
};
// `checksum_bytes` is 4, 8 or 32, by the superblock's checksum type. Errors: DataLoss (not a
// multiple of it), InvalidArgument (checksum_bytes is 0).
absl::StatusOr<DataChecksums> ParseDataChecksums(absl::Span<const std::byte> item,
                                                 size_t checksum_bytes);

// (directory, DIR_LOG_ITEM or DIR_LOG_INDEX, first key offset) in a log tree: from there to `end`
// the log has all entries of the directory.
struct DirLogItem {
  static constexpr size_t kBytes = 8;

  uint64_t end = 0;  // the last key offset

  friend constexpr bool operator==(const DirLogItem&, const DirLogItem&) = default;
};

// (inode, VERITY_DESC_ITEM, 0). Its descriptor lies in the items with offsets from 1.
struct VerityDescriptorItem {
  static constexpr size_t kBytes = 25;

  uint64_t size = 0;  // of the descriptor
  std::array<uint64_t, 2> reserved{};
  uint8_t encryption = 0;

  friend constexpr bool operator==(const VerityDescriptorItem&,
                                   const VerityDescriptorItem&) = default;
};

// Objectid of the headers of space caches, of version 1.
inline constexpr uint64_t kFreeSpaceCacheObjectId = static_cast<uint64_t>(-11);

// (-11, untyped, start of a block group) in the root tree: which file has the free space of it.
struct FreeSpaceCacheHeader {
  static constexpr size_t kBytes = 41;

  Key location;  // of the file's inode
  uint64_t generation = 0;
  uint64_t entry_count = 0;
  uint64_t bitmap_count = 0;

  friend constexpr bool operator==(const FreeSpaceCacheHeader&,
                                   const FreeSpaceCacheHeader&) = default;
};

}  // namespace ebcache

#endif  // EBCACHE_ITEMS_FILE_H_
