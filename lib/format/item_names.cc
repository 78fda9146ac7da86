#include "ebcache/item_names.h"

#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include "ebcache/items.h"

namespace ebcache {
namespace {

struct FlagName {
  uint64_t flag;
  const char* name;
};

// `empty` is what no flag at all is called.
std::string Joined(uint64_t flags, absl::Span<const FlagName> names, const char* empty) {
  std::string joined;
  const char* separator = "";
  for (const FlagName& of : names) {
    if ((flags & of.flag) == 0) continue;
    absl::StrAppend(&joined, separator, of.name);
    separator = "|";
    flags &= ~of.flag;
  }
  if (flags != 0) absl::StrAppend(&joined, separator, "0x", absl::Hex(flags));
  return joined.empty() ? empty : joined;
}

constexpr FlagName kHeaderFlags[] = {{kHeaderWritten, "WRITTEN"}, {kHeaderReloc, "RELOC"}};

constexpr FlagName kInodeFlags[] = {
    {kInodeNoDataSum, "NODATASUM"},
    {kInodeNoDataCow, "NODATACOW"},
    {kInodeReadOnly, "READONLY"},
    {kInodeNoCompress, "NOCOMPRESS"},
    {kInodePrealloc, "PREALLOC"},
    {kInodeSync, "SYNC"},
    {kInodeImmutable, "IMMUTABLE"},
    {kInodeAppend, "APPEND"},
    {kInodeNoDump, "NODUMP"},
    {kInodeNoAtime, "NOATIME"},
    {kInodeDirSync, "DIRSYNC"},
    {kInodeCompress, "COMPRESS"},
    {kInodeRootItemInit, "ROOT_ITEM_INIT"},
    {kInodeVerity, "VERITY"},
};

constexpr FlagName kRootFlags[] = {{1 << 0, "RDONLY"}, {uint64_t{1} << 48, "DEAD"}};

constexpr FlagName kExtentFlags[] = {
    {kExtentData, "DATA"}, {kExtentTreeBlock, "TREE_BLOCK"}, {kExtentFullBackref, "FULL_BACKREF"}};

constexpr FlagName kBlockGroupFlags[] = {{kBlockGroupData, "DATA"},
                                         {kBlockGroupSystem, "SYSTEM"},
                                         {kBlockGroupMetadata, "METADATA"},
                                         {1 << 3, "RAID0"},
                                         {1 << 4, "RAID1"},
                                         {1 << 5, "DUP"},
                                         {1 << 6, "RAID10"},
                                         {1 << 7, "RAID5"},
                                         {1 << 8, "RAID6"},
                                         {1 << 9, "RAID1C3"},
                                         {1 << 10, "RAID1C4"},
                                         {1 << 11, "REMAPPED"},
                                         {1 << 12, "METADATA_REMAP"}};
constexpr uint64_t kProfileFlags = 0x7f8;

constexpr FlagName kQgroupStatusFlags[] = {{kQgroupStatusOn, "ON"},
                                           {kQgroupStatusRescan, "SCANNING"},
                                           {kQgroupStatusInconsistent, "INCONSISTENT"},
                                           {kQgroupStatusSimple, "SIMPLE_MODE"}};

constexpr std::string_view kDirEntryTypes[] = {"UNKNOWN", "FILE", "DIR",     "CHRDEV", "BLKDEV",
                                               "FIFO",    "SOCK", "SYMLINK", "XATTR"};
constexpr std::string_view kFileExtentTypes[] = {"inline", "regular", "prealloc"};
constexpr std::string_view kCompressions[] = {"none", "zlib", "lzo", "zstd"};

std::string_view NameIn(absl::Span<const std::string_view> names, uint8_t number) {
  return number < names.size() ? names[number] : std::string_view();
}

}  // namespace

std::string HeaderFlagNames(uint64_t flags) {
  constexpr uint64_t kFlags = (uint64_t{1} << kBackrefRevisionShift) - 1;
  return Joined(flags & kFlags, kHeaderFlags, "none");
}

std::string InodeFlagNames(uint64_t flags) { return Joined(flags, kInodeFlags, "none"); }

std::string RootFlagNames(uint64_t flags) { return Joined(flags, kRootFlags, "none"); }

std::string ExtentFlagNames(uint64_t flags) { return Joined(flags, kExtentFlags, "none"); }

std::string BlockGroupFlagNames(uint64_t flags) {
  std::string names = Joined(flags, kBlockGroupFlags, "");
  // Only of a group without a profile is the profile said in words.
  if ((flags & kProfileFlags) == 0) absl::StrAppend(&names, names.empty() ? "" : "|", "single");
  return names;
}

std::string QgroupStatusFlagNames(uint64_t flags) {
  return Joined(flags, kQgroupStatusFlags, "OFF");
}

std::string_view DirEntryTypeName(uint8_t type) { return NameIn(kDirEntryTypes, type); }
std::string_view FileExtentTypeName(uint8_t type) { return NameIn(kFileExtentTypes, type); }
std::string_view CompressionName(uint8_t type) { return NameIn(kCompressions, type); }

}  // namespace ebcache
