// Findings: what a check has found wrong, as data. docs/check.md tells of each kind.

#ifndef EBCACHE_TOOLS_CHECK_FINDINGS_H_
#define EBCACHE_TOOLS_CHECK_FINDINGS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ebcache/key.h"
#include "tools/mutex.h"

namespace ebcache::tools {

enum class FindingKind : uint8_t {
  // Blocks.
  kBlockLost,
  kBlockMisplaced,
  // References.
  kReferenceMissing,
  kReferenceSurplus,
  kReferenceCount,
  kReferenceBucket,
  kExtentGeneration,
  kBlockRecord,
  // Space.
  kExtentOverlap,
  kExtentOutsideChunk,
  kExtentType,
  kBlockGroupUsed,
  kBlockGroupMissing,
  kBlockGroupSurplus,
  kBlockGroupFlags,
  kSuperblockBytesUsed,
  kFreeSpaceWrong,
  kFreeSpaceInfo,
  kChecksumMissing,
  kChecksumOrphan,
  kChecksumOverlap,
  kChecksumUnwanted,
  // Devices.
  kDeviceExtentMissing,
  kDeviceExtentSurplus,
  kDeviceExtentOverlap,
  kDeviceBytesUsed,
  kDeviceItem,
  kSuperblockDevices,
  kSystemChunk,
  // Files.
  kInodeMissing,
  kInodeLinkCount,
  kInodeBytes,
  kDirectorySize,
  kInodeKind,
  kInodeItems,
  kInodeGeneration,
  kOrphanMissing,
  kFileExtentOverlap,
  kFileExtentGap,
  kFileExtentPlace,
  kFileExtentGeneration,
  kEntryWithoutIndex,
  kIndexWithoutEntry,
  kEntryWithoutName,
  kNameWithoutEntry,
  // Trees.
  kRootRefMissing,
  kRootBackrefMissing,
  kRootRefEntry,
  kRootRefCount,
  kRootOrphanMissing,
  kRootDirectory,
  kUuidMissing,
  kUuidStale,
  kLogBlockInUse,
  kQuotaCount,
};
inline constexpr size_t kFindingKinds = static_cast<size_t>(FindingKind::kQuotaCount) + 1;

// "reference-missing"
std::string_view FindingKindName(FindingKind kind);

struct Finding {
  FindingKind kind;
  std::optional<uint64_t> tree;
  std::optional<Key> key;
  std::optional<uint64_t> address;  // logical; of devices physical
  std::string found;                // what is there; empty: nothing
  std::string expected;             // what should be; empty: nothing
  // "block-group-used: tree EXTENT_TREE, key (1048576 BLOCK_GROUP_ITEM 4194304): 4096, should be 8192"
  std::string ToString() const;
};

// Keeps the first of each kind and counts all.
//
// Thread safety: all methods from any thread; kept() when no thread adds.
class FindingLog {
 public:
  explicit FindingLog(size_t most_of_a_kind) : most_(most_of_a_kind) {}

  void Add(Finding finding);
  // Counts `more` of a kind that nothing more is told of.
  void AddCount(FindingKind kind, uint64_t more);

  uint64_t count(FindingKind kind) const { return counts_[static_cast<size_t>(kind)]; }
  uint64_t total() const;
  // By kind, each as they came.
  const std::vector<Finding>& kept(FindingKind kind) const {
    return kept_[static_cast<size_t>(kind)];
  }

 private:
  const size_t most_;
  mutable Mutex mutex_;
  std::array<uint64_t, kFindingKinds> counts_{};
  std::array<std::vector<Finding>, kFindingKinds> kept_;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_FINDINGS_H_
