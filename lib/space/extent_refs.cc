#include "lib/space/extent_refs.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

#include "ebcache/item_codec.h"
#include "ebcache/items_extent.h"
#include "ebcache/on_disk.h"
#include "lib/base/bytes.h"
#include "lib/base/messages.h"
#include "lib/format/checksum.h"

namespace ebcache::space {
namespace {

// References in items of their own as kernels wrote them before 2009.
constexpr uint8_t kOldRefType = 180;
// How far behind its hash a reference may be: as many others would have to have had the same hash,
// or the numbers behind it.
constexpr uint64_t kMostCollisions = 1024;

template <typename... Pieces>
absl::Status Damage(const Pieces&... pieces) {
  return absl::DataLossError(absl::StrCat(pieces...));
}

// What an inline reference is sorted by within its type.
uint64_t OrderOf(const ExtentRef& ref) {
  return ref.type == kExtentDataRefType ? DataRefHash(ref.root, ref.inode, ref.offset) : ref.root;
}

InlineRef ToInline(const ExtentRef& ref, uint32_t count) {
  switch (ref.type) {
    case kTreeBlockRefType:
      return TreeBlockRef{ref.root};
    case kSharedBlockRefType:
      return SharedBlockRef{ref.root};
    case kExtentDataRefType:
      return ExtentDataRef{ref.root, ref.inode, ref.offset, count};
    default:
      return SharedDataRef{ref.root, count};
  }
}

ExtentRef RefOf(const InlineRef& ref) {
  struct Visitor {
    ExtentRef operator()(const TreeBlockRef& of) const { return ExtentRef::OfTree(of.root); }
    ExtentRef operator()(const SharedBlockRef& of) const { return ExtentRef::OfParent(of.parent); }
    ExtentRef operator()(const ExtentDataRef& of) const {
      return ExtentRef::OfFile(of.root, of.inode, of.offset);
    }
    ExtentRef operator()(const SharedDataRef& of) const { return ExtentRef::OfLeaf(of.parent); }
    ExtentRef operator()(const ExtentOwnerRef& of) const {
      return {.type = kExtentOwnerRefType, .root = of.root};
    }
  };
  return std::visit(Visitor(), ref);
}

bool IsExtentItem(const std::optional<StoredItem>& item, uint64_t bytenr) {
  return item.has_value() && item->key.objectid == bytenr &&
         (item->key.type == kExtentItemType || item->key.type == kMetadataItemType);
}

// An extent's item, taken apart, and the plan of what becomes of it and of the others.
class ExtentEdit {
 public:
  ExtentEdit(ItemStore* store, const ExtentChange& change, const ExtentRules& rules)
      : plan_(store), change_(change), rules_(rules) {}

  absl::StatusOr<ExtentState> Run() {
    if (absl::Status status = Plan(); !status.ok()) return status;
    if (absl::Status status = plan_.Apply(); !status.ok()) return status;
    return ExtentState{head_.references, head_.flags, head_.generation};
  }

  // All of it but that the store is changed.
  absl::Status Plan() {
    absl::Status status = CheckChange();
    if (status.ok()) status = change_.is_new ? Begin() : Load();
    if (!status.ok()) return status;
    for (const bool adding : {true, false}) {
      for (const ExtentChange::Delta& delta : change_.deltas) {
        if ((delta.count > 0) != adding) continue;
        status = adding ? Add(delta.ref, delta.count) : Drop(delta.ref, -delta.count);
        if (!status.ok()) return Prefixed(delta.ref.ToString(), status);
      }
    }
    if (change_.set_full_backref) head_.flags |= kExtentFullBackref;
    return Store();
  }

 private:
  absl::Status CheckChange() const {
    for (const ExtentChange::Delta& delta : change_.deltas) {
      if (delta.ref.of_data() != change_.data || delta.count == 0) {
        return absl::InvalidArgumentError(absl::StrCat(delta.ref.ToString(), ", ", delta.count,
                                                       " times, of ",
                                                       change_.data ? "data" : "a tree block"));
      }
    }
    if (change_.data && change_.set_full_backref) {
      return absl::InvalidArgumentError("data has no references by its own address");
    }
    return absl::OkStatus();
  }

