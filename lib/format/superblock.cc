// Superblocks: one copy, from bytes to a Superblock that passed all checks.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/on_disk.h"
#include "lib/base/messages.h"
#include "lib/format/checksum.h"
#include "lib/format/feature_flags.h"
#include "lib/format/superblock_codec.h"
#include "lib/format/system_chunk_array.h"

namespace ebcache {
namespace {

constexpr uint32_t kMinSectorBytes = 4096;
// From here up the format allows sectors; below 4096 they are a feature that cannot be read.
constexpr uint32_t kMinSectorBytesOfFormat = 512;
constexpr uint32_t kMaxNodeBytes = 65536;

// What must hold before any other field may be believed.
absl::Status CheckIntegrity(absl::Span<const std::byte> bytes, uint64_t physical,
                            ChecksumType* type) {
  if (!HasSuperblockMagic(bytes)) return absl::DataLossError("no btrfs magic");
  const uint16_t type_on_disk = LoadLe16(bytes, format::kOffsetOf<&Superblock::checksum_type>);
  std::optional<ChecksumType> known = ChecksumTypeFromDisk(type_on_disk);
  if (!known) return absl::DataLossError(absl::StrCat("unknown checksum type ", type_on_disk));
  *type = *known;
  Checksum stored;
  std::memcpy(stored.data(), bytes.data(), stored.size());
  absl::StatusOr<Checksum> computed = ComputeBlockChecksum(*known, {bytes});
  if (!computed.ok()) return computed.status();
  absl::Status same = CompareChecksums(*known, stored, *computed);
  if (!same.ok()) return same;
  const uint64_t bytenr = format::LoadField<&Superblock::bytenr>(bytes.data());
  if (bytenr != physical) {
    return absl::DataLossError(absl::StrCat("says that it is at ", bytenr));
  }
  return absl::OkStatus();
}

absl::Status CheckSizes(const Superblock& sb, size_t array_bytes) {
  if (std::has_single_bit(sb.sector_bytes) && sb.sector_bytes >= kMinSectorBytesOfFormat &&
      sb.sector_bytes < kMinSectorBytes) {
    return absl::UnimplementedError(absl::StrCat("uses features that cannot be read: sectors of ",
                                                 sb.sector_bytes, " bytes, smaller than ",
                                                 kMinSectorBytes));
  }
  if (!std::has_single_bit(sb.sector_bytes) || sb.sector_bytes < kMinSectorBytes ||
      sb.sector_bytes > kMaxNodeBytes) {
    return absl::DataLossError(absl::StrCat("sector size ", sb.sector_bytes,
                                            " is no power of two from ", kMinSectorBytes, " to ",
                                            kMaxNodeBytes));
  }
  if (!std::has_single_bit(sb.node_bytes) || sb.node_bytes < sb.sector_bytes ||
      sb.node_bytes > kMaxNodeBytes) {
    return absl::DataLossError(absl::StrCat("node size ", sb.node_bytes,
                                            " is no power of two from the sector size ",
                                            sb.sector_bytes, " to ", kMaxNodeBytes));
  }
  if (sb.leaf_bytes != sb.node_bytes) {
    return absl::DataLossError(
        absl::StrCat("leaf size ", sb.leaf_bytes, " is not the node size ", sb.node_bytes));
  }
  if (array_bytes > kSystemChunkArrayBytes) {
    return absl::DataLossError(absl::StrCat("system chunk array of ", array_bytes,
                                            " bytes, room is for ", kSystemChunkArrayBytes));
  }
  if (array_bytes < kKeyBytes + ChunkItemBytes(1)) {
    return absl::DataLossError(
        absl::StrCat("system chunk array of ", array_bytes, " bytes holds no chunk"));
  }
  return absl::OkStatus();
}

absl::Status CheckRoot(const char* tree, uint64_t bytenr, uint8_t level, uint32_t sector_bytes) {
  if (bytenr % sector_bytes != 0) {
    return absl::DataLossError(absl::StrCat(tree, " root at ", bytenr,
                                            " is not aligned to the sector size ", sector_bytes));
  }
  if (level >= kMaxLevels) {
    return absl::DataLossError(
        absl::StrCat(tree, " root has level ", level, ", the highest is ", kMaxLevels - 1));
  }
  return absl::OkStatus();
}

absl::Status CheckRoots(const Superblock& sb) {
  absl::Status status = CheckRoot("tree", sb.root, sb.root_level, sb.sector_bytes);
  if (status.ok()) status = CheckRoot("chunk", sb.chunk_root, sb.chunk_root_level, sb.sector_bytes);
  if (status.ok()) status = CheckRoot("log", sb.log_root, sb.log_root_level, sb.sector_bytes);
  return status;
}

absl::Status CheckTotals(const Superblock& sb) {
  if (sb.num_devices == 0) return absl::DataLossError("number of devices is 0");
  if (sb.total_bytes == 0) return absl::DataLossError("total bytes is 0");
  // The root blocks of the trees that no filesystem is without.
  const uint64_t least_used = uint64_t{6} * sb.node_bytes;
  if (sb.bytes_used < least_used) {
    return absl::DataLossError(
        absl::StrCat("bytes used ", sb.bytes_used, " is less than any filesystem's ", least_used));
  }
  if (sb.device.fsid != sb.header_fsid() && !sb.has(SuperblockFlag::kChangingFsid)) {
    return absl::DataLossError(absl::StrCat("its device item has fsid ", UuidString(sb.device.fsid),
                                            ", not ", UuidString(sb.header_fsid())));
  }
  return absl::OkStatus();
}

absl::StatusOr<Superblock> Parse(absl::Span<const std::byte> bytes, uint64_t physical) {
  if (bytes.size() != kSuperblockBytes) {
    return absl::DataLossError(absl::StrCat(bytes.size(), " bytes, not ", kSuperblockBytes));
  }
  ChecksumType type;
  if (absl::Status status = CheckIntegrity(bytes, physical, &type); !status.ok()) return status;
  Superblock sb = format::Decode<Superblock>(bytes.data());
  // Before the other fields: a feature may have changed what they mean.
  if (absl::Status status = CheckIncompatFeatures(sb.incompat_flags); !status.ok()) return status;
  const size_t array_bytes = LoadLe32(bytes, format::kSystemChunkArrayBytesOffset);
  if (absl::Status status = CheckSizes(sb, array_bytes); !status.ok()) return status;
  if (absl::Status status = CheckRoots(sb); !status.ok()) return status;
  if (absl::Status status = CheckTotals(sb); !status.ok()) return status;
  format::DecodeVariableParts(bytes, array_bytes, sb);
  absl::StatusOr<std::vector<Chunk>> chunks =
      ParseSystemChunkArray(sb.system_chunk_array, sb.sector_bytes);
  if (!chunks.ok()) return chunks.status();
  return sb;
}

}  // namespace

absl::Status EncodeSuperblock(const Superblock& superblock, absl::Span<std::byte> out) {
  const std::optional<ChecksumType> type =
      ChecksumTypeFromDisk(static_cast<uint16_t>(superblock.checksum_type));
  if (!type) {
    return absl::InvalidArgumentError(absl::StrCat(
        "superblock: unknown checksum type ", static_cast<uint16_t>(superblock.checksum_type)));
  }
  // Beside `out`, which is not to change when the checksum cannot be computed.
  std::vector<std::byte> bytes(out.size());
  absl::Status status = EncodeItem(superblock, absl::MakeSpan(bytes));
  if (!status.ok()) return status;
  absl::StatusOr<Checksum> checksum = ComputeBlockChecksum(*type, {bytes});
  if (!checksum.ok()) return checksum.status();
  format::StoreField<&Superblock::checksum>(*checksum, bytes.data());
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return absl::OkStatus();
}

bool HasSuperblockMagic(absl::Span<const std::byte> bytes) {
  constexpr char kMagic[] = {'_', 'B', 'H', 'R', 'f', 'S', '_', 'M'};
  return bytes.size() >= kSuperblockMagicOffset + sizeof(kMagic) &&
         std::memcmp(bytes.data() + kSuperblockMagicOffset, kMagic, sizeof(kMagic)) == 0;
}

absl::StatusOr<Superblock> ParseSuperblock(absl::Span<const std::byte> bytes, uint64_t physical) {
  absl::StatusOr<Superblock> superblock = Parse(bytes, physical);
  if (!superblock.ok()) {
    return Prefixed(absl::StrCat("superblock at ", physical), superblock.status());
  }
  return superblock;
}

}  // namespace ebcache
