#include "lib/volume/interrupted_change.h"

#include <absl/strings/str_cat.h>

namespace ebcache {

std::vector<std::string> InterruptedChanges(const Superblock& superblock) {
  std::vector<std::string> changes;
  if (superblock.has(SuperblockFlag::kChangingFsid)) {
    changes.push_back(absl::StrCat(
        "a change of the fsid was interrupted: blocks have the new one, ",
        UuidString(superblock.fsid), ", or the old one, ", UuidString(superblock.device.fsid)));
  }
  if (superblock.has(SuperblockFlag::kChangingMetadataUuid)) {
    changes.push_back(
        "a change of the fsid in the superblocks alone (metadata_uuid) was interrupted");
  }
  if (superblock.has(SuperblockFlag::kChangingBlockGroupTree)) {
    changes.push_back("a conversion to or from the block group tree was interrupted");
  }
  if (superblock.has(SuperblockFlag::kChangingDataChecksums)) {
    changes.push_back(
        "a change of the data checksums was interrupted: there may be two sets of them");
  }
  if (superblock.has(SuperblockFlag::kChangingBlockChecksums)) {
    changes.push_back(
        "a change of the checksums of tree blocks was interrupted: they have the old type or the "
        "new one");
  }
  return changes;
}

bool ChangingChecksums(const Superblock& superblock) {
  return superblock.has(SuperblockFlag::kChangingDataChecksums) ||
         superblock.has(SuperblockFlag::kChangingBlockChecksums);
}

bool ShareInterruptedFsid(const Superblock& a, const Superblock& b) {
  if (a.fsid == b.fsid) return false;
  // Only in superblocks: what blocks carry stays.
  const bool changing =
      a.has(SuperblockFlag::kChangingMetadataUuid) || b.has(SuperblockFlag::kChangingMetadataUuid);
  if (changing && a.header_fsid() == b.header_fsid()) return true;
  // In every block: the device item in the superblock is the last to have the old one.
  const auto changes_from = [](const Superblock& changing, const Superblock& other) {
    return changing.has(SuperblockFlag::kChangingFsid) && changing.device.fsid == other.fsid;
  };
  return changes_from(a, b) || changes_from(b, a);
}

absl::InlinedVector<Uuid, 2> BlockFsids(const Superblock& superblock) {
  absl::InlinedVector<Uuid, 2> fsids = {superblock.header_fsid()};
  const bool changing = superblock.has(SuperblockFlag::kChangingFsid);
  if (changing && superblock.device.fsid != fsids[0]) fsids.push_back(superblock.device.fsid);
  return fsids;
}

}  // namespace ebcache