  // ---- The item ----

  absl::StatusOr<std::optional<StoredItem>> FindItem() {
    absl::StatusOr<std::optional<StoredItem>> item =
        plan_.AtOrAfter({change_.bytenr, kExtentItemType, 0});
    if (!item.ok()) return item.status();
    if (!IsExtentItem(*item, change_.bytenr)) return std::optional<StoredItem>();
    return item;
  }

  absl::Status Begin() {
    absl::StatusOr<std::optional<StoredItem>> there = FindItem();
    if (!there.ok()) return there.status();
    if (there->has_value()) {
      switch (rules_.existing) {
        case ExtentRules::Existing::kRefuse:
          return absl::AlreadyExistsError(
              absl::StrCat("there is an item ", (*there)->key.ToString()));
        case ExtentRules::Existing::kKeep:
          keep_ = true;
          return Load();
        case ExtentRules::Existing::kReplace:
          if (absl::Status status = RemoveAll(); !status.ok()) return status;
      }
    }
    is_there_ = false;
    head_ = {.references = 0,
             .generation = change_.generation,
             .flags = change_.data ? kExtentData : kExtentTreeBlock};
    const bool skinny = !change_.data && rules_.skinny_metadata;
    key_ = skinny ? Key{change_.bytenr, kMetadataItemType, change_.level}
                  : Key{change_.bytenr, kExtentItemType, change_.bytes};
    if (!change_.data && !skinny) block_ = TreeBlockInfo{change_.first_key, change_.level};
    return absl::OkStatus();
  }

  absl::Status Load() {
    absl::StatusOr<std::optional<StoredItem>> item = FindItem();
    if (!item.ok()) return item.status();
    if (!item->has_value()) return absl::NotFoundError("it has no item");
    is_there_ = true;
    key_ = (*item)->key;
    const bool skinny = key_.type == kMetadataItemType;
    if (!skinny && key_.offset != change_.bytes) {
      return Damage("its item ", key_.ToString(), " is of another length than ", change_.bytes);
    }
    absl::StatusOr<ExtentItem> extent = ParseExtentItem(key_.type, (*item)->data);
    if (!extent.ok()) return extent.status();
    head_ = extent->head;
    block_ = extent->block;
    const bool data = (head_.flags & kExtentData) != 0;
    if (data != change_.data) {
      return Damage("its item is of ", data ? "data" : "a tree block", ", which it is not");
    }
    ItemRecords<InlineRef> refs(extent->inline_refs);
    while (const std::optional<InlineRef> ref = refs.Next()) inline_.push_back(*ref);
    return refs.status();
  }

  // All that the tree has of the extent.
  absl::Status RemoveAll() {
    for (;;) {
      absl::StatusOr<std::optional<StoredItem>> item =
          plan_.AtOrAfter({change_.bytenr, kExtentItemType, 0});
      if (!item.ok()) return item.status();
      const bool of_extent = item->has_value() && (*item)->key.objectid == change_.bytenr &&
                             (*item)->key.type <= kSharedDataRefType;
      if (!of_extent) return absl::OkStatus();
      if (absl::Status status = plan_.Remove((*item)->key); !status.ok()) return status;
    }
  }

  size_t ItemBytes() const {
    size_t bytes = ExtentHead::kBytes + (block_ ? TreeBlockInfo::kBytes : 0);
    for (const InlineRef& ref : inline_) bytes += EncodedBytes(ref);
    return bytes;
  }

  absl::Status Store() {
    if (head_.references == 0) {
      const bool none_inline = std::all_of(
          inline_.begin(), inline_.end(),
          [](const InlineRef& ref) { return std::holds_alternative<ExtentOwnerRef>(ref); });
      absl::StatusOr<bool> keyed = AnyKeyed();
      if (!keyed.ok()) return keyed.status();
      if (!none_inline || *keyed) return Damage("it counts no references, and has some");
      if (is_there_) return plan_.Remove(key_);
      return absl::InvalidArgumentError("a new extent without a reference");
    }
    std::vector<std::byte> bytes;
    absl::Status status = AppendExtentItem(head_, block_, inline_, bytes);
    if (!status.ok()) return status;
    return is_there_ ? plan_.Replace(key_, bytes) : plan_.Insert(key_, bytes);
  }

