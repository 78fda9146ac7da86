#include "tests/crash/disk_state.h"

#include <absl/hash/hash.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

namespace ebcache::testing {
namespace {

uint64_t Mixed(uint64_t digest, absl::Span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return absl::HashOf(digest, text);
}

// Digests each block, and holds what the cache has of it against each copy.
class Looker : public TreeVisitor {
 public:
  explicit Looker(Filesystem* filesystem) : filesystem_(*filesystem) {}

  bool VisitBlock(const TreeRoot& tree, const ExtentBuffer& block) override {
    bytes_.resize(block.length());
    copy_.resize(block.length());
    const absl::Status read = block.Read(0, absl::MakeSpan(bytes_));
    if (!read.ok()) return Complain(read.ToString());
    digest = absl::HashOf(Mixed(digest, bytes_), tree.id, block.start());
    const absl::StatusOr<std::vector<PhysicalExtent>> copies =
        filesystem_.volume().Map(block.start(), block.length());
    if (!copies.ok()) return Complain(copies.status().ToString());
    for (const PhysicalExtent& extent : *copies) {
      DeviceRead at{.offset = extent.place.offset, .segments = {absl::MakeSpan(copy_)}};
      extent.device->Read(absl::MakeSpan(&at, 1));
      if (!at.status.ok() || copy_ != bytes_) {
        return Complain(absl::StrCat("block ", block.start(), " of ", tree.name, " is another on ",
                                     extent.DeviceName(), " at ", extent.place.offset));
      }
    }
    return true;
  }
  void VisitDamage(const WalkDamage& damage) override { Complain(damage.ToString()); }

  bool Complain(const std::string& words) {
    if (complaint.empty()) complaint = words;
    return false;
  }

  uint64_t digest = 0;
  std::string complaint;

 private:
  Filesystem& filesystem_;
  std::vector<std::byte> bytes_;
  std::vector<std::byte> copy_;
};

}  // namespace

DiskState LookAt(const Disks& disks) {
  DiskState state;
  std::string damaged;
  const auto on_damage = [&damaged](const MirrorDamage& damage) { damaged = damage.reason; };
  const auto filesystem = OpenDisks(disks, {.on_damage = on_damage});
  if (!filesystem.ok()) {
    state.complaint = filesystem.status().ToString();
    return state;
  }
  Looker looker(filesystem->get());
  Superblock superblock = (*filesystem)->superblock();
  state.generation = superblock.generation;
  superblock.bytenr = kSuperblockOffsets[0];
  superblock.device = DeviceItem();
  std::vector<std::byte> bytes(kSuperblockBytes);
  const absl::Status encoded = EncodeSuperblock(superblock, absl::MakeSpan(bytes));
  if (!encoded.ok()) looker.Complain(encoded.ToString());
  looker.digest = Mixed(0, bytes);
  for (const WalkDamage& damage : (*filesystem)->open_damage()) looker.VisitDamage(damage);
  std::vector<WalkDamage> damage;
  BlockSet visited(superblock.node_bytes);
  for (const TreeRoot& tree : (*filesystem)->Trees(&damage)) {
    WalkTree((*filesystem)->cache(), tree, looker, {.visited = &visited});
  }
  for (const WalkDamage& of_roots : damage) looker.VisitDamage(of_roots);
  if (!damaged.empty()) looker.Complain(damaged);
  state.digest = looker.digest;
  state.complaint = looker.complaint;
  return state;
}

SuperblockGenerations SuperblocksOf(const Disks& disks) {
  SuperblockGenerations found;
  std::vector<std::byte> bytes(kSuperblockBytes);
  for (const CowImage& disk : disks) {
    auto& of_disk = found.emplace_back();
    for (const uint64_t offset : kSuperblockOffsets) {
      if (offset + kSuperblockBytes > disk.size_bytes()) break;
      disk.Read(offset, absl::MakeSpan(bytes));
      const absl::StatusOr<Superblock> superblock = ParseSuperblock(bytes, offset);
      of_disk.push_back(superblock.ok() ? std::optional(superblock->generation) : std::nullopt);
    }
  }
  return found;
}

ItemMap FileItemsOf(const Disks& disks) {
  const auto filesystem = OpenDisks(disks);
  EXPECT_TRUE(filesystem.ok()) << filesystem.status();
  if (!filesystem.ok()) return {};
  const absl::StatusOr<BTree> tree = (*filesystem)->Tree(kFsTreeId);
  EXPECT_TRUE(tree.ok()) << tree.status();
  return tree.ok() ? ItemsOf(*tree) : ItemMap();
}

std::string BackupComplaintOf(const Disks& before, const Disks& after) {
  const auto old = OpenDisks(before);
  const auto now = OpenDisks(after);
  if (!old.ok() || !now.ok()) return "cannot be opened";
  const Superblock last = (*old)->superblock();
  const Superblock next = (*now)->superblock();
  size_t changed = 0;
  for (size_t slot = 0; slot < next.backup_roots.size(); ++slot) {
    const BackupRoot& backup = next.backup_roots[slot];
    if (backup == last.backup_roots[slot]) continue;
    ++changed;
    for (const BackupRoot& other : last.backup_roots) {
      if (other.root_generation < last.backup_roots[slot].root_generation) {
        return absl::StrCat("backup ", slot, " was not the oldest");
      }
    }
    const auto is_root = [&](uint64_t tree, uint64_t bytenr, uint64_t generation, uint8_t level) {
      const absl::StatusOr<BTree> found = (*now)->Tree(tree);
      if (absl::IsNotFound(found.status())) return true;
      return found.ok() && found->root().bytenr == bytenr &&
             found->root().generation == generation && found->root().level == level;
    };
    const BackupRoot& b = backup;
    if (b.root != next.root || b.root_generation != next.generation ||
        b.root_level != next.root_level || b.bytes_used != next.bytes_used ||
        b.total_bytes != next.total_bytes || b.num_devices != next.num_devices ||
        !is_root(kChunkTreeId, b.chunk_root, b.chunk_root_generation, b.chunk_root_level) ||
        !is_root(kExtentTreeId, b.extent_root, b.extent_root_generation, b.extent_root_level) ||
        !is_root(kFsTreeId, b.fs_root, b.fs_root_generation, b.fs_root_level) ||
        !is_root(kDevTreeId, b.dev_root, b.dev_root_generation, b.dev_root_level) ||
        !is_root(kCsumTreeId, b.csum_root, b.csum_root_generation, b.csum_root_level)) {
      return absl::StrCat("backup ", slot, " leads somewhere else");
    }
  }
  return changed == 1 ? "" : absl::StrCat(changed, " backups have changed");
}

}  // namespace ebcache::testing
