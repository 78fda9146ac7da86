#include "lib/volume/superblock_set.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "lib/volume/interrupted_change.h"
#include "lib/volume/superblock_reader.h"

namespace ebcache {
namespace {

using Devices = std::vector<std::unique_ptr<BlockDevice>>;

// What of a superblock decides what is read by it.
bool SameRoots(const Superblock& a, const Superblock& b) {
  return a.generation == b.generation && a.root == b.root && a.root_level == b.root_level &&
         a.chunk_root == b.chunk_root && a.chunk_root_level == b.chunk_root_level &&
         a.system_chunk_array == b.system_chunk_array;
}

// The filesystem that is to be opened: the one that is no seed, else the newest.
size_t MainDevice(const std::vector<DeviceSuperblock>& found) {
  size_t main = 0;
  for (size_t i = 1; i < found.size(); ++i) {
    const Superblock& a = found[i].superblock;
    const Superblock& b = found[main].superblock;
    const bool seed = a.has(SuperblockFlag::kSeeding);
    const bool main_is_seed = b.has(SuperblockFlag::kSeeding);
    if (seed != main_is_seed ? main_is_seed : a.generation > b.generation) main = i;
  }
  return main;
}

absl::Status OfAnotherFilesystem(const BlockDevice& device, const Superblock& sb,
                                 const BlockDevice& main_device, const Superblock& main) {
  return absl::InvalidArgumentError(absl::StrCat(device.name(), ": of another filesystem, ",
                                                 UuidString(sb.fsid), ", than ", main_device.name(),
                                                 ", ", UuidString(main.fsid)));
}

void AddFsids(SuperblockSet& set, const Superblock& superblock) {
  const auto fsids = BlockFsids(superblock);
  set.other_fsids.insert(set.other_fsids.end(), fsids.begin(), fsids.end());
}

void AddChanges(SuperblockSet& set, const Superblock& superblock) {
  for (std::string& change : InterruptedChanges(superblock)) {
    const bool said =
        std::find(set.notices.begin(), set.notices.end(), change) != set.notices.end();
    if (!said) set.notices.push_back(std::move(change));
  }
}

// Sorts the devices into those of the main filesystem and seeds.
absl::Status Sort(const Devices& devices, const std::vector<DeviceSuperblock>& found, size_t main,
                  SuperblockSet& set) {
  const Superblock& main_superblock = found[main].superblock;
  for (size_t i = 0; i < devices.size(); ++i) {
    const Superblock& sb = found[i].superblock;
    // What is left of a device that is too short can be read, copy by copy; it is not written.
    if (devices[i]->size_bytes() < sb.device.total_bytes) {
      set.truncated.push_back(absl::StrCat(devices[i]->name(),
                                           ": truncated: ", devices[i]->size_bytes(),
                                           " bytes, its superblock says ", sb.device.total_bytes));
    }
    set.devices.push_back(sb.device);
    if (sb.fsid == main_superblock.fsid) {
      AddChanges(set, sb);
      continue;
    }
    if (ShareInterruptedFsid(sb, main_superblock)) {
      set.notices.push_back(absl::StrCat(
          "a change of the fsid (",
          sb.header_fsid() == main_superblock.header_fsid() ? "metadata_uuid" : "of all blocks",
          ") was interrupted between devices: ", devices[i]->name(), " has ", UuidString(sb.fsid),
          ", ", devices[main]->name(), " has ", UuidString(main_superblock.fsid)));
      continue;
    }
    if (!sb.has(SuperblockFlag::kSeeding)) {
      // In words the first device given is right, and the other one is not of its filesystem.
      const size_t wrong = i == 0 ? main : i;
      return OfAnotherFilesystem(*devices[wrong], found[wrong].superblock, *devices[0],
                                 found[0].superblock);
    }
    set.seeds.push_back(i);
    AddFsids(set, sb);
  }
  return absl::OkStatus();
}

void AddCandidate(SuperblockSet& set, size_t device, const Superblock& superblock) {
  const bool known = std::any_of(
      set.candidates.begin(), set.candidates.end(),
      [&](const SuperblockSet::Candidate& c) { return SameRoots(c.superblock, superblock); });
  if (!known) set.candidates.push_back({device, superblock});
}

}  // namespace

absl::StatusOr<SuperblockSet> ReadSuperblocks(const Devices& devices) {
  std::vector<DeviceSuperblock> found;
  for (const std::unique_ptr<BlockDevice>& device : devices) {
    absl::StatusOr<DeviceSuperblock> superblock = ReadSuperblock(*device);
    if (!superblock.ok()) return superblock.status();
    found.push_back(*std::move(superblock));
  }
  SuperblockSet set;
  const size_t main = MainDevice(found);
  const Superblock& newest = found[main].superblock;
  if (absl::Status status = Sort(devices, found, main, set); !status.ok()) return status;
  const auto is_seed = [&](size_t i) {
    return std::find(set.seeds.begin(), set.seeds.end(), i) != set.seeds.end();
  };

  set.warnings = set.truncated;
  AddCandidate(set, main, newest);
  for (size_t i = 0; i < devices.size(); ++i) {
    set.warnings.insert(set.warnings.end(), found[i].warnings.begin(), found[i].warnings.end());
    if (is_seed(i)) continue;
    AddCandidate(set, i, found[i].superblock);
    const uint64_t generation = found[i].superblock.generation;
    if (generation == newest.generation) continue;
    set.warnings.push_back(absl::StrCat(devices[i]->name(), ": superblock of generation ",
                                        generation, ", that of ", devices[main]->name(), " is ",
                                        newest.generation));
  }
  std::vector<SuperblockSet::Candidate> mirrors;
  for (size_t i = 0; i < devices.size(); ++i) {
    if (is_seed(i)) continue;
    for (const Superblock& mirror : found[i].others) mirrors.push_back({i, mirror});
  }
  std::stable_sort(mirrors.begin(), mirrors.end(), [](const auto& a, const auto& b) {
    return a.superblock.generation > b.superblock.generation;
  });
  for (const SuperblockSet::Candidate& mirror : mirrors) {
    AddCandidate(set, mirror.device, mirror.superblock);
  }
  return set;
}

}  // namespace ebcache