  // ---- References ----

  std::vector<InlineRef>::iterator FindInline(const ExtentRef& ref) {
    return std::find_if(inline_.begin(), inline_.end(),
                        [&ref](const InlineRef& other) { return RefOf(other) == ref; });
  }

  // Whether any reference has an item of its own.
  absl::StatusOr<bool> AnyKeyed() {
    absl::StatusOr<std::optional<StoredItem>> item =
        plan_.AtOrAfter({change_.bytenr, kTreeBlockRefType, 0});
    if (!item.ok()) return item.status();
    if (!item->has_value() || (*item)->key.objectid != change_.bytenr) return false;
    if ((*item)->key.type == kOldRefType) {
      return absl::UnimplementedError("it has references in the form of before 2009");
    }
    return (*item)->key.type <= kSharedDataRefType;
  }

  // A reference with an item of its own: where it is, or would be, and how often it counts there.
  struct Keyed {
    Key key;
    uint32_t count = 0;  // 0: it is not there
  };
  absl::StatusOr<Keyed> FindKeyed(const ExtentRef& ref) {
    Keyed found{.key = {change_.bytenr, ref.type, OrderOf(ref)}};
    const uint64_t hash = found.key.offset;
    const uint64_t last = hash + std::min(kMostCollisions, ~uint64_t{0} - hash);
    bool room = false;  // found.key is free
    for (Key from = found.key;;) {
      absl::StatusOr<std::optional<StoredItem>> item = plan_.AtOrAfter(from);
      if (!item.ok()) return item.status();
      const bool at_from = item->has_value() && (*item)->key == from;
      if (!at_from && !room) {
        found.key = from;
        room = true;
      }
      if (!item->has_value() || (*item)->key.objectid != change_.bytenr ||
          (*item)->key.type != ref.type || (*item)->key.offset > last) {
        break;
      }
      absl::StatusOr<uint32_t> count = CountIn(**item, ref);
      if (!count.ok()) return count.status();
      if (*count > 0) return Keyed{(*item)->key, *count};
      // Another one of the same hash; only those of data by its owner have any.
      if (ref.type != kExtentDataRefType || (*item)->key.offset == ~uint64_t{0}) break;
      from = {change_.bytenr, ref.type, (*item)->key.offset + 1};
    }
    if (!room) return Damage("no room for a key behind ", found.key.ToString());
    return found;
  }

  // How often `ref` counts in a keyed item that may be its own; 0 where it is another's.
  static absl::StatusOr<uint32_t> CountIn(const StoredItem& item, const ExtentRef& ref) {
    if (ref.type == kExtentDataRefType) {
      absl::StatusOr<ExtentDataRef> of = ParseItem<ExtentDataRef>(item.data);
      if (!of.ok()) return of.status();
      return ExtentRef::OfFile(of->root, of->inode, of->offset) == ref ? of->count : 0;
    }
    if (item.key.offset != ref.root) return 0;
    if (ref.type != kSharedDataRefType) return 1;
    absl::StatusOr<SharedDataCount> of = ParseItem<SharedDataCount>(item.data);
    if (!of.ok()) return of.status();
    return of->count;
  }

  static absl::StatusOr<std::vector<std::byte>> KeyedBytes(const ExtentRef& ref, uint32_t count) {
    std::vector<std::byte> bytes;
    absl::Status status;
    if (ref.type == kExtentDataRefType) {
      status = AppendItem(ExtentDataRef{ref.root, ref.inode, ref.offset, count}, bytes);
    } else if (ref.type == kSharedDataRefType) {
      status = AppendItem(SharedDataCount{count}, bytes);
    }
    if (!status.ok()) return status;
    return bytes;
  }

