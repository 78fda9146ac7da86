#include "tools/check/quotas.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "ebcache/items.h"
#include "tools/check/tree_sets.h"

namespace ebcache::tools {
namespace {

constexpr int kGroupLevelShift = 48;

struct Groups {
  std::optional<QgroupStatus> status;
  std::map<uint64_t, QgroupInfo> counts;
  std::set<std::pair<uint64_t, uint64_t>> relations;  // member, group
  bool gaps = false;
};

Groups LoadGroups(CheckState& state) {
  Groups groups;
  ItemStream items(state, FindTree(state, kQuotaTreeId), {});
  for (; items.valid(); items.Next()) {
    const Key& key = items.item().key();
    if (key.type == kQgroupStatusType) {
      const absl::StatusOr<QgroupStatus> status = ParseItem<QgroupStatus>(items.item().data());
      if (status.ok()) groups.status = *status;
    } else if (key.type == kQgroupInfoType) {
      const absl::StatusOr<QgroupInfo> info = ParseItem<QgroupInfo>(items.item().data());
      if (info.ok()) groups.counts[key.offset] = *info;
    } else if (key.type == kQgroupRelationType && key.objectid < key.offset) {
      groups.relations.insert({key.objectid, key.offset});
    }
  }
  groups.gaps = items.gaps();
  return groups;
}

// Notes the extents of one tree whose addresses are in this part of all.
class ExtentNoter : public TreeVisitor {
 public:
  ExtentNoter(CheckState& state, TreeSets& sets, uint64_t parts)
      : state_(state), sets_(sets), parts_(parts) {}
  void Begin(uint64_t part) { part_ = part; }

  bool VisitBlock(const TreeRoot& tree, const ExtentBuffer& block) override {
    Note(block.start(), state_.node_bytes(), tree.id);
    const Header header(block);
    if (header.level() > 0) return true;
    std::vector<std::byte> data;
    for (uint32_t slot = 0; slot < header.item_count(); ++slot) {
      const ItemHead head = LoadItemHead(block, slot);
      if (head.key.type != kExtentDataType || head.size > block.length()) continue;
      data.resize(head.size);
      if (!block.Read(head.offset, absl::MakeSpan(data)).ok()) continue;
      const absl::StatusOr<FileExtentItem> extent = ParseItem<FileExtentItem>(data);
      if (!extent.ok() || !extent->place || extent->place->disk_bytenr == 0) continue;
      Note(extent->place->disk_bytenr, extent->place->disk_bytes, tree.id);
    }
    return true;
  }
  void VisitDamage(const WalkDamage& damage) override { state_.lost.Note(damage); }

 private:
  void Note(uint64_t address, uint64_t bytes, uint64_t tree) {
    if (state_.key.Scatter(address) % parts_ == part_) sets_.Note(address, bytes, tree);
  }

  CheckState& state_;
  TreeSets& sets_;
  const uint64_t parts_;
  uint64_t part_ = 0;
};

// The subvolumes that are in a group, by way of others as well.
std::set<uint64_t> MembersOf(uint64_t group, const Groups& groups) {
  std::set<uint64_t> members;
  std::vector<uint64_t> open = {group};
  std::set<uint64_t> seen = {group};
  while (!open.empty()) {
    const uint64_t one = open.back();
    open.pop_back();
    if (one >> kGroupLevelShift == 0) members.insert(one);
    for (const auto& [member, in] : groups.relations) {
      if (in == one && seen.insert(member).second) open.push_back(member);
    }
  }
  return members;
}

void Compare(CheckState& state, uint64_t group, const QgroupInfo& info, uint64_t referenced,
             uint64_t exclusive) {
  if (info.referenced == referenced && info.exclusive == exclusive) return;
  state.findings.Add(
      {.kind = FindingKind::kQuotaCount,
       .tree = kQuotaTreeId,
       .key = Key{0, kQgroupInfoType, group},
       .address = {},
       .found = absl::StrCat("referenced ", info.referenced, ", exclusive ", info.exclusive),
       .expected = absl::StrCat("referenced ", referenced, ", exclusive ", exclusive)});
}

void CheckSimple(CheckState& state, const Groups& groups) {
  for (const auto& [group, info] : groups.counts) {
    int64_t bytes = 0;
    for (const uint64_t member : MembersOf(group, groups)) bytes += state.charges[member];
    Compare(state, group, info, static_cast<uint64_t>(bytes), static_cast<uint64_t>(bytes));
  }
}

void CheckOrdinary(CheckState& state, const std::vector<TreeRoot>& roots, const Groups& groups,
                   uint64_t bytes) {
  TreeSets sets;
  // Extents of data are no more than items of metadata can tell of; at 100 bytes each.
  const uint64_t most =
      state.full_backrefs.size() + state.superblock.bytes_used / state.sector_bytes();
  const uint64_t parts = std::max<uint64_t>(1, most * TreeSets::kBytesOfExtent / bytes);
  ExtentNoter noter(state, sets, parts);
  for (uint64_t part = 0; part < parts; ++part) {
    noter.Begin(part);
    for (const TreeRoot& root : roots) {
      if (IsFsTree(root.id)) WalkTree(state.filesystem.cache(), root, noter);
    }
    sets.Settle();
  }
  for (const auto& [group, info] : groups.counts) {
    const std::set<uint64_t> members = MembersOf(group, groups);
    const auto inside = [&](uint64_t tree) { return members.contains(tree); };
    uint64_t referenced = 0;
    uint64_t exclusive = 0;
    sets.ForEachSet([&](const std::vector<uint64_t>& trees, uint64_t of_set) {
      if (std::any_of(trees.begin(), trees.end(), inside)) referenced += of_set;
      if (std::all_of(trees.begin(), trees.end(), inside)) exclusive += of_set;
    });
    Compare(state, group, info, referenced, exclusive);
  }
}

}  // namespace

std::optional<uint64_t> SimpleQuotasSince(CheckState& state) {
  if (!state.superblock.has(IncompatFlag::kSimpleQuota)) return std::nullopt;
  const Groups groups = LoadGroups(state);
  if (!groups.status || (groups.status->flags & kQgroupStatusSimple) == 0) return std::nullopt;
  return groups.status->enable_generation;
}

void CheckQuotas(CheckState& state, const std::vector<TreeRoot>& roots, uint64_t bytes,
                 std::vector<std::string>& notices) {
  if (!FindTree(state, kQuotaTreeId)) return;
  const Groups groups = LoadGroups(state);
  if (groups.gaps || !groups.status || (groups.status->flags & kQgroupStatusOn) == 0) return;
  const uint64_t flags = groups.status->flags;
  if ((flags & (kQgroupStatusInconsistent | kQgroupStatusRescan)) != 0) {
    notices.push_back("counts of quota groups are inconsistent, and say so: not checked");
  } else if ((flags & kQgroupStatusSimple) != 0) {
    CheckSimple(state, groups);
  } else if (std::any_of(roots.begin(), roots.end(),
                         [](const TreeRoot& root) { return root.deleted(); })) {
    notices.push_back("a subvolume is being deleted: counts of quota groups are not checked");
  } else {
    CheckOrdinary(state, roots, groups, bytes);
  }
}

}  // namespace ebcache::tools
