#include "tests/format/item_words.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <optional>
#include <string_view>
#include <variant>

#include "ebcache/item_names.h"

namespace ebcache::testing {
namespace {

using Item = absl::Span<const std::byte>;

absl::string_view Abs(std::string_view text) { return {text.data(), text.size()}; }

std::string Time(const char* name, const DiskTime& time) {
  return absl::StrCat(name, " ", time.seconds, ".", time.nanoseconds);
}

std::string Hex(uint64_t flags) { return absl::StrCat("0x", absl::Hex(flags)); }

// ---- Files --------------------------------------------------------------------------------------

std::string Words(const InodeItem& of) {
  return absl::StrCat(
      absl::StrCat("generation ", of.generation, " transid ", of.transaction, " size ", of.size,
                   " nbytes ", of.disk_bytes),
      absl::StrCat(" block group ", of.block_group, " mode ", absl::StrFormat("%o", of.mode),
                   " links ", of.link_count, " uid ", of.uid, " gid ", of.gid, " rdev ", of.rdev),
      absl::StrCat(" sequence ", of.sequence, " flags ", Hex(of.flags), "(",
                   InodeFlagNames(of.flags), ")"),
      absl::StrCat(" ", Time("atime", of.atime), " ", Time("ctime", of.ctime), " ",
                   Time("mtime", of.mtime), " ", Time("otime", of.otime)));
}

std::string Words(const InodeRef& of) {
  return absl::StrCat("index ", of.index, " namelen ", of.name.size(), " name: ", Abs(of.name));
}

std::string Words(const InodeExtref& of) {
  return absl::StrCat("index ", of.index, " parent ", of.directory, " namelen ", of.name.size(),
                      " name: ", Abs(of.name));
}

std::string Words(const DirEntry& of) {
  const std::string value = of.type == static_cast<uint8_t>(DirEntryType::kXattr)
                                ? absl::StrCat(" data ", Abs(of.data))
                                : std::string();
  return absl::StrCat("location key ", of.location.ToString(), " type ",
                      Abs(DirEntryTypeName(of.type)), " transid ", of.transaction, " data_len ",
                      of.data.size(), " name_len ", of.name.size(), " name: ", Abs(of.name), value);
}

std::string Words(const FileExtentItem& of) {
  const std::string front = absl::StrCat("generation ", of.generation, " type ", of.type, " (",
                                         Abs(FileExtentTypeName(of.type)), ")");
  const std::string how =
      absl::StrCat("compression ", of.compression, " (", Abs(CompressionName(of.compression)), ")");
  if (of.is_inline()) {
    return absl::StrCat(front, " inline extent data size ", of.inline_data.size(), " ram_bytes ",
                        of.ram_bytes, " ", how);
  }
  const bool prealloc = of.type == static_cast<uint8_t>(FileExtentType::kPreallocated);
  const char* const what = prealloc ? " prealloc data" : " extent data";
  const std::string rest =
      prealloc ? std::string() : absl::StrCat(" ram ", of.ram_bytes, " extent ", how);
  return absl::StrCat(front, what, " disk byte ", of.place->disk_bytenr, " nr ",
                      of.place->disk_bytes, what, " offset ", of.place->offset, " nr ",
                      of.place->file_bytes, rest);
}

// ---- Roots and quotas ---------------------------------------------------------------------------

// Items of the old size say less.
std::string ExtensionWords(const RootItemExtension& of) {
  return absl::StrCat(
      absl::StrCat(" generation_v2 ", of.generation_v2, " uuid ", UuidString(of.uuid),
                   " parent_uuid ", UuidString(of.parent_uuid), " received_uuid ",
                   UuidString(of.received_uuid)),
      absl::StrCat(" ctransid ", of.change_transaction, " otransid ", of.origin_transaction,
                   " stransid ", of.send_transaction, " rtransid ", of.receive_transaction),
      absl::StrCat(" ", Time("ctime", of.change_time), " ", Time("otime", of.origin_time), " ",
                   Time("stime", of.send_time), " ", Time("rtime", of.receive_time)));
}

std::string Words(const RootItem& of) {
  return absl::StrCat(
      absl::StrCat("generation ", of.generation, " root_dirid ", of.root_directory, " bytenr ",
                   of.bytenr, " byte_limit ", of.byte_limit, " bytes_used ", of.bytes_used),
      absl::StrCat(" last_snapshot ", of.last_snapshot, " flags ", Hex(of.flags), "(",
                   RootFlagNames(of.flags), ") refs ", of.refs),
      absl::StrCat(" drop_progress key ", of.drop_progress.ToString(), " drop_level ",
                   of.drop_level, " level ", of.level),
      of.extension ? ExtensionWords(*of.extension) : std::string());
}

std::string RootRefWords(uint8_t type, const RootRef& of) {
  return absl::StrCat(type == kRootRefType ? "root ref" : "root backref", " key dirid ",
                      of.directory, " sequence ", of.sequence, " name ", Abs(of.name));
}

std::string Words(const UuidSubvolume& of) { return absl::StrCat("subvol_id ", of.id); }

std::string Words(const QgroupStatus& of) {
  return absl::StrCat("version ", of.version, " generation ", of.generation, " flags ",
                      QgroupStatusFlagNames(of.flags), " scan ", of.rescan);
}

std::string Words(const QgroupInfo& of) {
  return absl::StrCat("generation ", of.generation, " referenced ", of.referenced,
                      " referenced_compressed ", of.referenced_compressed, " exclusive ",
                      of.exclusive, " exclusive_compressed ", of.exclusive_compressed);
}

std::string Words(const QgroupLimit& of) {
  return absl::StrCat("flags ", absl::Hex(of.flags), " max_referenced ", of.max_referenced,
                      " max_exclusive ", of.max_exclusive, " rsv_referenced ",
                      of.reserved_referenced, " rsv_exclusive ", of.reserved_exclusive);
}

// ---- Extents ------------------------------------------------------------------------------------

std::string Words(const ExtentDataRef& of) {
  return absl::StrCat("extent data backref root ", of.root, " objectid ", of.inode, " offset ",
                      of.offset, " count ", of.count);
}
std::string Words(const TreeBlockRef& of) {
  return absl::StrCat("tree block backref root ", of.root);
}
std::string Words(const SharedBlockRef& of) {
  return absl::StrCat("shared block backref parent ", of.parent);
}
std::string Words(const SharedDataRef& of) {
  return absl::StrCat("shared data backref parent ", of.parent, " count ", of.count);
}
std::string Words(const ExtentOwnerRef& of) { return absl::StrCat("extent owner root ", of.root); }
std::string Words(const InlineRef& of) {
  return std::visit([](const auto& ref) { return Words(ref); }, of);
}

// All records of an item, with a space between them.
template <typename T>
std::string AllWords(Item item) {
  std::string words;
  ItemRecords<T> records(item);
  while (const std::optional<T> record = records.Next()) {
    absl::StrAppend(&words, words.empty() ? "" : " ", Words(*record));
  }
  return words;
}

std::string ExtentWords(const Key& key, Item item) {
  const ExtentItem of = *ParseExtentItem(key.type, item);
  std::string words = absl::StrCat("refs ", of.head.references, " gen ", of.head.generation,
                                   " flags ", ExtentFlagNames(of.head.flags));
  if (key.type == kMetadataItemType) {
    absl::StrAppend(&words, " tree block skinny level ", key.offset);
  } else if (of.block) {
    absl::StrAppend(&words, " tree block key ", of.block->first_key.ToString(), " level ",
                    of.block->level);
  }
  return absl::StrCat(words, of.inline_refs.empty() ? "" : " ",
                      AllWords<InlineRef>(of.inline_refs));
}

// ---- Space and devices --------------------------------------------------------------------------

std::string Words(const BlockGroupItem& of) {
  return absl::StrCat("block group used ", of.used, " chunk_objectid ", of.chunk_objectid,
                      " flags ", BlockGroupFlagNames(of.flags));
}

std::string Words(const FreeSpaceInfo& of) {
  return absl::StrCat("free space info extent count ", of.extent_count, " flags ", of.flags);
}

std::string Words(const DeviceExtent& of) {
  return absl::StrCat("dev extent chunk_tree ", of.chunk_tree, " chunk_objectid ",
                      of.chunk_objectid, " chunk_offset ", of.chunk_offset, " length ", of.length,
                      " chunk_tree_uuid ", UuidString(of.chunk_tree_uuid));
}

std::string Words(const ChunkItem& of) {
  std::string words =
      absl::StrCat(absl::StrCat("length ", of.length, " owner ", of.owner, " stripe_len ",
                                of.stripe_bytes, " type ", BlockGroupFlagNames(of.type),
                                " io_align ", of.io_align, " io_width ", of.io_width),
                   " sector_size ", of.sector_bytes, " num_stripes ", of.stripes.size(),
                   " sub_stripes ", of.sub_stripes);
  for (size_t i = 0; i < of.stripes.size(); ++i) {
    absl::StrAppend(&words, " stripe ", i, " devid ", of.stripes[i].device_id, " offset ",
                    of.stripes[i].physical, " dev_uuid ", UuidString(of.stripes[i].device_uuid));
  }
  return words;
}

std::string Words(const DeviceItem& of) {
  return absl::StrCat(
      absl::StrCat("devid ", of.id, " total_bytes ", of.total_bytes, " bytes_used ", of.bytes_used,
                   " io_align ", of.io_align, " io_width ", of.io_width, " sector_size ",
                   of.sector_bytes, " type ", of.type),
      absl::StrCat(" generation ", of.generation, " start_offset ", of.start_offset, " dev_group ",
                   of.group, " seek_speed ", of.seek_speed, " bandwidth ", of.bandwidth, " uuid ",
                   UuidString(of.uuid), " fsid ", UuidString(of.fsid)));
}

std::string StatsWords(const Key& key, const DeviceStats& of) {
  return absl::StrCat("persistent item objectid DEV_STATS offset ", key.offset,
                      " device stats write_errs ", of.write_errors, " read_errs ", of.read_errors,
                      " flush_errs ", of.flush_errors, " corruption_errs ", of.corruption_errors,
                      " generation ", of.generation_errors);
}

std::string SpaceWords(const Key& key, Item item) {
  switch (key.type) {
    case kExtentItemType:
    case kMetadataItemType:
      return ExtentWords(key, item);
    case kExtentDataRefType:
      return AllWords<ExtentDataRef>(item);
    case kBlockGroupItemType:
      return Words(*ParseItem<BlockGroupItem>(item));
    case kFreeSpaceInfoType:
      return Words(*ParseItem<FreeSpaceInfo>(item));
    case kDevExtentType:
      return Words(*ParseItem<DeviceExtent>(item));
    case kChunkItemType:
      return Words(*ParseItem<ChunkItem>(item));
    case kDevItemType:
      return Words(*ParseItem<DeviceItem>(item));
    case kPersistentItemType:
      return StatsWords(key, *ParseItem<DeviceStats>(item));
    default:
      return {};
  }
}

}  // namespace

std::string ItemWords(const Key& key, Item item) {
  switch (key.type) {
    case kInodeItemType:
      return Words(*ParseItem<InodeItem>(item));
    case kInodeRefType:
      return AllWords<InodeRef>(item);
    case kInodeExtrefType:
      return AllWords<InodeExtref>(item);
    case kDirItemType:
    case kDirIndexType:
    case kXattrItemType:
      return AllWords<DirEntry>(item);
    case kExtentDataType:
      return Words(*ParseItem<FileExtentItem>(item));
    case kRootItemType:
      return Words(*ParseItem<RootItem>(item));
    case kRootRefType:
    case kRootBackrefType:
      return RootRefWords(key.type, *ParseItem<RootRef>(item));
    case kUuidSubvolType:
    case kUuidReceivedSubvolType:
      return AllWords<UuidSubvolume>(item);
    case kQgroupStatusType:
      return Words(*ParseItem<QgroupStatus>(item));
    case kQgroupInfoType:
      return Words(*ParseItem<QgroupInfo>(item));
    case kQgroupLimitType:
      return Words(*ParseItem<QgroupLimit>(item));
    default:
      return SpaceWords(key, item);
  }
}

}  // namespace ebcache::testing