  // The count that `before` becomes. Blocks are referred to once by each.
  absl::StatusOr<uint32_t> Sum(const ExtentRef& ref, uint64_t before, int64_t difference) const {
    if (!ref.of_data() && difference > 0 && (before > 0 || difference > 1)) {
      return absl::AlreadyExistsError("a tree block is referred to once by each");
    }
    if (difference < 0 && static_cast<uint64_t>(-difference) > before) {
      return Damage("it counts ", before, ", and ", -difference, " are to go");
    }
    const uint64_t sum = before + static_cast<uint64_t>(difference);
    if (sum > std::numeric_limits<uint32_t>::max()) return Damage("it would count ", sum);
    return static_cast<uint32_t>(sum);
  }

  absl::Status Add(const ExtentRef& ref, int64_t count) {
    const auto there = FindInline(ref);
    absl::StatusOr<Keyed> keyed = Keyed{};
    if (there == inline_.end()) {
      keyed = FindKeyed(ref);
      if (!keyed.ok()) return keyed.status();
    }
    const uint64_t before = there != inline_.end() ? ReferencesOf(*there) : keyed->count;
    if (keep_ && before > 0) {
      if (before >= static_cast<uint64_t>(count)) return absl::OkStatus();
      count -= static_cast<int64_t>(before);
    }
    absl::StatusOr<uint32_t> sum = Sum(ref, before, count);
    if (!sum.ok()) return sum.status();
    head_.references += static_cast<uint64_t>(count);
    if (there != inline_.end()) {
      *there = ToInline(ref, *sum);
      return absl::OkStatus();
    }
    if (keyed->count == 0) {
      absl::StatusOr<bool> any = AnyKeyed();
      if (!any.ok()) return any.status();
      if (!*any && FitsInline(ref)) {
        InsertInline(ref, *sum);
        return absl::OkStatus();
      }
    }
    absl::StatusOr<std::vector<std::byte>> bytes = KeyedBytes(ref, *sum);
    if (!bytes.ok()) return bytes.status();
    return keyed->count == 0 ? plan_.Insert(keyed->key, *bytes) : plan_.Replace(keyed->key, *bytes);
  }

  // The kernel's limit: items of extents stay small, so that many fit in a leaf.
  bool FitsInline(const ExtentRef& ref) const {
    const size_t most = (rules_.node_bytes - kHeaderBytes) / 16 - kItemBytes;
    return ItemBytes() + EncodedBytes(ToInline(ref, 1)) < most;
  }

  // By type ascending; within a type the larger first.
  void InsertInline(const ExtentRef& ref, uint32_t count) {
    const uint64_t order = OrderOf(ref);
    const auto at = std::find_if(inline_.begin(), inline_.end(), [&](const InlineRef& other) {
      const ExtentRef of = RefOf(other);
      return of.type > ref.type || (of.type == ref.type && OrderOf(of) < order);
    });
    inline_.insert(at, ToInline(ref, count));
  }

  absl::Status Drop(const ExtentRef& ref, int64_t count) {
    if (static_cast<uint64_t>(count) > head_.references) {
      return Damage("the extent counts ", head_.references, " references, and ", count,
                    " are to go");
    }
    head_.references -= static_cast<uint64_t>(count);
    const auto there = FindInline(ref);
    if (there != inline_.end()) {
      absl::StatusOr<uint32_t> rest = Sum(ref, ReferencesOf(*there), -count);
      if (!rest.ok()) return rest.status();
      if (*rest == 0) {
        inline_.erase(there);
      } else {
        *there = ToInline(ref, *rest);
      }
      return absl::OkStatus();
    }
    absl::StatusOr<Keyed> keyed = FindKeyed(ref);
    if (!keyed.ok()) return keyed.status();
    if (keyed->count == 0) return absl::NotFoundError("there is no such reference");
    absl::StatusOr<uint32_t> rest = Sum(ref, keyed->count, -count);
    if (!rest.ok()) return rest.status();
    if (*rest == 0) return plan_.Remove(keyed->key);
    absl::StatusOr<std::vector<std::byte>> bytes = KeyedBytes(ref, *rest);
    if (!bytes.ok()) return bytes.status();
    return plan_.Replace(keyed->key, *bytes);
  }

