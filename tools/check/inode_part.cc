#include "tools/check/inode_part.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "ebcache/items.h"
#include "ebcache/on_disk.h"

namespace ebcache::tools {
namespace {

constexpr uint64_t kOrphansObjectId = static_cast<uint64_t>(-5);

uint64_t RoundUp(uint64_t bytes, uint32_t unit) {
  const uint64_t rest = bytes % unit;
  return rest == 0 ? bytes : bytes - rest + unit;
}

void TakeNames(const Key& key, absl::Span<const std::byte> data, InodePart& part,
               FileFacts& facts) {
  ItemRecords<InodeRef> refs(data);
  while (const std::optional<InodeRef> ref = refs.Next()) {
    ++part.names;
    if (key.offset == key.objectid) continue;  // a top directory is in itself
    ++part.links;
    facts.Add({.type = FactType::kLink,
               .subject = key.offset,
               .words = {ref->index, key.objectid},
               .name = ref->name},
              -1);
  }
}

void TakeExtendedNames(const Key& key, absl::Span<const std::byte> data, InodePart& part,
                       FileFacts& facts) {
  ItemRecords<InodeExtref> refs(data);
  while (const std::optional<InodeExtref> ref = refs.Next()) {
    ++part.names;
    ++part.links;
    facts.Add({.type = FactType::kLink,
               .subject = ref->directory,
               .words = {ref->index, key.objectid},
               .name = ref->name},
              -1);
  }
}

void TakeEntries(const Key& key, absl::Span<const std::byte> data, InodePart& part,
                 FileFacts& facts) {
  const bool index = key.type == kDirIndexType;
  ItemRecords<DirEntry> entries(data);
  while (const std::optional<DirEntry> entry = entries.Next()) {
    const Key& to = entry->location;
    ++part.entries;
    part.entry_bytes += entry->name.size();
    facts.Add({.type = FactType::kEntry,
               .subject = key.objectid,
               .words = {to.objectid, to.type, to.offset, entry->type},
               .name = entry->name},
              index ? -1 : 1);
    if (!index || to.type != kInodeItemType) continue;
    facts.Add({.type = FactType::kLink,
               .subject = key.objectid,
               .words = {key.offset, to.objectid},
               .name = entry->name},
              1);
    facts.Add({.type = FactType::kKindOfFile,
               .subject = to.objectid,
               .words = {entry->type & uint64_t{0x7f}},
               .name = {}},
              1);
  }
}

void TakeFileExtent(const Key& key, absl::Span<const std::byte> data, const FileRules& rules,
                    InodePart& part) {
  const absl::StatusOr<FileExtentItem> extent = ParseItem<FileExtentItem>(data);
  if (!extent.ok()) return;
  if (extent->generation > rules.generation && rules.findings != nullptr) {
    rules.findings->Add({.kind = FindingKind::kFileExtentGeneration,
                         .tree = rules.tree,
                         .key = key,
                         .address = {},
                         .found = absl::StrCat(extent->generation),
                         .expected = absl::StrCat("at most ", rules.generation)});
  }
  if (!extent->place) {
    part.TakeExtent(key.offset, RoundUp(key.offset + extent->ram_bytes, rules.sector_bytes),
                    extent->ram_bytes);
    return;
  }
  const FileExtentPlace& place = *extent->place;
  part.TakeExtent(key.offset, key.offset + place.file_bytes,
                  place.disk_bytenr == 0 ? 0 : place.file_bytes);
  const bool outside =
      place.disk_bytenr != 0 && place.offset + place.file_bytes > extent->ram_bytes;
  if ((!outside && place.file_bytes != 0) || rules.findings == nullptr) return;
  rules.findings->Add(
      {.kind = FindingKind::kFileExtentPlace,
       .tree = rules.tree,
       .key = key,
       .address = place.disk_bytenr,
       .found = absl::StrCat(place.file_bytes, " bytes at ", place.offset, " of an extent"),
       .expected = absl::StrCat("1 to ", extent->ram_bytes, " bytes, all inside")});
}

void TakeInodeItem(absl::Span<const std::byte> data, InodePart& part) {
  const absl::StatusOr<InodeItem> inode = ParseItem<InodeItem>(data);
  if (!inode.ok()) return;
  part.has_item = true;
  part.link_count = inode->link_count;
  part.mode = inode->mode;
  part.size = inode->size;
  part.disk_bytes = inode->disk_bytes;
  part.generation = std::max(inode->generation, inode->transaction);
  part.flags = inode->flags;
}

}  // namespace

uint8_t EntryTypeOfMode(uint32_t mode) {
  const auto of = [](DirEntryType type) { return static_cast<uint8_t>(type); };
  switch (mode & S_IFMT) {
    case S_IFREG:
      return of(DirEntryType::kFile);
    case S_IFDIR:
      return of(DirEntryType::kDirectory);
    case S_IFCHR:
      return of(DirEntryType::kCharacterDevice);
    case S_IFBLK:
      return of(DirEntryType::kBlockDevice);
    case S_IFIFO:
      return of(DirEntryType::kFifo);
    case S_IFSOCK:
      return of(DirEntryType::kSocket);
    case S_IFLNK:
      return of(DirEntryType::kSymlink);
  }
  return 0;
}

void InodePart::TakeExtent(uint64_t start, uint64_t end, uint64_t bytes) {
  if (extents++ == 0) {
    first_start = start;
  } else if (start < last_end) {
    overlap = overlap.value_or(start);
  } else if (start > last_end) {
    gap = gap.value_or(last_end);
  }
  last_end = std::max(last_end, end);
  extent_bytes += bytes;
}

void InodePart::Join(const InodePart& next) {
  if (next.has_item) {
    has_item = true;
    link_count = next.link_count;
    mode = next.mode;
    size = next.size;
    disk_bytes = next.disk_bytes;
    generation = next.generation;
    flags = next.flags;
  }
  names += next.names;
  links += next.links;
  entry_bytes += next.entry_bytes;
  entries += next.entries;
  if (next.extents == 0) return;
  const uint64_t together = extents + next.extents;
  TakeExtent(next.first_start, next.last_end, next.extent_bytes);
  extents = together;
  if (!gap) gap = next.gap;
  if (!overlap) overlap = next.overlap;
}

void InodePart::JudgeExtents(const FileRules& rules) const {
  const auto add = [&](FindingKind kind, uint64_t at, std::string found, std::string expected) {
    rules.findings->Add({.kind = kind,
                         .tree = rules.tree,
                         .key = Key{inode, kExtentDataType, at},
                         .address = {},
                         .found = std::move(found),
                         .expected = std::move(expected)});
  };
  if (overlap) {
    add(FindingKind::kFileExtentOverlap, *overlap, "begins before the extent before it ends", "");
  }
  if (!S_ISREG(mode) || !rules.holes_have_items || link_count == 0) return;
  std::optional<uint64_t> hole = gap;
  if (extents == 0 || first_start > 0) hole = 0;
  if (!hole && last_end < RoundUp(size, rules.sector_bytes)) hole = last_end;
  if (hole && *hole < size) add(FindingKind::kFileExtentGap, *hole, "", "an extent or a hole");
}

void InodePart::Judge(const FileRules& rules, FileFacts& facts) const {
  if (has_item) {
    facts.Add({.type = FactType::kKindOfFile,
               .subject = inode,
               .words = {EntryTypeOfMode(mode)},
               .name = {}},
              -static_cast<int64_t>(links));
    if (link_count == 0) facts.Add({.type = FactType::kOrphan, .subject = inode, .name = {}}, 1);
  }
  if (rules.findings == nullptr) return;
  const auto add = [&](FindingKind kind, std::string found, std::string expected) {
    rules.findings->Add({.kind = kind,
                         .tree = rules.tree,
                         .key = Key{inode, kInodeItemType, 0},
                         .address = {},
                         .found = std::move(found),
                         .expected = std::move(expected)});
  };
  if (!has_item) {
    add(FindingKind::kInodeMissing, "",
        absl::StrCat("an inode with ", names, " names, ", entries, " entries, ", extents,
                     " extents"));
    return;
  }
  if (link_count != names) {
    add(FindingKind::kInodeLinkCount, absl::StrCat(link_count), absl::StrCat(names));
  }
  if (generation > rules.generation) {
    add(FindingKind::kInodeGeneration, absl::StrCat(generation),
        absl::StrCat("at most ", rules.generation));
  }
  const bool file = S_ISREG(mode) || S_ISLNK(mode);
  if ((!S_ISDIR(mode) && entries > 0) || (!file && extents > 0)) {
    add(FindingKind::kInodeItems,
        absl::StrFormat("mode 0%o, %d entries, %d extents", mode, entries, extents),
        "items of its kind alone");
  }
  if (S_ISDIR(mode) && size != entry_bytes) {
    add(FindingKind::kDirectorySize, absl::StrCat(size), absl::StrCat(entry_bytes));
  }
  if (file && disk_bytes != extent_bytes) {
    add(FindingKind::kInodeBytes, absl::StrCat(disk_bytes), absl::StrCat(extent_bytes));
  }
  JudgeExtents(rules);
}

void InodeRun::Join(const InodeRun& next, const FileRules& rules, FileFacts& facts) {
  if (!next.first) return;
  if (!first) {
    *this = next;
    return;
  }
  InodePart& end = last ? *last : *first;
  if (end.inode == next.first->inode) {
    end.Join(*next.first);
    if (!next.last) return;
    if (last) last->Judge(rules, facts);
    last = next.last;
    return;
  }
  if (last) last->Judge(rules, facts);
  if (next.last) next.first->Judge(rules, facts);
  last = next.last ? next.last : next.first;
}

void InodeRun::Close(const FileRules& rules, FileFacts& facts) {
  if (first) first->Judge(rules, facts);
  if (last) last->Judge(rules, facts);
  *this = {};
}

void TakeFileItem(const Key& key, absl::Span<const std::byte> data, const FileRules& rules,
                  InodeRun& run, FileFacts& facts) {
  if (key.objectid == kOrphansObjectId && key.type == kOrphanItemType) {
    facts.Add({.type = FactType::kOrphan, .subject = key.offset, .name = {}}, -1);
    return;
  }
  if (key.objectid < kFirstFreeObjectId || key.objectid > kLastFreeObjectId) return;
  InodePart* part = run.last ? &*run.last : run.first ? &*run.first : nullptr;
  if (part == nullptr || part->inode != key.objectid) {
    if (run.last) run.last->Judge(rules, facts);
    std::optional<InodePart>& place = run.first ? run.last : run.first;
    place.emplace();
    place->inode = key.objectid;
    part = &*place;
  }
  switch (key.type) {
    case kInodeItemType:
      return TakeInodeItem(data, *part);
    case kInodeRefType:
      return TakeNames(key, data, *part, facts);
    case kInodeExtrefType:
      return TakeExtendedNames(key, data, *part, facts);
    case kDirItemType:
    case kDirIndexType:
      return TakeEntries(key, data, *part, facts);
    case kExtentDataType:
      return TakeFileExtent(key, data, rules, *part);
    default:
      return;
  }
}

}  // namespace ebcache::tools
