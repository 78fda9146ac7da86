#include "lib/volume/block_validator.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

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
    : other_fsids_(other_fsids),
      node_bytes_(superblock.node_bytes),
      writable_(writable),
      rules_(nullptr),
      committed_generation_(superblock.generation) {
  Publish(superblock);
}

BlockValidator::Rules BlockValidator::RulesOf(const Superblock& superblock) const {
  return {
      .fsids = BlockFsids(superblock),
      .limits = {.sector_bytes = superblock.sector_bytes,
                 .checksum_bytes = static_cast<uint32_t>(ChecksumBytes(superblock.checksum_type)),
                 .skinny_metadata = superblock.has(IncompatFlag::kSkinnyMetadata),
                 .mixed_groups = superblock.has(IncompatFlag::kMixedGroups),
                 .raid_stripe_tree = superblock.has(IncompatFlag::kRaidStripeTree),
                 .changing_checksums = ChangingChecksums(superblock),
                 .from_disk = true,
                 .writable = writable_},
      .checksum_type = superblock.checksum_type,
      .any_checksum_type = superblock.has(SuperblockFlag::kChangingBlockChecksums)};
}

void BlockValidator::Publish(const Superblock& next) {
  Rules rules = RulesOf(next);
  auto same = std::find_if(all_rules_.begin(), all_rules_.end(),
                           [&](const auto& known) { return *known == rules; });
  if (same == all_rules_.end()) {
    all_rules_.push_back(std::make_unique<const Rules>(std::move(rules)));
    same = std::prev(all_rules_.end());
  }
  rules_.store(same->get(), std::memory_order_release);
  committed_generation_.store(next.generation, std::memory_order_relaxed);
}

// What blocks are held against: up to the generation of the transaction that is open.
TreeBlockLimits BlockValidator::LimitsNow() const {
  TreeBlockLimits limits = rules().limits;
  limits.newest_generation = committed_generation_.load(std::memory_order_relaxed) + 1;
  return limits;
}

absl::Status BlockValidator::CheckFsid(const Uuid& found) const {
  const Rules& now = rules();
  for (const Uuid& fsid : now.fsids) {
    if (found == fsid) [[likely]]
      return absl::OkStatus();
  }
  for (const Uuid& fsid : other_fsids_) {
    if (found == fsid) return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat("fsid ", UuidString(found), ", the filesystem's is ", UuidString(now.fsids[0])));
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
  if (status.ok()) status = CheckTreeBlock(buffer, LimitsNow());
  return status;
}

absl::Status BlockValidator::CheckChecksum(const ExtentBuffer& buffer) const {
  Checksum stored{};
  if (absl::Status status = buffer.Read(0, absl::MakeSpan(stored)); !status.ok()) return status;
  const auto compare = [&](ChecksumType type) {
    absl::StatusOr<Checksum> computed = ComputeBlockChecksum(type, buffer.segments());
    return computed.ok() ? CompareChecksums(type, stored, *computed) : computed.status();
  };
  const Rules& now = rules();
  absl::Status status = compare(now.checksum_type);
  if (status.ok() || !now.any_checksum_type) [[likely]]
    return status;
  // Nothing on the disk tells which type the others are to have.
  for (ChecksumType type : {ChecksumType::kCrc32c, ChecksumType::kXxhash64, ChecksumType::kSha256,
                            ChecksumType::kBlake2b}) {
    if (type != now.checksum_type && compare(type).ok()) return absl::OkStatus();
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
  if (status.ok()) status = CheckTreeBlockBytes(block, LimitsNow());
  if (!status.ok()) return status;
  const uint64_t committed = committed_generation_.load(std::memory_order_relaxed);
  if (header.generation <= committed) {
    return absl::FailedPreconditionError(absl::StrCat(
        "generation ", header.generation, " is not newer than the last committed, ", committed));
  }
  const UnusedBytes unused = FindUnusedBytes(block);
  std::memset(block.data() + unused.offset, 0, unused.length);
  absl::StatusOr<Checksum> checksum = ComputeBlockChecksum(rules().checksum_type, {block});
  if (!checksum.ok()) return checksum.status();
  std::memcpy(block.data(), checksum->data(), checksum->size());
  return absl::OkStatus();
}

}  // namespace ebcache
