#include "tools/check/tree_check.h"

#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <algorithm>
#include <utility>

#include "ebcache/items.h"
#include "tools/check/file_check.h"

namespace ebcache::tools {
namespace {

constexpr size_t kLeafBatch = 64;
constexpr size_t kNodeBatch = 8;
// What a remembered summary takes, with its place in the table.
constexpr uint64_t kMemoBytes = 768;

bool HasFiles(const TreeRoot& root) {
  return (IsFsTree(root.id) && !root.deleted()) || root.id == kDataRelocTreeId;
}

// Trees whose leaves CheckSpace goes through.
bool LeavesAreElsewhere(uint64_t tree) { return tree == kExtentTreeId || tree == kCsumTreeId; }

bool RefersToData(uint64_t tree) {
  return IsFsTree(tree) || tree == kRootTreeId || tree == kDataRelocTreeId || tree == kTreeRelocId;
}

// See TreeRoot::drop_progress.
uint32_t FirstSlotThere(const TreeRoot& root, const ExtentBuffer& node, int level) {
  const bool dropping = root.drop_progress != kMinKey && root.drop_level > 0;
  if (!dropping || level < root.drop_level) return 0;
  if (level == root.drop_level) return CountNodeKeysBelow(node, root.drop_progress);
  const uint32_t up_to = CountNodeKeysUpTo(node, root.drop_progress);
  return up_to == 0 ? 0 : up_to - 1;
}

}  // namespace

Sum& FileSums::Of(FactType type) {
  switch (type) {
    case FactType::kEntry:
      return entries;
    case FactType::kLink:
      return links;
    case FactType::kKindOfFile:
      return kinds;
    default:
      return orphans;
  }
}

FileSums& FileSums::operator+=(const FileSums& other) {
  entries += other.entries;
  links += other.links;
  kinds += other.kinds;
  orphans += other.orphans;
  return *this;
}

// Goes through subtrees, on one thread.
class TreeCheck::Worker : public FileFacts {
 public:
  Worker(TreeCheck& check, const TreeRoot& root)
      : check_(check),
        state_(check.state_),
        root_(root),
        files_(check.work_ == TreeWork::kEverything && HasFiles(root)),
        rules_(RulesFor(check.state_, root)),
        references_(&check.sink_, std::move(HashBatch::Create(check.state_.key)).value()),
        file_hashes_(std::move(HashBatch::Create(check.state_.key)).value()) {}

  FilesSummary Go(const Child& child, absl::StatusOr<ExtentBufferRef> block);
  // Reads the child and goes through it.
  FilesSummary Go(const Child& child) {
    return Go(child, state_.filesystem.cache().ReadBlock(child.start, &child.check));
  }
  // The children of a block that is gone through in parts, if it is to be; else none.
  std::optional<std::vector<Child>> Open(const Child& child);
  void RootReference();
  void Add(const Fact& fact, int64_t times) override {
    file_hashes_->Add(fact);
    pending_.push_back({fact.type, times});
  }
  void Join(FilesSummary& left, const FilesSummary& right);
  void Settle(FilesSummary& summary);
  bool files() const { return files_; }
  const FileRules& rules() const { return rules_; }

 private:
  std::vector<Child> ChildrenOf(const Child& child, const ExtentBuffer& node);
  bool Enter(const Child& child, const ExtentBuffer& block);
  void NodeFacts(const ExtentBuffer& node, uint32_t first_slot);
  void LeafFacts(const ExtentBuffer& leaf, const Key& key, absl::Span<const std::byte> data,
                 const InodeRun& run);
  FilesSummary GoThroughLeaf(const ExtentBuffer& leaf, bool fresh);
  FilesSummary GoThroughChildren(const std::vector<Child>& children);
  void BlockFact(uint64_t start, uint8_t level, uint64_t generation);
  Key LastKey(const ExtentBuffer& block) const;

