#include "lib/txn/block_writer.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "ebcache/item_codec.h"
#include "ebcache/items_block.h"
#include "ebcache/items_file.h"
#include "lib/base/check.h"
#include "lib/base/messages.h"
#include "lib/tree/edit/mutable_block.h"
#include "lib/txn/block_edit.h"
#include "lib/txn/refusal.h"

namespace ebcache::txn {
namespace {

// Blocks that are handed to the cache at a time.
constexpr size_t kWriteBatch = 256;

space::ExtentChange BlockExtent(uint64_t bytenr, uint32_t node_bytes, uint8_t level,
                                uint64_t generation) {
  return {.bytenr = bytenr, .bytes = node_bytes, .level = level, .generation = generation};
}

space::ExtentChange ExtentOf(const ExtentBuffer& block) {
  const Header header(block);
  return BlockExtent(block.start(), block.length(), header.level(), header.generation());
}

// The data that an item of a file tree refers to: nothing where it refers to none.
std::optional<FileExtentPlace> DataOf(const Key& key, absl::Span<const std::byte> data) {
  if (key.type != kExtentDataType) return std::nullopt;
  const absl::StatusOr<FileExtentItem> item = ParseItem<FileExtentItem>(data);
  if (!item.ok() || !item->place || item->place->disk_bytenr == 0) return std::nullopt;
  return item->place;
}

}  // namespace

BlockWriter::BlockWriter(BufferCache* cache, Volume* volume, BlockSpace* space,
                         space::DelayedRefs* delayed, WrittenPlaces* written,
                         const BlockIdentity& identity, FindReferences find_references,
                         CheckTelling check_telling)
    : cache_(cache),
      volume_(volume),
      space_(space),
      delayed_(delayed),
      identity_(identity),
      find_references_(std::move(find_references)),
      check_telling_(std::move(check_telling)),
      written_(written) {}

BlockWriter::~BlockWriter() { GiveUp(); }

// A block must have a copy on a device that is there; and none may still use what the cache has of
// the address: a reader that holds on to what was there before keeps it.
bool BlockWriter::Usable(uint64_t bytenr) {
  const absl::StatusOr<std::vector<PhysicalExtent>> copies =
      volume_->Map(bytenr, identity_.node_bytes);
  if (!copies.ok()) return false;
  const bool there = std::any_of(copies->begin(), copies->end(),
                                 [](const PhysicalExtent& copy) { return copy.device != nullptr; });
  if (!there) return false;
  const ExtentBufferRef cached = cache_->Find(bytenr);
  return !cached || cached->state().refs <= 2;  // the cache's, and this one
}

// As long as there are others, not where a block of this generation was written: see WrittenPlaces.
absl::StatusOr<uint64_t> BlockWriter::Allocate(bool system) {
  bool& fresh_left = fresh_left_[system ? 1 : 0];
  if (fresh_left) {
    absl::StatusOr<uint64_t> fresh =
        space_->Allocate(system, [this](uint64_t at) { return !written_->Has(at) && Usable(at); });
    if (!absl::IsResourceExhausted(fresh.status())) return fresh;
    // What is given back unwritten is passed over, so as not to look for it each time.
    fresh_left = false;
  }
  return space_->Allocate(system, [this](uint64_t at) { return Usable(at); });
}

// Old filesystems have blocks at addresses that are no multiples of their size. What the cache has of
// one that is gone keeps others from a place that overlaps it, as long as there is a place that does
// not.
absl::StatusOr<ExtentBufferRef> BlockWriter::CreateSomewhere(bool system) {
  while (true) {
    const absl::StatusOr<uint64_t> bytenr = Allocate(system);
    if (!bytenr.ok()) return bytenr.status();
    absl::StatusOr<ExtentBufferRef> block = cache_->Create(*bytenr);
    if (block.ok()) return block;
    if (!absl::IsAlreadyExists(block.status())) {
      space_->GiveBack(*bytenr);
      return NoRefusal(block.status());
    }
    passed_over_.push_back(*bytenr);
  }
}

absl::StatusOr<ExtentBufferRef> BlockWriter::Place(TreeState& tree, uint8_t level,
                                                   const Key& first_key) {
  absl::StatusOr<ExtentBufferRef> block = CreateSomewhere(tree.id == kChunkTreeId);
  if (!block.ok()) return block;
  const uint64_t bytenr = (*block)->start();
  if ((*block)->uptodate()) ++counts_.recycled;
  const absl::Status fresh = cache_->TryReinitAsNewBlock(*block, kHeaderBytes);
  if (!fresh.ok()) block = fresh;
  space::ExtentChange extent =
      BlockExtent(bytenr, identity_.node_bytes, level, identity_.generation);
  extent.is_new = true;
  extent.first_key = first_key;
  extent.deltas = {{space::ExtentRef::OfTree(tree.id), 1}};
  if (block.ok()) {
    const absl::Status added = delayed_->AddNew(extent);
    if (!added.ok()) block = added;
  }
  if (!block.ok()) {
    space_->GiveBack(bytenr);
    return NoRefusal(block.status());  // of a block, in the middle of a change
  }
  blocks_.emplace(bytenr, block->Share());
  return block;
}

absl::StatusOr<ExtentBufferRef> BlockWriter::Make(TreeState& tree, uint8_t level,
                                                  const Key& first_key) {
  absl::StatusOr<ExtentBufferRef> block = Place(tree, level, first_key);
  if (!block.ok()) return block;
  const BlockEdit edit(**block, BlockEdit::Purpose::kChange);
  const absl::StatusOr<edit::MutableBlock> made =
      edit::MutableBlock::Init(edit.bytes(), {.fsid = identity_.fsid,
                                              .chunk_tree_uuid = identity_.chunk_tree_uuid,
                                              .bytenr = (*block)->start(),
                                              .generation = identity_.generation,
                                              .owner = tree.id,
                                              .level = level});
  if (!made.ok()) return made.status();
  block->SetDirty();
  tree.bytes_changed += identity_.node_bytes;
  ++counts_.made;
  return block;
}

// A block that a relocation has moved is younger than snapshots that share it, and what it refers to
// may be referred to by its address.
absl::StatusOr<BlockReferences> BlockWriter::ReferencesOf(const TreeState& tree,
                                                          const ExtentBuffer& block, bool is_root) {
  const Header header(block);
  const bool may_be_shared =
      tree.shareable() && !is_root &&
      (header.generation() <= tree.root_item.last_snapshot || (header.flags() & kHeaderReloc) != 0);
  if (!may_be_shared) return BlockReferences{};
  absl::StatusOr<BlockReferences> references = find_references_(block.start());
  if (!references.ok()) return references;
  if (const auto pending = delayed_->Find(block.start())) {
    references->count += static_cast<uint64_t>(pending->references);
    references->full_backref |= pending->full_backref;
  }
  if (references->count == 0) {
    return absl::DataLossError(
        absl::StrCat("block ", block.start(), " of tree ", TreeName(tree.id), " has no reference"));
  }
  return references;
}

absl::StatusOr<ExtentBufferRef> BlockWriter::Copy(TreeState& tree, ExtentBufferRef old,
                                                  bool is_root) {
  const Header header(*old);
  const absl::StatusOr<BlockReferences> references = ReferencesOf(tree, *old, is_root);
  if (!references.ok()) return references.status();
  const BlockEdit from(*old, BlockEdit::Purpose::kLook);
  const absl::StatusOr<edit::MutableBlock> source = from.Open();
  if (!source.ok()) return source.status();
  absl::StatusOr<ExtentBufferRef> copy = Place(tree, header.level(), source->key(0));
  if (!copy.ok()) return copy;
  {
    const BlockEdit to(**copy, BlockEdit::Purpose::kChange);
    const absl::StatusOr<edit::MutableBlock> copied = edit::MutableBlock::CopyForCow(
        *source, to.bytes(),
        {.bytenr = (*copy)->start(), .generation = identity_.generation, .owner = tree.id});
    if (!copied.ok()) return copied.status();
  }
  copy->SetDirty();
  absl::Status moved = MoveReferences(tree, *old, *references);
  if (!moved.ok()) return moved;
  DropReference(tree, *old);
  ++counts_.copied;
  old.PutStale();
  return copy;
}

// Which references the copy of a block takes over, and which become the block's own: the table of
// docs/transactions.md.
absl::Status BlockWriter::MoveReferences(const TreeState& tree, ExtentBuffer& old,
                                         const BlockReferences& references) {
  const space::ExtentRef by_owner = space::ExtentRef::OfTree(tree.id);
  const space::ExtentRef by_parent = space::ExtentRef::OfParent(old.start());
  if (references.count > 1) {
    if (Header(old).owner() != tree.id || references.full_backref) {
      return ReferToChildren(old, by_owner, 1);
    }
    if (absl::Status status = ReferToChildren(old, by_parent, 1); !status.ok()) return status;
    delayed_->SetFullBackref(ExtentOf(old));
    return absl::OkStatus();
  }
  if (!references.full_backref) return absl::OkStatus();
  absl::Status status = ReferToChildren(old, by_owner, 1);
  return status.ok() ? ReferToChildren(old, by_parent, -1) : status;
}

absl::Status BlockWriter::ReferToChildren(ExtentBuffer& block, const space::ExtentRef& by,
                                          int64_t count) {
  const bool by_parent = by.type == kSharedBlockRefType;
  const BlockEdit look(block, BlockEdit::Purpose::kLook);
  const absl::StatusOr<edit::MutableBlock> view = look.Open();
  if (!view.ok()) return view.status();
  for (uint32_t slot = 0; slot < view->item_count(); ++slot) {
    if (!view->is_leaf()) {
      const uint8_t level = static_cast<uint8_t>(view->level() - 1);
      const KeyPointer child = view->pointer(slot);
      delayed_->Add(BlockExtent(child.bytenr, identity_.node_bytes, level, child.generation), by,
                    count);
      continue;
    }
    const Key key = view->key(slot);
    const std::optional<FileExtentPlace> place = DataOf(key, view->data(slot));
    if (!place) continue;
    const space::ExtentRef of_data =
        by_parent ? space::ExtentRef::OfLeaf(by.root)
                  : space::ExtentRef::OfFile(by.root, key.objectid, key.offset - place->offset);
    delayed_->Add({.bytenr = place->disk_bytenr, .bytes = place->disk_bytes, .data = true}, of_data,
                  count);
  }
  return absl::OkStatus();
}

// What led to the block was this tree's: a block whose children are referred to by its address is
// never one that may be changed, so that none of its kind is above one that is dropped here.
void BlockWriter::DropReference(const TreeState& tree, const ExtentBuffer& block) {
  DropReference(block, space::ExtentRef::OfTree(tree.id));
}

void BlockWriter::DropReference(const ExtentBuffer& block, const space::ExtentRef& by) {
  const auto outcome = delayed_->Add(ExtentOf(block), by, -1);
  written_->Freed(block.start());
  if (outcome == space::DelayedRefs::Outcome::kCancelled) space_->GiveBack(block.start());
}

absl::Status BlockWriter::Free(TreeState& tree, ExtentBufferRef block, bool is_root) {
  if (!MayChange(block->start())) {
    const absl::StatusOr<BlockReferences> references = ReferencesOf(tree, *block, is_root);
    if (!references.ok()) return references.status();
    absl::Status moved = MoveReferences(tree, *block, *references);
    if (!moved.ok()) return moved;
  }
  FreeLast(tree, std::move(block), space::ExtentRef::OfTree(tree.id));
  return absl::OkStatus();
}

void BlockWriter::FreeLast(TreeState& tree, ExtentBufferRef block, const space::ExtentRef& by) {
  DropReference(*block, by);
  blocks_.erase(block->start());
  block.ClearDirty();
  tree.bytes_changed -= identity_.node_bytes;
  ++counts_.freed;
  block.PutStale();
}

absl::Status BlockWriter::ReferByAddress(const TreeState& tree, ExtentBuffer& block) {
  absl::Status status = ReferToChildren(block, space::ExtentRef::OfParent(block.start()), 1);
  if (status.ok()) status = ReferToChildren(block, space::ExtentRef::OfTree(tree.id), -1);
  if (!status.ok()) return status;
  delayed_->SetFullBackref(ExtentOf(block));
  return absl::OkStatus();
}

bool BlockWriter::IsOursAlone(const TreeState& tree, const ExtentBuffer& block, bool is_root) {
  if (MayChange(block.start())) return true;
  const absl::StatusOr<BlockReferences> references = ReferencesOf(tree, block, is_root);
  if (!references.ok() || references->count != 1 || references->full_backref) return false;
  const space::ExtentChange dropped =
      delayed_->With(ExtentOf(block), space::ExtentRef::OfTree(tree.id), -1);
  // What was written early, and is gone again, the tree has not heard of.
  return dropped.deltas.empty() || check_telling_(dropped).ok();
}

ExtentBufferRef BlockWriter::Own(uint64_t bytenr) const {
  const auto at = blocks_.find(bytenr);
  return at == blocks_.end() ? ExtentBufferRef() : at->second.Share();
}

std::vector<uint64_t> BlockWriter::UnwrittenPlaces() const {
  std::vector<uint64_t> places;
  places.reserve(blocks_.size());
  for (const auto& [bytenr, block] : blocks_) places.push_back(bytenr);
  return places;
}

absl::Status BlockWriter::WriteAll(bool early) {
  std::vector<ExtentBufferRef> blocks;
  blocks.reserve(blocks_.size());
  // What needs memory comes first: a block that is in neither list would stay DIRTY for ever.
  for (const auto& [bytenr, block] : blocks_) written_->Add(bytenr);
  // From here on they are no blocks that may be changed, whatever comes of the write.
  for (auto& [bytenr, block] : blocks_) blocks.push_back(std::move(block));
  blocks_.clear();
  std::sort(blocks.begin(), blocks.end(), [](const ExtentBufferRef& a, const ExtentBufferRef& b) {
    return a->start() < b->start();
  });
  for (const ExtentBufferRef& block : blocks) {
    // Clean, it would not be written now, and a superblock would lead to what lies there.
    if (!block->dirty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("block ", block->start(),
                       ": its changes were written, or given up, by something else than the "
                       "transaction"));
    }
    // Whether all in it is sound is looked at where it is sealed.
    BlockEdit edit(*block, BlockEdit::Purpose::kChange);
    edit::MutableBlock view = edit.Reopen();
    view.set_flags(view.flags() | kHeaderWritten);
  }
  counts_.written += blocks.size();
  if (early) counts_.written_early += blocks.size();
  absl::Span<const ExtentBufferRef> rest(blocks);
  while (!rest.empty()) {
    const absl::Span<const ExtentBufferRef> batch = rest.subspan(0, kWriteBatch);
    const absl::Status status = cache_->WritebackMany(batch, WriteDurability::kUntilFlush);
    if (!status.ok()) return status;
    rest.remove_prefix(batch.size());
  }
  return absl::OkStatus();
}

