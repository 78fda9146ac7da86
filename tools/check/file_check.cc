#include "tools/check/file_check.h"

#include <absl/strings/str_cat.h>
#include <sys/stat.h>

#include <utility>

#include "ebcache/items.h"
#include "ebcache/paths.h"
#include "tools/check/fact_sums.h"

namespace ebcache::tools {
namespace {

constexpr uint64_t kExplainBytes = uint64_t{1} << 20;
constexpr uint64_t kMostRecords = 20000;

std::optional<InodeItem> FindInodeItem(CheckState& state, const TreeRoot& root, uint64_t inode) {
  const BTree tree(&state.filesystem.cache(), root);
  const absl::StatusOr<Path> path = tree.Find({inode, kInodeItemType, 0});
  Item item;
  if (!path.ok() || !path->Load(item).ok()) return std::nullopt;
  absl::StatusOr<InodeItem> parsed = ParseItem<InodeItem>(item.data());
  if (!parsed.ok()) return std::nullopt;
  return *std::move(parsed);
}

// Hands the facts of those types on that are wanted.
class WantedFacts : public FileFacts {
 public:
  WantedFacts(CheckState& state, const TreeRoot& root, const FileDifferences& wanted,
              FactSink& sink)
      : state_(state),
        root_(root),
        wanted_(wanted),
        writer_(&sink, std::move(HashBatch::Create(state.key)).value()) {}

  void Add(const Fact& fact, int64_t times) override {
    switch (fact.type) {
      case FactType::kEntry:
        if (!wanted_.entries) return;
        break;
      case FactType::kLink:
        if (!wanted_.links) return;
        break;
      case FactType::kKindOfFile:
        if (!wanted_.kinds) return;
        break;
      default:
        if (!wanted_.orphans || (times < 0 && !IsUnlinked(fact.subject))) return;
    }
    writer_.Add(fact, times);
  }

 private:
  // Files that are being truncated have orphan items as well.
  bool IsUnlinked(uint64_t inode) const {
    const std::optional<InodeItem> item = FindInodeItem(state_, root_, inode);
    return item && item->link_count == 0;
  }

  CheckState& state_;
  const TreeRoot& root_;
  const FileDifferences& wanted_;
  FactWriter writer_;
};

void Collect(CheckState& state, const TreeRoot& root, const FileDifferences& wanted,
             FactSink& sink) {
  FileRules rules = RulesFor(state, root);
  rules.findings = nullptr;
  WantedFacts facts(state, root, wanted, sink);
  InodeRun run;
  const BTree tree(&state.filesystem.cache(), root);
  for (ItemStream items(state, tree, {}); items.valid(); items.Next()) {
    TakeFileItem(items.item().key(), items.item().data(), rules, run, facts);
  }
  run.Close(rules, facts);
}

void Tell(CheckState& state, const TreeRoot& root, const KeptFact& fact, int64_t times) {
  Finding finding{.kind = FindingKind::kInodeKind,
                  .tree = root.id,
                  .key = Key{fact.subject, kInodeItemType, 0},
                  .address = {},
                  .found = fact.ToString(),
                  .expected = {}};
  switch (fact.type) {
    case FactType::kEntry:
      finding.kind = times > 0 ? FindingKind::kEntryWithoutIndex : FindingKind::kIndexWithoutEntry;
      finding.key = Key{fact.subject, times > 0 ? kDirItemType : kDirIndexType, 0};
      break;
    case FactType::kLink:
      finding.kind = times > 0 ? FindingKind::kEntryWithoutName : FindingKind::kNameWithoutEntry;
      finding.key = times > 0 ? Key{fact.subject, kDirIndexType, fact.words[0]}
                              : Key{fact.words[1], kInodeRefType, fact.subject};
      break;
    case FactType::kKindOfFile: {
      // Of a pair that differs the entries' side is told, with what the inode is.
      if (times < 0) return;
      const std::optional<InodeItem> inode = FindInodeItem(state, root, fact.subject);
      // An entry of the right type that is one too many lacks a name, which is told as that.
      if (inode && EntryTypeOfMode(inode->mode) == fact.words[0]) return;
      finding.expected =
          inode ? absl::StrCat("type ", EntryTypeOfMode(inode->mode)) : "an inode that is there";
      break;
    }
    default:
      if (times < 0) return;
      finding.kind = FindingKind::kOrphanMissing;
      finding.found = "an inode without names";
      finding.expected = "an orphan item";
  }
  for (int64_t i = 0; i < std::min<int64_t>(std::abs(times), 16); ++i) state.findings.Add(finding);
}

}  // namespace

FileRules RulesFor(const CheckState& state, const TreeRoot& root) {
  return {.tree = root.id,
          .generation = state.superblock.generation,
          .sector_bytes = state.sector_bytes(),
          .holes_have_items = !state.superblock.has(IncompatFlag::kNoHoles),
          .findings = &state.findings};
}

void CheckChecksums(CheckState& state, const SpaceTrees& space, const TreeRoot& root,
                    const Key& key, const FileExtentItem& extent, const InodeRun& run) {
  const FileExtentPlace& place = *extent.place;
  if (extent.type != static_cast<uint8_t>(FileExtentType::kRegular) ||
      root.id == kDataRelocTreeId || !space.checksums) {
    return;
  }
  const bool all_there = !state.without_checksums.MayContain(place.disk_bytenr);
  const InodePart* const part = run.last ? &*run.last : run.first ? &*run.first : nullptr;
  uint64_t flags = 0;
  if (part != nullptr && part->inode == key.objectid && part->has_item) {
    flags = part->flags;
  } else {
    const std::optional<InodeItem> inode = FindInodeItem(state, root, key.objectid);
    if (!inode) return;
    flags = inode->flags;
  }
  const bool unwanted = (flags & kInodeNoDataSum) != 0;
  if (all_there != unwanted) return;
  const bool compressed = extent.compression != 0;
  const uint64_t start = place.disk_bytenr + (compressed ? 0 : place.offset);
  const uint64_t length = compressed ? place.disk_bytes : place.file_bytes;
  if (!unwanted && BytesWithoutChecksums(state, space.checksums, start, length) == 0) return;
  state.findings.Add(
      {.kind = unwanted ? FindingKind::kChecksumUnwanted : FindingKind::kChecksumMissing,
       .tree = root.id,
       .key = key,
       .address = start,
       .found = unwanted ? "checksums of a file without" : "not all of its checksums",
       .expected = unwanted ? "" : absl::StrCat("checksums of ", length, " bytes")});
}

void CheckTopDirectory(CheckState& state, const TreeRoot& root) {
  const std::optional<InodeItem> top = FindInodeItem(state, root, kTopDirectory);
  if (top && S_ISDIR(top->mode)) return;
  state.findings.Add({.kind = FindingKind::kRootDirectory,
                      .tree = root.id,
                      .key = Key{kTopDirectory, kInodeItemType, 0},
                      .address = {},
                      .found = top ? "no directory" : "",
                      .expected = "a directory"});
}

void ExplainFiles(CheckState& state, const TreeRoot& root, const FileDifferences& differences) {
  BucketSums sums(state.key, kExplainBytes);
  Collect(state, root, differences, sums);
  const std::vector<size_t> buckets = sums.Differing();
  FactRecords records(sums, buckets, kMostRecords);
  Collect(state, root, differences, records);
  records.ForEachLeft([&](const KeptFact& fact, int64_t times) { Tell(state, root, fact, times); });
  if (records.buckets_given_up() > 0) {
    state.findings.AddCount(FindingKind::kReferenceBucket, records.buckets_given_up());
  }
}

}  // namespace ebcache::tools