  PlannedChanges plan_;
  const ExtentChange& change_;
  const ExtentRules& rules_;
  bool keep_ = false;
  bool is_there_ = false;
  Key key_;
  ExtentHead head_;
  std::optional<TreeBlockInfo> block_;
  std::vector<InlineRef> inline_;
};

}  // namespace

std::string ExtentRef::ToString() const {
  switch (type) {
    case kTreeBlockRefType:
      return absl::StrCat("tree ", root);
    case kSharedBlockRefType:
      return absl::StrCat("parent ", root);
    case kExtentDataRefType:
      return absl::StrCat("file ", inode, " of tree ", root, " from ",
                          static_cast<int64_t>(offset));
    case kSharedDataRefType:
      return absl::StrCat("leaf ", root);
    default:
      return absl::StrCat("reference of type ", type);
  }
}

uint64_t DataRefHash(uint64_t root, uint64_t inode, uint64_t offset) {
  std::byte bytes[24];
  StoreLe(root, bytes);
  StoreLe(inode, bytes + 8);
  StoreLe(offset, bytes + 16);
  const uint32_t high = Crc32cOf(~uint32_t{0}, {bytes, 8});
  const uint32_t low = Crc32cOf(~uint32_t{0}, {bytes + 8, 16});
  return (uint64_t{high} << 31) ^ low;
}

absl::StatusOr<ExtentState> ChangeExtent(ItemStore& store, const ExtentChange& change,
                                         const ExtentRules& rules) {
  absl::StatusOr<ExtentState> state = ExtentEdit(&store, change, rules).Run();
  if (state.ok()) return state;
  return Prefixed(absl::StrCat("extent ", change.bytenr), state.status());
}

absl::Status CheckExtentChange(ItemStore& store, const ExtentChange& change,
                               const ExtentRules& rules) {
  return Prefixed(absl::StrCat("extent ", change.bytenr), ExtentEdit(&store, change, rules).Plan());
}

absl::StatusOr<std::optional<ExtentState>> FindBlockExtent(ItemStore& store, uint64_t bytenr,
                                                           uint32_t node_bytes) {
  const std::string where = absl::StrCat("extent ", bytenr);
  absl::StatusOr<std::optional<StoredItem>> item = store.AtOrAfter({bytenr, kExtentItemType, 0});
  if (!item.ok()) return Prefixed(where, item.status());
  if (!IsExtentItem(*item, bytenr)) return std::optional<ExtentState>();
  const Key& key = (*item)->key;
  absl::StatusOr<ExtentItem> extent = ParseExtentItem(key.type, (*item)->data);
  if (!extent.ok()) return Prefixed(where, extent.status());
  if ((extent->head.flags & kExtentTreeBlock) == 0 ||
      (key.type == kExtentItemType && key.offset != node_bytes)) {
    return Prefixed(where, Damage("item ", key.ToString(), " is of no tree block"));
  }
  return std::optional<ExtentState>(
      {extent->head.references, extent->head.flags, extent->head.generation});
}

absl::StatusOr<std::optional<Range>> FindExtentIn(ItemStore& store, const Range& range,
                                                  uint32_t node_bytes) {
  Key at{range.end() - 1, 0xff, kMaxKey.offset};
  while (true) {
    const absl::StatusOr<std::optional<StoredItem>> item = store.AtOrBefore(at);
    if (!item.ok()) return item.status();
    if (!item->has_value()) return std::optional<Range>();
    const Key& key = (*item)->key;
    if (key.type == kExtentItemType || key.type == kMetadataItemType) {
      const Range extent{key.objectid, key.type == kExtentItemType ? key.offset : node_bytes};
      if (extent.end() > range.start) return std::optional<Range>(extent);
      return std::optional<Range>();
    }
    // References that have items of their own lie behind the extent's, as block groups do.
    if (key.type > kMetadataItemType) {
      at = {key.objectid, kMetadataItemType, kMaxKey.offset};
    } else if (key.objectid > 0) {
      at = {key.objectid - 1, 0xff, kMaxKey.offset};
    } else {
      return std::optional<Range>();
    }
  }
}

}  // namespace ebcache::space
