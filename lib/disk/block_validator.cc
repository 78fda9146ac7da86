#include "lib/disk/block_validator.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstring>

#include "lib/disk/byte_reader.h"
#include "lib/disk/checksum.h"
#include "lib/disk/messages.h"
#include "lib/disk/parent_check.h"
#include "lib/disk/tree_block_checker.h"

namespace ebcache {
namespace {

absl::Status CheckFsid(const Uuid& found, const Uuid& expected) {
  if (found == expected) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("fsid ", UuidString(found), ", the filesystem's is ", UuidString(expected)));
}

absl::Status CheckBytenr(uint64_t found, uint64_t expected) {
  if (found == expected) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the header has address ", found, ", not ", expected));
}

}  // namespace

BlockValidator::BlockValidator(const Superblock& superblock)
    : fsid_(superblock.header_fsid()),
      node_bytes_(superblock.node_bytes),
      limits_{.sector_bytes = superblock.sector_bytes,
              .checksum_bytes = static_cast<uint32_t>(ChecksumBytes(superblock.checksum_type)),
              .newest_generation = superblock.generation + 1},
      checksum_type_(superblock.checksum_type),
      committed_generation_(superblock.generation) {}

absl::Status BlockValidator::Validate(const ExtentBuffer& buffer, const ParentCheck* check) const {
  const Header header(buffer);
  absl::Status status = CheckBytenr(header.bytenr(), buffer.start());
  if (status.ok()) status = CheckFsid(header.fsid(), fsid_);
  if (status.ok() && header.level() >= kMaxLevels) {
    status = absl::DataLossError(
        absl::StrCat("level ", header.level(), ", the highest is ", kMaxLevels - 1));
  }
  if (status.ok()) status = CheckChecksum(buffer);
  if (status.ok() && check != nullptr) status = CheckAgainstParent(buffer, *check);
  if (status.ok()) status = CheckTreeBlock(buffer, limits_);
  return status;
}

absl::Status BlockValidator::CheckChecksum(const ExtentBuffer& buffer) const {
  Checksum stored{};
  if (absl::Status status = buffer.Read(0, absl::MakeSpan(stored)); !status.ok()) return status;
  absl::StatusOr<Checksum> computed = ComputeBlockChecksum(checksum_type_, buffer.segments());
  if (!computed.ok()) return computed.status();
  return CompareChecksums(checksum_type_, stored, *computed);
}

absl::Status BlockValidator::Seal(uint64_t bytenr, absl::Span<std::byte> block) const {
  ByteReader header(block);
  absl::Status status = CheckBytenr(header.Load<uint64_t>(48), bytenr);
  if (status.ok()) status = CheckFsid(header.LoadUuid(32), fsid_);
  if (status.ok()) status = CheckTreeBlockBytes(block, limits_);
  if (!status.ok()) return status;
  const uint64_t generation = header.Load<uint64_t>(80);
  if (generation <= committed_generation_) {
    return absl::FailedPreconditionError(absl::StrCat("generation ", generation,
                                                      " is not newer than the last committed, ",
                                                      committed_generation_));
  }
  const UnusedBytes unused = FindUnusedBytes(block);
  std::memset(block.data() + unused.offset, 0, unused.length);
  absl::StatusOr<Checksum> checksum = ComputeBlockChecksum(checksum_type_, {block});
  if (!checksum.ok()) return checksum.status();
  std::memcpy(block.data(), checksum->data(), checksum->size());
  return absl::OkStatus();
}

}  // namespace ebcache
