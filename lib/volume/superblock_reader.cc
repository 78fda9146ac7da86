#include "lib/volume/superblock_reader.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "lib/base/messages.h"
#include "lib/format/superblock_codec.h"
#include "lib/volume/interrupted_change.h"

namespace ebcache {
namespace {

// A copy that cannot be used.
struct BadCopy {
  absl::Status error;
  bool read = false;  // its bytes were there, and are what is wrong
};

// What became of the copies looked at so far.
struct Findings {
  std::vector<Superblock> sound;
  std::vector<BadCopy> bad;
  bool magic = false;  // some copy has it
};

// An error where there was no memory to read with: nothing is known of that copy then, and the
// others, which may be older, must not be taken for all there are.
absl::Status LookAt(BlockDevice& device, uint64_t offset, Findings& findings) {
  std::array<std::byte, kSuperblockBytes> bytes;
  DeviceRead read{.offset = offset, .segments = {absl::MakeSpan(bytes)}};
  device.Read(absl::MakeSpan(&read, 1));
  if (!read.status.ok()) {
    absl::Status error = Prefixed(absl::StrCat("superblock at ", offset), read.status);
    if (absl::IsResourceExhausted(error)) return error;
    findings.bad.push_back({.error = std::move(error)});
    return absl::OkStatus();
  }
  findings.magic |= HasSuperblockMagic(bytes);
  absl::StatusOr<Superblock> copy = ParseSuperblock(bytes, offset);
  if (copy.ok()) {
    findings.sound.push_back(*std::move(copy));
  } else {
    findings.bad.push_back({.error = copy.status(), .read = true});
  }
  return absl::OkStatus();
}

// One line that tells all there is wrong with a device of which no copy can be used. Of a device
// that fails only the number is known, if it is the same for all copies; what is wrong with bytes
// that were read is damage.
absl::Status NoSuperblock(const BlockDevice& device, const Findings& findings) {
  const std::vector<BadCopy>& bad = findings.bad;
  if (!findings.magic && bad[0].read && absl::IsDataLoss(bad[0].error)) {
    return absl::DataLossError(absl::StrCat(
        device.name(), ": not a btrfs filesystem: no superblock magic at ", kSuperblockOffsets[0]));
  }
  const bool damage = std::any_of(bad.begin(), bad.end(), [](const BadCopy& copy) {
    return copy.read || absl::IsDataLoss(copy.error);
  });
  const int number = NumberOf(bad[0].error);
  const bool same = std::all_of(
      bad.begin(), bad.end(), [&](const BadCopy& copy) { return NumberOf(copy.error) == number; });
  const auto append = [](std::string* out, const BadCopy& copy) {
    absl::StrAppend(out, copy.error.message());
  };
  return WithNumber(
      absl::Status(damage ? absl::StatusCode::kDataLoss : absl::StatusCode::kUnavailable,
                   absl::StrCat(device.name(), ": ", absl::StrJoin(bad, "; ", append))),
      same ? number : 0);
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
  if (!SuperblockFits(kSuperblockOffsets[0], device.size_bytes())) {
    return absl::DataLossError(
        absl::StrCat(device.name(), ": not a btrfs filesystem: ", device.size_bytes(),
                     " bytes, too small for the superblock at ", kSuperblockOffsets[0]));
  }
  Findings findings;
  for (uint64_t offset : kSuperblockOffsets) {
    if (!SuperblockFits(offset, device.size_bytes())) break;
    // The filesystem may be smaller than its device; what lies behind it is not its own.
    if (!findings.sound.empty() && !SuperblockFits(offset, findings.sound[0].device.total_bytes))
      break;
    absl::Status looked = LookAt(device, offset, findings);
    if (!looked.ok()) return Prefixed(device.name(), looked);
  }
  const bool primary = !findings.sound.empty() && findings.sound[0].bytenr == kSuperblockOffsets[0];
  // A feature that cannot be read is no damage: a copy without it must not take over, and what the
  // other copies look like is not known either.
  const auto feature = std::find_if(
      findings.bad.begin(), findings.bad.end(),
      [](const BadCopy& copy) { return copy.read && absl::IsUnimplemented(copy.error); });
  if (!primary && feature != findings.bad.end()) return Prefixed(device.name(), feature->error);
  if (findings.sound.empty()) return NoSuperblock(device, findings);

  const auto newer = [](const Superblock& a, const Superblock& b) {
    return a.generation > b.generation;
  };
  std::stable_sort(findings.sound.begin() + (primary ? 1 : 0), findings.sound.end(), newer);
  DeviceSuperblock found{.superblock = std::move(findings.sound[0]), .others = {}, .warnings = {}};
  for (const BadCopy& copy : findings.bad) {
    found.warnings.push_back(absl::StrCat(device.name(), ": ", copy.error.message()));
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
