#include "lib/disk/superblock_reader.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "lib/disk/interrupted_change.h"
#include "lib/disk/messages.h"
#include "lib/disk/superblock_format.h"

namespace ebcache {
namespace {

// What became of the copies looked at so far.
struct Findings {
  std::vector<Superblock> sound;
  std::vector<absl::Status> errors;
  bool magic = false;  // some copy has it
};

bool Fits(uint64_t offset, uint64_t bytes) {
  return bytes >= kSuperblockBytes && offset <= bytes - kSuperblockBytes;
}

absl::StatusOr<Superblock> ReadCopy(BlockDevice& device, uint64_t offset, bool* magic) {
  std::array<std::byte, kSuperblockBytes> bytes;
  DeviceRead read{.offset = offset, .segments = {absl::MakeSpan(bytes)}};
  device.Read(absl::MakeSpan(&read, 1));
  if (!read.status.ok()) return Prefixed(absl::StrCat("superblock at ", offset), read.status);
  *magic = HasSuperblockMagic(bytes);
  return ParseSuperblock(bytes, offset);
}

void LookAt(BlockDevice& device, uint64_t offset, Findings& findings) {
  bool magic = false;
  absl::StatusOr<Superblock> copy = ReadCopy(device, offset, &magic);
  findings.magic |= magic;
  if (copy.ok()) {
    findings.sound.push_back(*std::move(copy));
  } else {
    findings.errors.push_back(copy.status());
  }
}

// One line that tells all there is wrong with a device of which no copy can be used.
absl::Status NoSuperblock(const BlockDevice& device, const Findings& findings) {
  if (!findings.magic && absl::IsDataLoss(findings.errors[0])) {
    return absl::DataLossError(absl::StrCat(
        device.name(), ": not a btrfs filesystem: no superblock magic at ", kSuperblockOffsets[0]));
  }
  const bool unreadable =
      std::all_of(findings.errors.begin(), findings.errors.end(),
                  [](const absl::Status& error) { return absl::IsUnavailable(error); });
  const auto append = [](std::string* out, const absl::Status& error) {
    absl::StrAppend(out, error.message());
  };
  return absl::Status(
      unreadable ? absl::StatusCode::kUnavailable : absl::StatusCode::kDataLoss,
      absl::StrCat(device.name(), ": ", absl::StrJoin(findings.errors, "; ", append)));
}

// Why a sound copy is no copy of the one that is used; empty when it is.
std::string Difference(const Superblock& copy, const Superblock& used) {
  if (ShareInterruptedFsid(copy, used)) {
    return absl::StrCat("fsid ", UuidString(copy.fsid), ", that at ", used.bytenr, " has ",
                        UuidString(used.fsid), ": a change of the fsid was interrupted");
  }
  if (copy.fsid != used.fsid) {
    // Left over from what was on the device before.
    return absl::StrCat("of another filesystem, ", UuidString(copy.fsid));
  }
  if (copy.generation != used.generation) {
    return absl::StrCat("generation ", copy.generation, ", that at ", used.bytenr, " has ",
                        used.generation, " and is used");
  }
  return {};
}

}  // namespace

absl::StatusOr<DeviceSuperblock> ReadSuperblock(BlockDevice& device) {
  if (!Fits(kSuperblockOffsets[0], device.size_bytes())) {
    return absl::DataLossError(
        absl::StrCat(device.name(), ": not a btrfs filesystem: ", device.size_bytes(),
                     " bytes, too small for the superblock at ", kSuperblockOffsets[0]));
  }
  Findings findings;
  for (uint64_t offset : kSuperblockOffsets) {
    if (!Fits(offset, device.size_bytes())) break;
    // The filesystem may be smaller than its device; what lies behind it is not its own.
    if (!findings.sound.empty() && !Fits(offset, findings.sound[0].device.total_bytes)) break;
    LookAt(device, offset, findings);
  }
  const bool primary = !findings.sound.empty() && findings.sound[0].bytenr == kSuperblockOffsets[0];
  // A feature that cannot be read is no damage: a copy without it must not take over, and what the
  // other copies look like is not known either.
  const auto feature =
      std::find_if(findings.errors.begin(), findings.errors.end(),
                   [](const absl::Status& error) { return absl::IsUnimplemented(error); });
  if (!primary && feature != findings.errors.end()) return Prefixed(device.name(), *feature);
  if (findings.sound.empty()) return NoSuperblock(device, findings);

  const auto newer = [](const Superblock& a, const Superblock& b) {
    return a.generation > b.generation;
  };
  std::stable_sort(findings.sound.begin() + (primary ? 1 : 0), findings.sound.end(), newer);
  DeviceSuperblock found{.superblock = std::move(findings.sound[0]), .others = {}, .warnings = {}};
  for (const absl::Status& error : findings.errors) {
    found.warnings.push_back(absl::StrCat(device.name(), ": ", error.message()));
  }
  for (size_t i = 1; i < findings.sound.size(); ++i) {
    Superblock& copy = findings.sound[i];
    const std::string difference = Difference(copy, found.superblock);
    if (!difference.empty()) {
      found.warnings.push_back(
          absl::StrCat(device.name(), ": superblock at ", copy.bytenr, ": ", difference));
    }
    if (copy.fsid == found.superblock.fsid) found.others.push_back(std::move(copy));
  }
  return found;
}

}  // namespace ebcache
