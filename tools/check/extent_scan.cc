#include "tools/check/extent_scan.h"

#include <absl/strings/str_cat.h>

#include <utility>
#include <variant>

#include "ebcache/items.h"

namespace ebcache::tools {
namespace {

std::unique_ptr<HashBatch> MakeBatch(const CheckState& state) {
  return std::move(HashBatch::Create(state.key)).value();
}

bool IsExtent(uint8_t type) { return type == kExtentItemType || type == kMetadataItemType; }

}  // namespace

ExtentScan::ExtentScan(CheckState& state, const std::optional<BTree>& tree, uint64_t start,
                       uint64_t end, SpaceWork work, FactSink& sink)
    : state_(state),
      work_(work),
      writer_(&sink, MakeBatch(state)),
      items_(state, tree, {{start, 0, 0}, {end - 1, kMaxKey.type, kMaxKey.offset}}) {}

void ExtentScan::BlockRef(FactType type, uint64_t from) {
  ++references_;
  extent_->chunk_tree |= type == FactType::kBlockRefByTree && from == kChunkTreeId;
  writer_.Add(
      {.type = type, .subject = extent_->start(), .words = {extent_->level, from}, .name = {}}, -1);
}

void ExtentScan::DataRef(const ExtentDataRef& ref) {
  references_ += ref.count;
  writer_.Add({.type = FactType::kDataRefByTree,
               .subject = extent_->start(),
               .words = {extent_->end - extent_->start(), ref.root, ref.inode, ref.offset},
               .name = {}},
              -int64_t{ref.count});
}

void ExtentScan::SharedDataRefs(uint64_t parent, uint32_t count) {
  references_ += count;
  writer_.Add({.type = FactType::kDataRefByBlock,
               .subject = extent_->start(),
               .words = {extent_->end - extent_->start(), parent},
               .name = {}},
              -int64_t{count});
}

void ExtentScan::TakeInline(const InlineRef& ref) {
  if (const auto* const tree = std::get_if<TreeBlockRef>(&ref)) {
    BlockRef(FactType::kBlockRefByTree, tree->root);
  } else if (const auto* const block = std::get_if<SharedBlockRef>(&ref)) {
    BlockRef(FactType::kBlockRefByBlock, block->parent);
  } else if (const auto* const data = std::get_if<ExtentDataRef>(&ref)) {
    DataRef(*data);
  } else if (const auto* const shared = std::get_if<SharedDataRef>(&ref)) {
    SharedDataRefs(shared->parent, shared->count);
  } else if (const auto* const owner = std::get_if<ExtentOwnerRef>(&ref)) {
    charged_to_ = owner->root;
  }
}

void ExtentScan::TakeInline(const ExtentItem& extent) {
  ItemRecords<InlineRef> refs(extent.inline_refs);
  while (const std::optional<InlineRef> ref = refs.Next()) TakeInline(*ref);
}

void ExtentScan::Begin(const Item& item) {
  const Key& key = item.key();
  const absl::StatusOr<ExtentItem> parsed = ParseExtentItem(key.type, item.data());
  if (!parsed.ok()) return;
  head_ = parsed->head;
  references_ = 0;
  charged_to_ = 0;
  ScannedExtent extent{.key = key, .data = (head_.flags & kExtentData) != 0};
  const bool skinny = key.type == kMetadataItemType;
  extent.end = key.objectid + (skinny ? state_.node_bytes() : key.offset);
  extent.level = skinny          ? static_cast<uint8_t>(key.offset)
                 : parsed->block ? parsed->block->level
                                 : uint8_t{0};
  extent_ = extent;
  if (!extent.data) {
    writer_.Add({.type = FactType::kBlock,
                 .subject = extent.start(),
                 .words = {extent.level, head_.generation, extent.end - extent.start()},
                 .name = {}},
                -1);
  }
  TakeInline(*parsed);
}

void ExtentScan::TakeKeyed(const Item& item) {
  const Key& key = item.key();
  if (key.type == kTreeBlockRefType) BlockRef(FactType::kBlockRefByTree, key.offset);
  if (key.type == kSharedBlockRefType) BlockRef(FactType::kBlockRefByBlock, key.offset);
  if (key.type == kSharedDataRefType) {
    const absl::StatusOr<SharedDataCount> count = ParseItem<SharedDataCount>(item.data());
    if (count.ok()) SharedDataRefs(key.offset, count->count);
  }
  if (key.type == kExtentDataRefType) {
    ItemRecords<ExtentDataRef> refs(item.data());
    while (const std::optional<ExtentDataRef> ref = refs.Next()) DataRef(*ref);
  }
}

// References without an extent in front of them, and block groups without a chunk.
void ExtentScan::TakeOther(const Item& item) {
  const Key& key = item.key();
  if (!everything()) return;
  if (key.type == kBlockGroupItemType) {
    for (const Chunk& chunk : state_.filesystem.volume().chunks()) {
      if (chunk.logical == key.objectid && chunk.length == key.offset) return;
    }
    state_.findings.Add({.kind = FindingKind::kBlockGroupSurplus,
                         .tree = kExtentTreeId,
                         .key = key,
                         .address = key.objectid,
                         .found = "a block group",
                         .expected = "a chunk of the same range"});
    return;
  }
  if (key.type < kExtentOwnerRefType || key.type > kSharedDataRefType) return;
  state_.findings.Add({.kind = FindingKind::kReferenceCount,
                       .tree = kExtentTreeId,
                       .key = key,
                       .address = key.objectid,
                       .found = "an item that follows no extent",
                       .expected = "an extent item in front"});
}

void ExtentScan::Finish() {
  if (!everything()) return;
  const auto add = [&](FindingKind kind, uint64_t found, std::string expected) {
    state_.findings.Add({.kind = kind,
                         .tree = kExtentTreeId,
                         .key = extent_->key,
                         .address = extent_->start(),
                         .found = absl::StrCat(found),
                         .expected = std::move(expected)});
  };
  if (references_ != head_.references && !items_.gaps()) {
    add(FindingKind::kReferenceCount, head_.references, absl::StrCat(references_));
  }
  if (head_.generation > state_.superblock.generation) {
    add(FindingKind::kExtentGeneration, head_.generation,
        absl::StrCat("at most ", state_.superblock.generation));
  }
  if (!extent_->data) {
    if ((head_.flags & kExtentFullBackref) != 0) state_.full_backrefs.Insert(extent_->start());
    if (head_.references > 1) state_.shared.Insert(extent_->start());
  } else if (state_.charge_since && charged_to_ != 0 && head_.generation >= *state_.charge_since) {
    state_.Charge(charged_to_, extent_->end - extent_->start());
  }
}

std::optional<ScannedExtent> ExtentScan::Next() {
  for (; items_.valid(); items_.Next()) {
    const Item& item = items_.item();
    const Key& key = item.key();
    if (IsExtent(key.type)) {
      std::optional<ScannedExtent> done;
      if (extent_) {
        Finish();
        done = extent_;
      }
      extent_.reset();
      Begin(item);
      if (!done) continue;
      items_.Next();
      return done;
    }
    const bool reference = key.type >= kExtentOwnerRefType && key.type <= kSharedDataRefType;
    if (reference && extent_ && extent_->start() == key.objectid) {
      TakeKeyed(item);
    } else {
      TakeOther(item);
    }
  }
  if (extent_) Finish();
  return std::exchange(extent_, std::nullopt);
}

}  // namespace ebcache::tools