  TreeCheck& check_;
  CheckState& state_;
  const TreeRoot& root_;
  const bool files_;
  const FileRules rules_;
  FactWriter references_;
  std::unique_ptr<HashBatch> file_hashes_;
  std::vector<std::pair<FactType, int64_t>> pending_;  // what file_hashes_ has
  std::vector<std::byte> copy_;                        // of a leaf in pieces
};

void TreeCheck::Worker::BlockFact(uint64_t start, uint8_t level, uint64_t generation) {
  references_.Add({.type = FactType::kBlock,
                   .subject = start,
                   .words = {level, generation, state_.node_bytes()},
                   .name = {}},
                  1);
}

void TreeCheck::Worker::RootReference() {
  // The root of a relocation tree is its own parent.
  const bool reloc = root_.id == kTreeRelocId;
  references_.Add({.type = reloc ? FactType::kBlockRefByBlock : FactType::kBlockRefByTree,
                   .subject = root_.bytenr,
                   .words = {root_.level, reloc ? root_.bytenr : root_.id},
                   .name = {}},
                  1);
}

void TreeCheck::Worker::Settle(FilesSummary& summary) {
  const absl::Span<const Sum> hashes = file_hashes_->Finish();
  for (size_t i = 0; i < pending_.size(); ++i) {
    summary.sums.Of(pending_[i].first).Add(hashes[i], pending_[i].second);
  }
  pending_.clear();
}

void TreeCheck::Worker::Join(FilesSummary& left, const FilesSummary& right) {
  if (!files_) return;
  left.sums += right.sums;
  left.run.Join(right.run, rules_, *this);
  Settle(left);
}

Key TreeCheck::Worker::LastKey(const ExtentBuffer& block) const {
  const Header header(block);
  if (header.item_count() == 0) return kMinKey;
  const uint32_t last = header.item_count() - 1;
  return header.level() == 0 ? LeafKey(block, last) : NodeKey(block, last);
}

// Whether this is the first visit of the block.
bool TreeCheck::Worker::Enter(const Child& child, const ExtentBuffer& block) {
  const Key last = LastKey(block);
  if (!child.last && last >= child.end && check_.work_ == TreeWork::kEverything) {
    state_.findings.Add({.kind = FindingKind::kBlockMisplaced,
                         .tree = root_.id,
                         .key = last,
                         .address = child.start,
                         .found = "a key that belongs into a later block",
                         .expected = absl::StrCat("keys below ", child.end.ToString())});
  }
  const bool fresh = check_.visited_.Insert(child.start);
  if (!fresh) return false;
  const Header header(block);
  BlockFact(child.start, header.level(), header.generation());
  if (check_.work_ == TreeWork::kEverything) {
    if (state_.charge_since && IsFsTree(header.owner()) &&
        header.generation() >= *state_.charge_since) {
      state_.Charge(header.owner(), state_.node_bytes());
    }
    state_.meter.Add(state_.node_bytes(), root_.name);
  }
  return true;
}

void TreeCheck::Worker::NodeFacts(const ExtentBuffer& node, uint32_t first_slot) {
  const Header header(node);
  const bool full = state_.full_backrefs.Contains(node.start());
  const uint64_t level = header.level() - 1;
  for (uint32_t slot = first_slot; slot < header.item_count(); ++slot) {
    const KeyPointer pointer = LoadKeyPointer(node, slot);
    references_.Add({.type = full ? FactType::kBlockRefByBlock : FactType::kBlockRefByTree,
                     .subject = pointer.bytenr,
                     .words = {level, full ? node.start() : header.owner()},
                     .name = {}},
                    1);
    if (level > 0 || !LeavesAreElsewhere(root_.id)) continue;
    BlockFact(pointer.bytenr, 0, pointer.generation);
  }
}

void TreeCheck::Worker::LeafFacts(const ExtentBuffer& leaf, const Key& key,
                                  absl::Span<const std::byte> data, const InodeRun& run) {
  if (key.type != kExtentDataType) return;
  const absl::StatusOr<FileExtentItem> extent = ParseItem<FileExtentItem>(data);
  if (!extent.ok() || !extent->place || extent->place->disk_bytenr == 0) return;
  const FileExtentPlace& place = *extent->place;
  const bool full = state_.full_backrefs.Contains(leaf.start());
  if (full) {
    references_.Add({.type = FactType::kDataRefByBlock,
                     .subject = place.disk_bytenr,
                     .words = {place.disk_bytes, leaf.start()},
                     .name = {}},
                    1);
  } else {
    references_.Add(
        {.type = FactType::kDataRefByTree,
         .subject = place.disk_bytenr,
         .words = {place.disk_bytes, Header(leaf).owner(), key.objectid, key.offset - place.offset},
         .name = {}},
        1);
  }
  if (files_) CheckChecksums(state_, check_.space_, root_, key, *extent, run);
}

FilesSummary TreeCheck::Worker::GoThroughLeaf(const ExtentBuffer& leaf, bool fresh) {
  FilesSummary summary;
  const bool data_refs = fresh && RefersToData(root_.id);
  if (!data_refs && !files_) return summary;
  absl::Span<const std::byte> bytes(leaf.contiguous(), leaf.length());
  if (leaf.contiguous() == nullptr) {
    copy_.resize(leaf.length());
    if (!leaf.Read(0, absl::MakeSpan(copy_)).ok()) return summary;
    bytes = copy_;
  }
  const uint32_t items = Header(leaf).item_count();
  for (uint32_t slot = 0; slot < items; ++slot) {
    const ItemHead head = LoadItemHead(leaf, slot);
    if (head.offset > bytes.size() || head.size > bytes.size() - head.offset) continue;
    const absl::Span<const std::byte> data = bytes.subspan(head.offset, head.size);
    if (files_) TakeFileItem(head.key, data, rules_, summary.run, *this);
    if (data_refs) LeafFacts(leaf, head.key, data, summary.run);
  }
  Settle(summary);
  return summary;
}

std::vector<TreeCheck::Child> TreeCheck::Worker::ChildrenOf(const Child& child,
                                                            const ExtentBuffer& node) {
  const Header header(node);
  const uint8_t level = header.level();
  std::vector<Child> children;
  if (level == 1 && LeavesAreElsewhere(root_.id)) return children;
  const uint32_t slots = header.item_count();
  for (uint32_t slot = FirstSlotThere(root_, node, level); slot < slots; ++slot) {
    const KeyPointer pointer = LoadKeyPointer(node, slot);
    const bool last = slot + 1 == slots;
    children.push_back({.start = pointer.bytenr,
                        .check = {.level = static_cast<uint8_t>(level - 1),
                                  .generation = pointer.generation,
                                  .owner = root_.id,
                                  .first_key = pointer.key},
                        .end = last ? child.end : NodeKey(node, slot + 1),
                        .last = last && child.last});
  }
  return children;
}

FilesSummary TreeCheck::Worker::GoThroughChildren(const std::vector<Child>& children) {
  FilesSummary summary;
  BufferCache& cache = state_.filesystem.cache();
  for (size_t next = 0; next < children.size();) {
    const size_t most = children[next].check.level == 0 ? kLeafBatch : kNodeBatch;
    std::vector<const Child*> batch;
    std::vector<std::optional<FilesSummary>> known;
    std::vector<uint64_t> starts;
    std::vector<const ParentCheck*> checks;
    for (; next < children.size() && starts.size() < most; ++next) {
      const Child& child = children[next];
      if (std::count(starts.begin(), starts.end(), child.start) > 0) break;
      batch.push_back(&child);
      known.push_back(check_.Remembered(child));
      if (known.back()) continue;
      starts.push_back(child.start);
      checks.push_back(&child.check);
    }
    std::vector<absl::StatusOr<ExtentBufferRef>> blocks;
    for (size_t i = 0; i < starts.size(); ++i) blocks.emplace_back(ExtentBufferRef());
    cache.ReadBlocks(starts, checks, absl::MakeSpan(blocks));
    size_t read = 0;
    for (size_t i = 0; i < batch.size(); ++i) {
      Join(summary, known[i] ? *known[i] : Go(*batch[i], std::move(blocks[read++])));
    }
  }
  return summary;
}

FilesSummary TreeCheck::Worker::Go(const Child& child, absl::StatusOr<ExtentBufferRef> block) {
  if (!block.ok()) {
    check_.NoteLost(root_, child, block.status());
    // That it should be there is known all the same.
    if (check_.visited_.Insert(child.start)) {
      BlockFact(child.start, child.check.level.value_or(0), child.check.generation);
    }
    return {};
  }
  const ExtentBuffer& bytes = **block;
  const bool fresh = Enter(child, bytes);
  if (!fresh && !files_) return {};
  const uint8_t level = Header(bytes).level();
  FilesSummary summary;
  if (level == 0) {
    summary = GoThroughLeaf(bytes, fresh);
  } else {
    if (fresh) NodeFacts(bytes, FirstSlotThere(root_, bytes, level));
    const Key last_key = LastKey(bytes);
    const std::vector<Child> children = ChildrenOf(child, bytes);
    if (level > 1) block = ExtentBufferRef();  // not held while what is below is read
    summary = GoThroughChildren(children);
    if (files_ && (!fresh || state_.shared.Contains(child.start))) {
      check_.Remember(child, last_key, summary);
    }
    return summary;
  }
  if (files_ && (!fresh || state_.shared.Contains(child.start))) {
    check_.Remember(child, LastKey(bytes), summary);
  }
  return summary;
}

std::optional<std::vector<TreeCheck::Child>> TreeCheck::Worker::Open(const Child& child) {
  if (child.check.level == 0 || check_.Remembered(child)) return std::nullopt;
  const absl::StatusOr<ExtentBufferRef> block =
      state_.filesystem.cache().ReadBlock(child.start, &child.check);
  // Whatever is special about it is told where it is gone through as a whole.
  if (!block.ok() || state_.shared.Contains(child.start)) return std::nullopt;
  if (check_.visited_.Contains(child.start)) return std::nullopt;
  Enter(child, **block);
  NodeFacts(**block, FirstSlotThere(root_, **block, Header(**block).level()));
  return ChildrenOf(child, **block);
}

TreeCheck::TreeCheck(CheckState& state, const SpaceTrees& space, FactSink& sink, TreeWork work,
                     uint64_t memo_bytes)
    : state_(state),
      space_(space),
      sink_(sink),
      work_(work),
      most_memos_(memo_bytes / kMemoBytes),
      visited_(state.node_bytes()) {}

TreeCheck::~TreeCheck() = default;

void TreeCheck::NoteLost(const TreeRoot& root, const Child& child, const absl::Status& status) {
  state_.lost.Note({.tree = root.id,
                    .key_offset = root.key_offset,
                    .level = child.check.level.value_or(0),
                    .logical = child.start,
                    .status = status,
                    .tree_deleted = root.deleted(),
                    .item = {}});
}

std::optional<FilesSummary> TreeCheck::Remembered(const Child& child) {
  const MutexLock lock(memo_mutex_);
  const auto found = memos_.find(child.start);
  if (found == memos_.end()) return std::nullopt;
  const Memo& memo = *found->second;
  const bool same = memo.check.level == child.check.level &&
                    memo.check.generation == child.check.generation &&
                    (!child.check.first_key || !memo.check.first_key ||
                     memo.check.first_key == child.check.first_key);
  if (!same || (!child.last && memo.last_key >= child.end)) return std::nullopt;
  return memo.summary;
}

void TreeCheck::Remember(const Child& child, const Key& last_key, const FilesSummary& summary) {
  const MutexLock lock(memo_mutex_);
  if (most_memos_ == 0) return;
  // Trees come one after the other: which block is met again next cannot be known.
  if (memos_.size() >= most_memos_) memos_.erase(memos_.begin());
  memos_[child.start] = std::make_unique<Memo>(Memo{child.check, last_key, summary});
}

std::vector<TreeCheck::Part> TreeCheck::Split(const TreeRoot& root, Worker& worker) {
  const ParentCheck check{
      .level = root.level, .generation = root.generation, .owner = root.id, .first_key = {}};
  std::vector<Part> parts = {{{root.bytenr, check, kMaxKey, true}, {}}};
  const size_t enough = size_t{8} * state_.threads;
  for (int level = root.level; level > 0 && parts.size() < enough; --level) {
    std::vector<Part> next;
    for (Part& part : parts) {
      std::optional<std::vector<Child>> children = worker.Open(part.child);
      if (!children) {
        next.push_back(std::move(part));
        continue;
      }
      for (Child& child : *children) next.push_back({std::move(child), {}});
    }
    parts = std::move(next);
  }
  return parts;
}

void TreeCheck::Check(const TreeRoot& root) {
  Worker worker(*this, root);
  worker.RootReference();
  std::vector<Part> parts = Split(root, worker);
  ForEachTask(state_.threads, parts.size(), [&](size_t i) {
    Worker own(*this, root);
    std::optional<FilesSummary> known = Remembered(parts[i].child);
    parts[i].summary = known ? std::move(known) : own.Go(parts[i].child);
  });
  FilesSummary all;
  for (const Part& part : parts) worker.Join(all, *part.summary);
  if (worker.files()) CheckFiles(root, std::move(all), worker);
}

void TreeCheck::CheckFiles(const TreeRoot& root, FilesSummary summary, Worker& worker) {
  summary.run.Close(worker.rules(), worker);
  worker.Settle(summary);
  FileDifferences differences{.entries = !summary.sums.entries.zero(),
                              .links = !summary.sums.links.zero(),
                              .kinds = !summary.sums.kinds.zero(),
                              .orphans = !summary.sums.orphans.zero()};
  CheckTopDirectory(state_, root);
  if (differences.any()) ExplainFiles(state_, root, differences);
}

}  // namespace ebcache::tools
