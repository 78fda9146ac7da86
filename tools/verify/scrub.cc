#include "tools/verify/scrub.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "ebcache/btree.h"
#include "ebcache/on_disk.h"
#include "tools/table.h"

namespace ebcache::tools {
namespace {

// What is remembered of damage, at the most: a hostile image can claim any number of blocks.
constexpr size_t kKeptBlocks = 1000000;

// Goes through every tree; the copies of a block that trees share are read once.
class ScrubVisitor : public TreeVisitor {
 public:
  ScrubVisitor(const Volume& volume, CopyScrubber& scrubber, LostCopies& copies, Progress& progress)
      : volume_(volume),
        scrubber_(scrubber),
        copies_(copies),
        progress_(progress),
        node_bytes_(volume.superblock().node_bytes),
        scrubbed_(node_bytes_),
        lost_blocks_(node_bytes_) {}

  bool VisitBlock(const TreeRoot& tree, const ExtentBuffer& block) override {
    if (scrubbed_.Insert(block.start())) scrubber_.Add(tree, block);
    ShowProgress(tree.name);
    return true;
  }

  void VisitDamage(const WalkDamage& damage) override {
    // The same block may be missed from several trees, and told of when the trees were looked for.
    lost_.Note(damage, CauseOf(damage, volume_));
    const std::vector<MirrorDamage> copies = copies_.Take(damage.logical);
    if (copies.empty() || lost_blocks_.size() >= kKeptBlocks) return;
    if (lost_blocks_.Insert(damage.logical)) scrubber_.AddLost(damage, copies);
  }

  uint64_t blocks() const { return scrubbed_.size(); }
  LostBlocks TakeLost() { return std::move(lost_); }

 private:
  void ShowProgress(const std::string& tree) {
    const uint64_t copies = scrubber_.totals().read;
    const double elapsed_s = progress_.elapsed_s();
    const double rate = elapsed_s > 0 ? static_cast<double>(copies * node_bytes_) / elapsed_s : 0;
    progress_.Update(copies, "copies",
                     absl::StrCat(HumanBytes(static_cast<uint64_t>(rate)), "/s  ", tree));
  }

  const Volume& volume_;
  CopyScrubber& scrubber_;
  LostCopies& copies_;
  Progress& progress_;
  const uint32_t node_bytes_;
  BlockSet scrubbed_;
  BlockSet lost_blocks_;
  LostBlocks lost_;
};

// A root that was met below another one will not be held against what its root item says of it.
void CheckRoot(Filesystem& filesystem, const TreeRoot& root, ScrubVisitor& visitor) {
  const ParentCheck check{
      .level = root.level, .generation = root.generation, .owner = root.id, .first_key = {}};
  const absl::Status status = filesystem.ReadTreeBlock(root.bytenr, check).status();
  if (status.ok()) return;
  visitor.VisitDamage({.tree = root.id,
                       .key_offset = root.key_offset,
                       .level = root.level,
                       .logical = root.bytenr,
                       .status = status,
                       .tree_deleted = root.deleted()});
}

}  // namespace

uint64_t ScrubReport::bytes_read() const {
  return totals.read * filesystem->superblock().node_bytes;
}

void LostCopies::Note(const MirrorDamage& damage) {
  if (damage.recovered) return;  // the scrub reads that copy itself
  const MutexLock lock(mutex_);
  copies_[damage.logical][damage.mirror] = damage;
}

std::vector<MirrorDamage> LostCopies::Take(uint64_t logical) {
  const MutexLock lock(mutex_);
  std::vector<MirrorDamage> copies;
  const auto found = copies_.find(logical);
  if (found == copies_.end()) return copies;
  for (auto& [mirror, damage] : found->second) copies.push_back(std::move(damage));
  copies_.erase(found);
  return copies;
}

ScrubReport Scrub(Filesystem& filesystem, LostCopies& lost, Progress& progress,
                  Readahead* readahead) {
  const uint32_t node_bytes = filesystem.superblock().node_bytes;
  CopyScrubber scrubber(filesystem);
  ScrubVisitor visitor(filesystem.volume(), scrubber, lost, progress);
  for (const WalkDamage& damage : filesystem.open_damage()) visitor.VisitDamage(damage);
  std::vector<WalkDamage> early;
  const std::vector<TreeRoot> roots = filesystem.Trees(&early);
  for (const WalkDamage& damage : early) visitor.VisitDamage(damage);

  // Subvolumes and snapshots share blocks, and no other trees do: what another tree claims of
  // theirs must be met as what it is, not passed over.
  BlockSet visited(node_bytes);
  for (const TreeRoot& root : roots) {
    BlockSet* const shared = IsFsTree(root.id) ? &visited : nullptr;
    if (shared != nullptr && shared->Contains(root.bytenr)) CheckRoot(filesystem, root, visitor);
    WalkTree(filesystem.cache(), root, visitor,
             {.visited = shared, .readahead = readahead, .drop_behind = true});
  }
  scrubber.Flush();
  progress.Clear();
  return {.filesystem = &filesystem,
          .blocks = visitor.blocks(),
          .totals = scrubber.totals(),
          .devices = scrubber.devices(),
          .damaged = scrubber.damaged(),
          .lost = visitor.TakeLost(),
          .superblocks = filesystem.volume().superblock_warnings(),
          .elapsed_s = progress.elapsed_s()};
}

}  // namespace ebcache::tools
