#include "tools/verify/copy_scrubber.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <utility>

#include "ebcache/block_device.h"
#include "ebcache/on_disk.h"
#include "tools/damage.h"

namespace ebcache::tools {

// A copy that is to be read.
struct CopyScrubber::Pending {
  uint64_t tree;
  uint64_t key_offset;
  bool tree_deleted;
  uint64_t logical;
  int mirror;
  int good_mirror;
  PhysicalExtent extent;
  ParentCheck check;
};

namespace {

// What the good copy says of itself, for the others to be the same.
ParentCheck CheckOf(const ExtentBuffer& block) {
  const Header header(block);
  ParentCheck check{.level = header.level(),
                    .generation = header.generation(),
                    .owner = header.owner(),
                    .first_key = {}};
  if (header.item_count() > 0) check.first_key = LoadKey(block, kHeaderBytes);
  return check;
}

}  // namespace

std::string DamagedCopy::ToString() const {
  const std::string other =
      good_mirror ? absl::StrCat("mirror ", *good_mirror, " is good") : "no copy is good";
  return absl::StrCat("tree ", TreeNameWithState(tree, key_offset, tree_deleted), ", level ", level,
                      ", block ", copy.logical, ", ", copy.ToString(), "; ", other);
}

CopyScrubber::CopyScrubber(Filesystem& filesystem)
    : volume_(filesystem.volume()),
      buffers_({.node_bytes = filesystem.superblock().node_bytes, .budget_bytes = 0}) {}

CopyScrubber::~CopyScrubber() = default;

DeviceTally& CopyScrubber::TallyOf(const PhysicalExtent& extent) {
  DeviceTally& tally = devices_[extent.place.device_id];
  if (tally.name.empty()) tally.name = extent.DeviceName();
  return tally;
}

DeviceTally CopyScrubber::totals() const {
  DeviceTally sum;
  for (const auto& [id, tally] : devices_) {
    sum.read += tally.read;
    sum.damaged += tally.damaged;
    sum.missing += tally.missing;
    sum.no_memory += tally.no_memory;
  }
  return sum;
}

void CopyScrubber::Add(const TreeRoot& tree, const ExtentBuffer& block) {
  const absl::StatusOr<std::vector<PhysicalExtent>> copies =
      volume_.Map(block.start(), block.length());
  if (!copies.ok()) return;  // it was mapped a moment ago, to be read
  for (size_t copy = 0; copy < copies->size(); ++copy) {
    const PhysicalExtent& extent = (*copies)[copy];
    const int mirror = static_cast<int>(copy) + 1;
    if (extent.device == nullptr) {
      ++TallyOf(extent).missing;
    } else if (mirror == block.mirror()) {
      ++TallyOf(extent).read;
    } else {
      pending_.push_back({.tree = tree.id,
                          .key_offset = tree.key_offset,
                          .tree_deleted = tree.deleted(),
                          .logical = block.start(),
                          .mirror = mirror,
                          .good_mirror = block.mirror(),
                          .extent = extent,
                          .check = CheckOf(block)});
    }
  }
  if (pending_.size() >= kBatch) Flush();
}

void CopyScrubber::AddLost(const WalkDamage& damage, const std::vector<MirrorDamage>& copies) {
  for (const MirrorDamage& copy : copies) {
    DeviceTally& tally = devices_[copy.place.device_id];
    if (tally.name.empty()) tally.name = copy.device;
    if (copy.device_missing) {
      ++tally.missing;
      continue;
    }
    if (copy.no_memory) {
      ++tally.no_memory;
      continue;
    }
    ++tally.read;
    Note({.copy = copy,
          .tree = damage.tree,
          .key_offset = damage.key_offset,
          .tree_deleted = damage.tree_deleted,
          .level = damage.level});
  }
}

void CopyScrubber::Note(DamagedCopy copy) {
  ++devices_[copy.copy.place.device_id].damaged;
  if (damaged_.size() < kKept) damaged_.push_back(std::move(copy));
}

void CopyScrubber::Judge(const Pending& pending, const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) {
    ++TallyOf(pending.extent).no_memory;
    return;
  }
  ++TallyOf(pending.extent).read;
  if (status.ok()) return;
  // The block's address stands in the report already.
  std::string reason(status.message());
  const std::string prefix = absl::StrCat("block ", pending.logical, ": ");
  if (reason.rfind(prefix, 0) == 0) reason.erase(0, prefix.size());
  Note({.copy = {.logical = pending.logical,
                 .mirror = pending.mirror,
                 .place = pending.extent.place,
                 .device = pending.extent.device->name(),
                 .reason = std::move(reason),
                 .recovered = true},
        .tree = pending.tree,
        .key_offset = pending.key_offset,
        .tree_deleted = pending.tree_deleted,
        .level = *pending.check.level,
        .good_mirror = pending.good_mirror});
}

void CopyScrubber::Flush() {
  std::vector<ExtentBufferRef> buffers;
  std::vector<CopyRead> reads;
  std::vector<const Pending*> read;  // those that `reads` are of
  for (const Pending& pending : pending_) {
    absl::StatusOr<ExtentBufferRef> buffer = buffers_.CreateDummy(pending.logical);
    if (!buffer.ok()) {
      Judge(pending, buffer.status());
      continue;
    }
    reads.push_back({.buffer = buffer->get(), .mirror = pending.mirror, .check = &pending.check});
    read.push_back(&pending);
    buffers.push_back(*std::move(buffer));
  }
  volume_.ReadCopies(absl::MakeSpan(reads));
  for (size_t i = 0; i < reads.size(); ++i) Judge(*read[i], reads[i].status);
  pending_.clear();
}

}  // namespace ebcache::tools
