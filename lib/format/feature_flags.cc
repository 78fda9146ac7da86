#include "lib/format/feature_flags.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <string>
#include <vector>

#include "ebcache/on_disk.h"

namespace ebcache {
namespace {

constexpr uint64_t Bits(std::initializer_list<IncompatFlag> flags) {
  uint64_t bits = 0;
  for (IncompatFlag flag : flags) bits |= static_cast<uint64_t>(flag);
  return bits;
}

// raid56 is among them because data may lie there; metadata that does is refused when it is mapped.
// The raid stripe tree tells only where data lies, and simple quotas change the contents of items,
// not how they are found.
constexpr uint64_t kReadable =
    Bits({IncompatFlag::kMixedBackref, IncompatFlag::kDefaultSubvol, IncompatFlag::kMixedGroups,
          IncompatFlag::kCompressLzo, IncompatFlag::kCompressZstd, IncompatFlag::kBigMetadata,
          IncompatFlag::kExtendedIref, IncompatFlag::kRaid56, IncompatFlag::kSkinnyMetadata,
          IncompatFlag::kNoHoles, IncompatFlag::kMetadataUuid, IncompatFlag::kRaid1c34,
          IncompatFlag::kRaidStripeTree, IncompatFlag::kSimpleQuota});

constexpr uint64_t kWritable = static_cast<uint64_t>(CompatRoFlag::kFreeSpaceTree) |
                               static_cast<uint64_t>(CompatRoFlag::kFreeSpaceTreeValid) |
                               static_cast<uint64_t>(CompatRoFlag::kVerity) |
                               static_cast<uint64_t>(CompatRoFlag::kBlockGroupTree);

std::string FeatureName(int bit) {
  if (uint64_t{1} << bit == static_cast<uint64_t>(IncompatFlag::kZoned)) return "zoned";
  if (uint64_t{1} << bit == static_cast<uint64_t>(IncompatFlag::kExtentTreeV2)) {
    return "extent-tree-v2";
  }
  if (uint64_t{1} << bit == static_cast<uint64_t>(IncompatFlag::kRemapTree)) return "remap-tree";
  return absl::StrCat("unknown (bit ", bit, ")");
}

}  // namespace

absl::Status CheckIncompatFeatures(uint64_t incompat_flags) {
  std::vector<std::string> names;
  for (int bit = 0; bit < 64; ++bit) {
    if ((incompat_flags & ~kReadable & (uint64_t{1} << bit)) != 0) {
      names.push_back(FeatureName(bit));
    }
  }
  if (names.empty()) return absl::OkStatus();
  return absl::UnimplementedError(
      absl::StrCat("uses features that cannot be read: ", absl::StrJoin(names, ", ")));
}

absl::Status CheckCompatRoFeatures(uint64_t compat_ro_flags) {
  const uint64_t unknown = compat_ro_flags & ~kWritable;
  if (unknown == 0) return absl::OkStatus();
  return absl::UnimplementedError(
      absl::StrCat("cannot be written: unknown compat_ro features 0x", absl::Hex(unknown)));
}

}  // namespace ebcache
