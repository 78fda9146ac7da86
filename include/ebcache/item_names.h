// What the numbers in items are called, in the words of `btrfs inspect-internal dump-tree`.
//
// Names of flags are joined by "|". Bits that have no name follow as one hexadecimal number:
// "NODATASUM|0x8000"; so no two values look the same.

#ifndef EBCACHE_ITEM_NAMES_H_
#define EBCACHE_ITEM_NAMES_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace ebcache {

// "WRITTEN|RELOC"; "none". The revision of back references is no flag, and not among them.
std::string HeaderFlagNames(uint64_t flags);
// "NODATASUM|NODATACOW"; "none".
std::string InodeFlagNames(uint64_t flags);
// "RDONLY", "DEAD"; "none".
std::string RootFlagNames(uint64_t flags);
// "DATA", "TREE_BLOCK|FULL_BACKREF"; "none".
std::string ExtentFlagNames(uint64_t flags);
// Of chunks and block groups: "DATA|single", "METADATA|RAID1".
std::string BlockGroupFlagNames(uint64_t flags);
// "ON|SCANNING|INCONSISTENT"; "OFF".
std::string QgroupStatusFlagNames(uint64_t flags);

// Empty for numbers without a name.
std::string_view DirEntryTypeName(uint8_t type);    // "FILE", "DIR", "XATTR"
std::string_view FileExtentTypeName(uint8_t type);  // "inline", "regular", "prealloc"
std::string_view CompressionName(uint8_t type);     // "none", "zlib", "lzo", "zstd"

}  // namespace ebcache

#endif  // EBCACHE_ITEM_NAMES_H_
