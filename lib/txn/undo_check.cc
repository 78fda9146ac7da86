#include "lib/txn/undo_check.h"

#include <absl/strings/str_cat.h>

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/filesystem.h"
#include "ebcache/item_codec.h"
#include "ebcache/items_block.h"
#include "lib/device/overlay_device.h"
#include "lib/format/checksum.h"

namespace ebcache::txn {
namespace {

// Remembers what could not be read, and tells how far the walk has come.
class OldStateReader : public TreeVisitor {
 public:
  explicit OldStateReader(const Undo::Progress& progress) : progress_(progress) {}

  bool VisitBlock(const TreeRoot& tree, const ExtentBuffer&) override {
    ++blocks;
    stopped_ = progress_ && !progress_(blocks, tree.name);
    return true;
  }
  void VisitDamage(const WalkDamage& found) override { damage.push_back(found); }
  bool Stopped() override { return stopped_; }

  uint64_t blocks = 0;
  std::vector<WalkDamage> damage;

 private:
  const Undo::Progress& progress_;
  bool stopped_ = false;
};

// The devices as they would be with these superblocks.
absl::StatusOr<std::vector<std::unique_ptr<BlockDevice>>> WithSuperblocks(
    absl::Span<const DeviceImages> devices) {
  std::vector<std::unique_ptr<BlockDevice>> result;
  for (const DeviceImages& one : devices) {
    absl::StatusOr<std::unique_ptr<OverlayDevice>> overlay = OverlayDevice::Create(one.device);
    if (!overlay.ok()) return overlay.status();
    for (const SuperblockImage& image : one.images) {
      DeviceWrite write{.offset = image.offset, .segments = {absl::MakeConstSpan(image.bytes)}};
      (*overlay)->Write(absl::MakeSpan(&write, 1));
      if (!write.status.ok()) return write.status;
    }
    result.push_back(*std::move(overlay));
  }
  return result;
}

// Whether these bytes are a block that the transaction of `generation` has written to that address.
bool IsBlockOf(const Superblock& state, uint64_t generation, uint64_t logical,
               absl::Span<const std::byte> bytes) {
  const absl::StatusOr<BlockHeader> header =
      ParseItem<BlockHeader>(bytes.subspan(0, BlockHeader::kBytes));
  if (!header.ok() || header->bytenr != logical || header->generation != generation) {
    return false;
  }
  const absl::StatusOr<Checksum> computed = ComputeBlockChecksum(state.checksum_type, {bytes});
  return computed.ok() && CompareChecksums(state.checksum_type, header->checksum, *computed).ok();
}

bool IsOverwritten(const Volume& volume, const Superblock& state, uint64_t generation,
                   uint64_t logical) {
  const absl::StatusOr<std::vector<PhysicalExtent>> copies = volume.Map(logical, state.node_bytes);
  if (!copies.ok()) return false;
  std::vector<std::byte> bytes(state.node_bytes);
  for (const PhysicalExtent& copy : *copies) {
    if (copy.device == nullptr) continue;
    DeviceRead read{.offset = copy.place.offset, .segments = {absl::MakeSpan(bytes)}};
    copy.device->Read(absl::MakeSpan(&read, 1));
    if (read.status.ok() && IsBlockOf(state, generation, logical, bytes)) return true;
  }
  return false;
}

}  // namespace

absl::Status CheckOldStateIsThere(absl::Span<const DeviceImages> devices, uint64_t newest,
                                  const Undo::Progress& progress, UndoCounts& counts) {
  absl::StatusOr<std::vector<std::unique_ptr<BlockDevice>>> overlays = WithSuperblocks(devices);
  if (!overlays.ok()) return overlays.status();
  const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      Filesystem::OpenDevices(*std::move(overlays));
  if (!filesystem.ok()) return filesystem.status();
  const Superblock state = (*filesystem)->superblock();
  OldStateReader reader(progress);
  reader.damage = (*filesystem)->open_damage();
  BlockSet visited(state.node_bytes);
  for (const TreeRoot& tree : (*filesystem)->Trees(&reader.damage)) {
    WalkTree((*filesystem)->cache(), tree, reader, {.visited = &visited});
    if (reader.Stopped()) break;
  }
  counts = {.blocks = reader.blocks, .damaged_blocks = reader.damage.size()};
  if (reader.Stopped()) return absl::CancelledError("ended before all of the old state was read");
  for (const WalkDamage& damage : reader.damage) {
    if (absl::IsResourceExhausted(damage.status)) return damage.status;
    if (!IsOverwritten((*filesystem)->volume(), state, newest + 1, damage.logical)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("what the session has kept was written over: ", damage.ToString()));
  }
  return absl::OkStatus();
}

}  // namespace ebcache::txn
