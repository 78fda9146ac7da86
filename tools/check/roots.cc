#include "tools/check/roots.h"

#include <absl/status/status.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include <cstring>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "ebcache/items.h"

namespace ebcache::tools {
namespace {

constexpr uint64_t kOrphansObjectId = static_cast<uint64_t>(-5);

struct Subvolume {
  uint32_t refs = 0;
  uint32_t places = 0;  // in directories, as references or back references have it
  Key key;
  Uuid uuid{};
  Uuid received_uuid{};
};
// Parent, child, directory, index, name.
using Place = std::tuple<uint64_t, uint64_t, uint64_t, uint64_t, std::string>;

Key UuidKey(const Uuid& uuid, uint8_t type) {
  Key key{0, type, 0};
  std::memcpy(&key.objectid, uuid.data(), 8);
  std::memcpy(&key.offset, uuid.data() + 8, 8);
  return key;
}

class RootCheck {
 public:
  explicit RootCheck(CheckState& state) : state_(state) {}
  void Run();

 private:
  bool Load();
  void TakeRoot(const Key& key, absl::Span<const std::byte> data);
  void CheckPlaces();
  void CheckEntry(const Place& place);
  void CheckSubvolumes();
  void CheckUuids();
  void CheckUuidEntry(const Key& key, uint64_t id);
  void WantUuid(const BTree& tree, uint64_t id, const Uuid& uuid, uint8_t type);
  void Add(FindingKind kind, uint64_t tree, const Key& key, std::string found,
           std::string expected) {
    state_.findings.Add({kind, tree, key, {}, std::move(found), std::move(expected)});
  }

  CheckState& state_;
  std::map<uint64_t, Subvolume> subvolumes_;
  std::set<Place> refs_;
  std::set<Place> backrefs_;
  std::set<uint64_t> orphans_;
};

void RootCheck::TakeRoot(const Key& key, absl::Span<const std::byte> data) {
  const absl::StatusOr<RootItem> root = ParseRootItem(data);
  if (!root.ok() || !IsFsTree(key.objectid)) return;
  Subvolume& subvolume = subvolumes_[key.objectid];
  subvolume.refs = root->refs;
  subvolume.key = key;
  if (root->extension && root->extension->generation_v2 == root->generation) {
    subvolume.uuid = root->extension->uuid;
    subvolume.received_uuid = root->extension->received_uuid;
  }
  if (root->root_directory == kFirstFreeObjectId) return;
  Add(FindingKind::kRootDirectory, kRootTreeId, key, absl::StrCat(root->root_directory),
      absl::StrCat(kFirstFreeObjectId));
}

bool RootCheck::Load() {
  ItemStream items(state_, FindTree(state_, kRootTreeId), {});
  for (; items.valid(); items.Next()) {
    const Key& key = items.item().key();
    const absl::Span<const std::byte> data = items.item().data();
    if (key.type == kRootItemType) TakeRoot(key, data);
    if (key.type == kOrphanItemType && key.objectid == kOrphansObjectId) {
      orphans_.insert(key.offset);
    }
    if (key.type != kRootRefType && key.type != kRootBackrefType) continue;
    const absl::StatusOr<RootRef> ref = ParseItem<RootRef>(data);
    if (!ref.ok()) continue;
    const bool forward = key.type == kRootRefType;
    const uint64_t parent = forward ? key.objectid : key.offset;
    const uint64_t child = forward ? key.offset : key.objectid;
    (forward ? refs_ : backrefs_)
        .insert({parent, child, ref->directory, ref->sequence, std::string(ref->name)});
  }
  return !items.gaps();
}

void RootCheck::CheckEntry(const Place& place) {
  const auto& [parent, child, directory, index, name] = place;
  const auto at = subvolumes_.find(parent);
  if (at != subvolumes_.end() && at->second.refs == 0) return;  // its entries may be gone
  const Key key{directory, kDirIndexType, index};
  const std::optional<BTree> tree = FindTree(state_, parent);
  bool found = false;
  if (tree) {
    const absl::StatusOr<Path> path = tree->Find(key);
    if (!path.ok() && !absl::IsNotFound(path.status())) return;  // cannot be told
    Item item;
    if (path.ok() && path->Load(item).ok()) {
      ItemRecords<DirEntry> entries(item.data());
      const std::optional<DirEntry> entry = entries.Next();
      found = entry && entry->name == name && entry->location.objectid == child &&
              entry->location.type == kRootItemType;
    }
  }
  if (found) return;
  Add(FindingKind::kRootRefEntry, parent, key, "",
      absl::StrCat("entry \"", absl::Utf8SafeCHexEscape(name), "\" to subvolume ", child));
}

void RootCheck::CheckPlaces() {
  const auto words = [](const Place& place) {
    return absl::StrCat("directory ", std::get<2>(place), ", index ", std::get<3>(place), ", \"",
                        absl::Utf8SafeCHexEscape(std::get<4>(place)), "\"");
  };
  for (const Place& place : refs_) {
    CheckEntry(place);
    if (!backrefs_.contains(place)) ++subvolumes_[std::get<1>(place)].places;
    if (backrefs_.contains(place)) continue;
    Add(FindingKind::kRootBackrefMissing, kRootTreeId,
        {std::get<1>(place), kRootBackrefType, std::get<0>(place)}, "", words(place));
  }
  for (const Place& place : backrefs_) {
    ++subvolumes_[std::get<1>(place)].places;
    if (refs_.contains(place)) continue;
    Add(FindingKind::kRootRefMissing, kRootTreeId,
        {std::get<0>(place), kRootRefType, std::get<1>(place)}, "", words(place));
  }
}

void RootCheck::CheckSubvolumes() {
  for (const auto& [id, subvolume] : subvolumes_) {
    if (id == kFsTreeId) continue;
    const bool there = subvolume.key.objectid == id;
    const Key key = there ? subvolume.key : Key{id, kRootItemType, 0};
    if (!there || subvolume.refs != subvolume.places) {
      Add(FindingKind::kRootRefCount, kRootTreeId, key,
          there ? absl::StrCat(subvolume.refs, " references") : "",
          absl::StrCat(there ? "" : "a root item with ", subvolume.places));
    }
    if (there && subvolume.refs == 0 && !orphans_.contains(id)) {
      Add(FindingKind::kRootOrphanMissing, kRootTreeId, {kOrphansObjectId, kOrphanItemType, id}, "",
          "an orphan item of a subvolume without references");
    }
  }
}

void RootCheck::WantUuid(const BTree& tree, uint64_t id, const Uuid& uuid, uint8_t type) {
  if (uuid == Uuid{}) return;
  const Key key = UuidKey(uuid, type);
  const absl::StatusOr<Path> path = tree.Find(key);
  Item item;
  if (path.ok() && path->Load(item).ok()) {
    ItemRecords<UuidSubvolume> ids(item.data());
    while (const std::optional<UuidSubvolume> one = ids.Next()) {
      if (one->id == id) return;
    }
  } else if (!path.ok() && !absl::IsNotFound(path.status())) {
    return;  // cannot be told
  }
  Add(FindingKind::kUuidMissing, kUuidTreeId, key, "", absl::StrCat("subvolume ", id));
}

void RootCheck::CheckUuidEntry(const Key& key, uint64_t id) {
  const auto found = subvolumes_.find(id);
  const bool there = found != subvolumes_.end() && found->second.key.objectid == id;
  if (there) {
    const Subvolume& subvolume = found->second;
    const Uuid& uuid = key.type == kUuidSubvolType ? subvolume.uuid : subvolume.received_uuid;
    if (subvolume.refs == 0 || UuidKey(uuid, key.type) == key) return;
  }
  Add(FindingKind::kUuidStale, kUuidTreeId, key, absl::StrCat("subvolume ", id),
      there ? "one with this uuid" : "one that is there");
}

void RootCheck::CheckUuids() {
  const std::optional<BTree> tree = FindTree(state_, kUuidTreeId);
  if (!tree || state_.superblock.uuid_tree_generation != state_.superblock.generation) return;
  for (const auto& [id, subvolume] : subvolumes_) {
    if (subvolume.refs == 0) continue;
    WantUuid(*tree, id, subvolume.uuid, kUuidSubvolType);
    WantUuid(*tree, id, subvolume.received_uuid, kUuidReceivedSubvolType);
  }
  for (ItemStream items(state_, tree, {}); items.valid(); items.Next()) {
    const Key& key = items.item().key();
    if (key.type != kUuidSubvolType && key.type != kUuidReceivedSubvolType) continue;
    ItemRecords<UuidSubvolume> ids(items.item().data());
    while (const std::optional<UuidSubvolume> one = ids.Next()) CheckUuidEntry(key, one->id);
  }
}

void RootCheck::Run() {
  if (!Load()) return;  // what is missing may be in what was not read
  CheckPlaces();
  CheckSubvolumes();
  CheckUuids();
}

class LogVisitor : public TreeVisitor {
 public:
  LogVisitor(CheckState& state, const SpaceTrees& space) : state_(state), space_(space) {}

