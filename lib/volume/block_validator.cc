#include "lib/volume/block_validator.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstring>

#include "lib/base/messages.h"
#include "lib/format/check/parent_check.h"
#include "lib/format/check/tree_block_checker.h"
#include "lib/format/checksum.h"
#include "lib/format/layout_block.h"
#include "lib/volume/interrupted_change.h"

namespace ebcache {
namespace {

absl::Status CheckBytenr(uint64_t found, uint64_t expected) {
  if (found == expected) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the header has address ", found, ", not ", expected));
}

}  // namespace

BlockValidator::BlockValidator(const Superblock& superblock, const std::vector<Uuid>& other_fsids,
                               bool writable)
    : fsids_(BlockFsids(superblock)),
      node_bytes_(superblock.node_bytes),
      limits_{.sector_bytes = superblock.sector_bytes,
              .checksum_bytes = static_cast<uint32_t>(ChecksumBytes(superblock.checksum_type)),
              .newest_generation = superblock.generation + 1,
              .skinny_metadata = superblock.has(IncompatFlag::kSkinnyMetadata),
              .mixed_groups = superblock.has(IncompatFlag::kMixedGroups),
              .raid_stripe_tree = superblock.has(IncompatFlag::kRaidStripeTree),
              .changing_checksums = ChangingChecksums(superblock),
              .from_disk = true,
              .writable = writable},
      checksum_type_(superblock.checksum_type),
      any_checksum_type_(superblock.has(SuperblockFlag::kChangingBlockChecksums)),
      committed_generation_(superblock.generation) {
  fsids_.insert(fsids_.end(), other_fsids.begin(), other_fsids.end());
}

absl::Status BlockValidator::CheckFsid(const Uuid& found) const {
  for (const Uuid& fsid : fsids_) {
    if (found == fsid) [[likely]]
      return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat("fsid ", UuidString(found), ", the filesystem's is ", UuidString(fsids_[0])));
}

absl::Status BlockValidator::Validate(const ExtentBuffer& buffer, const ParentCheck* check) const {
  const Header header(buffer);
  absl::Status status = CheckBytenr(header.bytenr(), buffer.start());
  if (status.ok()) status = CheckFsid(header.fsid());
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
  const auto compare = [&](ChecksumType type) {
    absl::StatusOr<Checksum> computed = ComputeBlockChecksum(type, buffer.segments());
    return computed.ok() ? CompareChecksums(type, stored, *computed) : computed.status();
  };
  absl::Status status = compare(checksum_type_);
  if (status.ok() || !any_checksum_type_) [[likely]]
    return status;
  // Nothing on the disk tells which type the others are to have.
  for (ChecksumType type : {ChecksumType::kCrc32c, ChecksumType::kXxhash64, ChecksumType::kSha256,
                            ChecksumType::kBlake2b}) {
    if (type != checksum_type_ && compare(type).ok()) return absl::OkStatus();
  }
  return status;
}

absl::Status BlockValidator::Seal(uint64_t bytenr, absl::Span<std::byte> block) const {
  const bool whole = block.size() >= kHeaderBytes;
  const auto header = whole ? format::Decode<BlockHeader>(block.data()) : BlockHeader{};
  if (whole) {
    format::StoreField<&BlockHeader::flags>(header.flags | kHeaderWritten, block.data());
  }
  absl::Status status = CheckBytenr(header.bytenr, bytenr);
  if (status.ok()) status = CheckFsid(header.fsid);
  if (status.ok()) status = CheckTreeBlockBytes(block, limits_);
  if (!status.ok()) return status;
  if (header.generation <= committed_generation_) {
    return absl::FailedPreconditionError(absl::StrCat("generation ", header.generation,
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