absl::Status BlockWriter::CheckMissedCopies() const {
  for (const uint64_t bytenr : written_->WrittenOver()) {
    const absl::StatusOr<std::vector<PhysicalExtent>> copies =
        volume_->Map(bytenr, identity_.node_bytes);
    if (!copies.ok()) return copies.status();
    for (size_t copy = 1; copy <= copies->size(); ++copy) {
      const absl::Status missed = volume_->CheckCopy(bytenr, static_cast<int>(copy));
      if (missed.ok()) continue;
      return absl::FailedPreconditionError(
          absl::StrCat(missed.message(),
                       "; what was there before is of the same generation, and would be taken for "
                       "it"));
    }
  }
  return absl::OkStatus();
}

void BlockWriter::Keep() {
  for (const uint64_t bytenr : passed_over_) space_->GiveBack(bytenr);
  written_->Committed();
  ended_ = true;
}

void BlockWriter::GiveUp() {
  if (ended_) return;
  ended_ = true;
  for (auto& [bytenr, block] : blocks_) {
    block.ClearDirty();
    block.PutStale();
  }
  blocks_.clear();
  // Those of which a write has failed are DIRTY still; the others lie where nothing leads.
  written_->ForEachLive([this](uint64_t bytenr) {
    ExtentBufferRef block = cache_->Find(bytenr);
    if (!block) return;
    block.ClearDirty();
    block.PutStale();
  });
  written_->Aborted();
}

}  // namespace ebcache::txn
