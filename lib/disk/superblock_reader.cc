#include "lib/disk/superblock_reader.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "lib/disk/messages.h"
#include "lib/disk/superblock_format.h"

namespace ebcache {
namespace {

// What became of the copies looked at so far.
struct Findings {
  std::optional<Superblock> best;
  std::vector<absl::Status> errors;
  size_t errors_before_best = 0;  // not 0: the primary could not be used
  bool magic = false;             // some copy has it
};

bool HasUnimplemented(const std::vector<absl::Status>& errors) {
  return std::any_of(errors.begin(), errors.end(),
                     [](const absl::Status& error) { return absl::IsUnimplemented(error); });
}

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
  if (!copy.ok()) {
    findings.errors.push_back(copy.status());
  } else if (!findings.best) {
    findings.best = *std::move(copy);
    findings.errors_before_best = findings.errors.size();
  } else if (copy->fsid != findings.best->fsid) {
    // Left over from what was on the device before.
    findings.errors.push_back(absl::DataLossError(absl::StrCat(
        "superblock at ", offset, ": of another filesystem, ", UuidString(copy->fsid))));
  } else if (copy->generation > findings.best->generation) {
    findings.best = *std::move(copy);
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
  const absl::StatusCode code = HasUnimplemented(findings.errors) ? absl::StatusCode::kUnimplemented
                                : unreadable                      ? absl::StatusCode::kUnavailable
                                                                  : absl::StatusCode::kDataLoss;
  const auto append = [](std::string* out, const absl::Status& error) {
    absl::StrAppend(out, error.message());
  };
  return absl::Status(
      code, absl::StrCat(device.name(), ": ", absl::StrJoin(findings.errors, "; ", append)));
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
    if (findings.best && !Fits(offset, findings.best->device.total_bytes)) break;
    LookAt(device, offset, findings);
  }
  // A feature that cannot be read is no damage: an older copy without it must not take over.
  const bool refused = findings.errors_before_best > 0 && HasUnimplemented(findings.errors);
  if (!findings.best || refused) return NoSuperblock(device, findings);
  DeviceSuperblock found{.superblock = *std::move(findings.best)};
  for (const absl::Status& error : findings.errors) {
    found.warnings.push_back(absl::StrCat(device.name(), ": ", error.message()));
  }
  return found;
}

}  // namespace ebcache