  bool VisitBlock(const TreeRoot& tree, const ExtentBuffer& block) override {
    const uint64_t start = block.start();
    const std::optional<Key> found = LastExtentBefore(start + state_.node_bytes());
    if (!found) return true;
    const Key& key = *found;
    const bool skinny = key.type == kMetadataItemType;
    // An extent begins before the block ends, so it is free of the block if it ends before it begins.
    const uint64_t length = skinny ? state_.node_bytes() : key.offset;
    if (key.objectid < start && length <= start - key.objectid) return true;
    state_.findings.Add({.kind = FindingKind::kLogBlockInUse,
                         .tree = tree.id,
                         .key = key,
                         .address = start,
                         .found = "a block of a log that is part of an extent as well",
                         .expected = {}});
    return true;
  }
  void VisitDamage(const WalkDamage& damage) override { state_.lost.Note(damage); }

 private:
  std::optional<Key> LastExtentBefore(uint64_t address) const;

  CheckState& state_;
  const SpaceTrees& space_;
};

// The key of the last extent that begins before the address; none also where that cannot be told.
std::optional<Key> LogVisitor::LastExtentBefore(uint64_t address) const {
  uint64_t objectid = address;
  while (space_.extents && objectid > 0) {
    // References and block groups have larger types than the extent that they are of.
    const absl::StatusOr<Path> path =
        space_.extents->SearchBackward({objectid - 1, kMetadataItemType, kMaxKey.offset});
    if (!path.ok() || !path->valid()) return std::nullopt;
    const Key key = path->key();
    if (key.type == kExtentItemType || key.type == kMetadataItemType) return key;
    // An extent of this objectid lies before its other items; of a smaller type there are none.
    objectid = key.type > kMetadataItemType ? key.objectid + 1 : key.objectid;
  }
  return std::nullopt;
}

}  // namespace

void CheckRoots(CheckState& state) { RootCheck(state).Run(); }

void CheckLogTree(CheckState& state, const SpaceTrees& space, const TreeRoot& root) {
  LogVisitor visitor(state, space);
  WalkTree(state.filesystem.cache(), root, visitor);
}

}  // namespace ebcache::tools
