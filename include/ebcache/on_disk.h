// The btrfs on-disk format, as far as reading metadata needs it: constants, keys, the parsed
// superblock, and typed views of tree blocks.
//
// Everything here is little-endian on disk and hostile until checked. Parsers take bytes of any
// content and length and return a status; views of a tree block never read outside of it.
// Sizes and addresses are in bytes unless a name says otherwise. "Logical" is an address in the
// filesystem's one address space, "physical" an offset on one device.

#ifndef EBCACHE_ON_DISK_H_
#define EBCACHE_ON_DISK_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/block_bytes.h"
#include "ebcache/internal/little_endian.h"
#include "ebcache/items_root.h"
#include "ebcache/key.h"
#include "ebcache/uuid.h"

namespace ebcache {

// ---- Trees --------------------------------------------------------------------------------------

inline constexpr uint64_t kRootTreeId = 1;
inline constexpr uint64_t kExtentTreeId = 2;
inline constexpr uint64_t kChunkTreeId = 3;
inline constexpr uint64_t kDevTreeId = 4;
inline constexpr uint64_t kFsTreeId = 5;
inline constexpr uint64_t kRootTreeDirId = 6;
inline constexpr uint64_t kCsumTreeId = 7;
inline constexpr uint64_t kQuotaTreeId = 8;
inline constexpr uint64_t kUuidTreeId = 9;
inline constexpr uint64_t kFreeSpaceTreeId = 10;
inline constexpr uint64_t kBlockGroupTreeId = 11;
inline constexpr uint64_t kRaidStripeTreeId = 12;
inline constexpr uint64_t kTreeLogId = static_cast<uint64_t>(-6);
inline constexpr uint64_t kTreeLogFixupId = static_cast<uint64_t>(-7);
inline constexpr uint64_t kTreeRelocId = static_cast<uint64_t>(-8);
inline constexpr uint64_t kDataRelocTreeId = static_cast<uint64_t>(-9);
inline constexpr uint64_t kFirstFreeObjectId = 256;
inline constexpr uint64_t kLastFreeObjectId = static_cast<uint64_t>(-256);
inline constexpr uint64_t kFirstChunkTreeObjectId = 256;

// Whether `tree` holds files: the top-level one, a subvolume or a snapshot.
constexpr bool IsFsTree(uint64_t tree) {
  // Ids of subvolumes carry a level in their top 16 bits when they name quota groups; real ones
  // have none. Negative ones are internal trees.
  return tree == kFsTreeId ||
         (static_cast<int64_t>(tree) >= static_cast<int64_t>(kFirstFreeObjectId) &&
          (tree >> 48) == 0);
}

// "FS_TREE", "EXTENT_TREE", "TREE_LOG", "256": as btrfs-progs prints it.
std::string TreeName(uint64_t tree);

// ---- Keys ---------------------------------------------------------------------------------------

// Item types that reading metadata meets.
inline constexpr uint8_t kUntypedType = 0;  // what a key without a type has: free space caches
inline constexpr uint8_t kInodeItemType = 1;
inline constexpr uint8_t kInodeRefType = 12;
inline constexpr uint8_t kInodeExtrefType = 13;
inline constexpr uint8_t kXattrItemType = 24;
inline constexpr uint8_t kVerityDescriptorType = 36;
inline constexpr uint8_t kVerityMerkleType = 37;
inline constexpr uint8_t kOrphanItemType = 48;
inline constexpr uint8_t kDirLogItemType = 60;
inline constexpr uint8_t kDirLogIndexType = 72;
inline constexpr uint8_t kDirItemType = 84;
inline constexpr uint8_t kDirIndexType = 96;
inline constexpr uint8_t kExtentDataType = 108;
inline constexpr uint8_t kExtentCsumType = 128;
inline constexpr uint8_t kRootItemType = 132;
inline constexpr uint8_t kRootBackrefType = 144;
inline constexpr uint8_t kRootRefType = 156;
inline constexpr uint8_t kExtentItemType = 168;
inline constexpr uint8_t kMetadataItemType = 169;
inline constexpr uint8_t kExtentOwnerRefType = 172;
inline constexpr uint8_t kTreeBlockRefType = 176;
inline constexpr uint8_t kExtentDataRefType = 178;
inline constexpr uint8_t kSharedBlockRefType = 182;
inline constexpr uint8_t kSharedDataRefType = 184;
inline constexpr uint8_t kBlockGroupItemType = 192;
inline constexpr uint8_t kFreeSpaceInfoType = 198;
inline constexpr uint8_t kFreeSpaceExtentType = 199;
inline constexpr uint8_t kFreeSpaceBitmapType = 200;
inline constexpr uint8_t kDevExtentType = 204;
inline constexpr uint8_t kDevItemType = 216;
inline constexpr uint8_t kChunkItemType = 228;
inline constexpr uint8_t kRaidStripeType = 230;
inline constexpr uint8_t kIdentityRemapType = 234;
inline constexpr uint8_t kRemapType = 235;
inline constexpr uint8_t kRemapBackrefType = 236;
inline constexpr uint8_t kQgroupStatusType = 240;
inline constexpr uint8_t kQgroupInfoType = 242;
inline constexpr uint8_t kQgroupLimitType = 244;
inline constexpr uint8_t kQgroupRelationType = 246;
inline constexpr uint8_t kTemporaryItemType = 248;
inline constexpr uint8_t kPersistentItemType = 249;
inline constexpr uint8_t kDevReplaceType = 250;
inline constexpr uint8_t kUuidSubvolType = 251;
inline constexpr uint8_t kUuidReceivedSubvolType = 252;
inline constexpr uint8_t kStringItemType = 253;

// "INODE_ITEM", as btrfs-progs prints it; empty for types without a name here.
std::string_view ItemTypeName(uint8_t type);

// ---- Checksums ----------------------------------------------------------------------------------

// As superblocks name them.
enum class ChecksumType : uint16_t { kCrc32c = 0, kXxhash64 = 1, kSha256 = 2, kBlake2b = 3 };
inline constexpr size_t kMaxChecksumBytes = 32;
using Checksum = std::array<std::byte, kMaxChecksumBytes>;  // unused bytes are zero

// ---- Superblock ---------------------------------------------------------------------------------

inline constexpr size_t kSuperblockBytes = 4096;
// Offsets of the primary and of the mirrors, on each device large enough.
inline constexpr std::array<uint64_t, 3> kSuperblockOffsets = {
    uint64_t{64} << 10, uint64_t{64} << 20, uint64_t{256} << 30};
inline constexpr uint8_t kMaxLevels = 8;

// Incompatible features: a reader that does not know one must not read.
enum class IncompatFlag : uint64_t {
  kMixedBackref = 1ull << 0,
  kDefaultSubvol = 1ull << 1,
  kMixedGroups = 1ull << 2,
  kCompressLzo = 1ull << 3,
  kCompressZstd = 1ull << 4,
  kBigMetadata = 1ull << 5,
  kExtendedIref = 1ull << 6,
  kRaid56 = 1ull << 7,
  kSkinnyMetadata = 1ull << 8,
  kNoHoles = 1ull << 9,
  kMetadataUuid = 1ull << 10,
  kRaid1c34 = 1ull << 11,
  kZoned = 1ull << 12,
  kExtentTreeV2 = 1ull << 13,
  kRaidStripeTree = 1ull << 14,
  kSimpleQuota = 1ull << 16,
  kRemapTree = 1ull << 17,
};

// Features that a reader may pass over, and a writer that does not know one must not write with.
enum class CompatRoFlag : uint64_t {
  kFreeSpaceTree = 1ull << 0,
  kFreeSpaceTreeValid = 1ull << 1,  // else the next kernel that mounts it makes it anew
  kVerity = 1ull << 2,
  kBlockGroupTree = 1ull << 3,
};

// Superblock::flags: what a filesystem is, and which change of all of it was begun and not ended.
enum class SuperblockFlag : uint64_t {
  kWritten = 1ull << 0,
  kReloc = 1ull << 1,
  kError = 1ull << 2,
  kSeeding = 1ull << 32,
  kMetadump = 1ull << 33,
  kMetadumpV2 = 1ull << 34,
  kChangingFsid = 1ull << 35,          // in every block
  kChangingMetadataUuid = 1ull << 36,  // in superblocks only
  kChangingBlockGroupTree = 1ull << 38,
  kChangingDataChecksums = 1ull << 39,
  kChangingBlockChecksums = 1ull << 40,
};

// One device of a filesystem, as its superblock or (1, DEV_ITEM, id) of the chunk tree has it.
struct DeviceItem {
  static constexpr size_t kBytes = 98;

  uint64_t id = 0;
  uint64_t total_bytes = 0;
  uint64_t bytes_used = 0;    // allocated to chunks
  uint32_t io_align = 0;      // bytes; nothing looks at it
  uint32_t io_width = 0;      // the same
  uint32_t sector_bytes = 0;  // the same
  uint64_t type = 0;
  uint64_t generation = 0;
  uint64_t start_offset = 0;
  uint32_t group = 0;
  uint8_t seek_speed = 0;
  uint8_t bandwidth = 0;
  Uuid uuid{};
  Uuid fsid{};

  friend constexpr bool operator==(const DeviceItem&, const DeviceItem&) = default;
};

// The roots of a commit, as one of the last four superblocks had them. Levels are those of the
// trees' roots.
struct BackupRoot {
  static constexpr size_t kBytes = 168;

  uint64_t root = 0;
  uint64_t root_generation = 0;
  uint64_t chunk_root = 0;
  uint64_t chunk_root_generation = 0;
  uint64_t extent_root = 0;
  uint64_t extent_root_generation = 0;
  uint64_t fs_root = 0;
  uint64_t fs_root_generation = 0;
  uint64_t dev_root = 0;
  uint64_t dev_root_generation = 0;
  uint64_t csum_root = 0;
  uint64_t csum_root_generation = 0;
  uint64_t total_bytes = 0;
  uint64_t bytes_used = 0;
  uint64_t num_devices = 0;
  std::array<uint64_t, 4> unused{};
  uint8_t root_level = 0;
  uint8_t chunk_root_level = 0;
  uint8_t extent_root_level = 0;
  uint8_t fs_root_level = 0;
  uint8_t dev_root_level = 0;
  uint8_t csum_root_level = 0;
  std::array<std::byte, 10> unused_bytes{};

  friend constexpr bool operator==(const BackupRoot&, const BackupRoot&) = default;
};

inline constexpr uint64_t kSuperblockMagic = 0x4d5f53665248425f;  // "_BHRfS_M"
inline constexpr size_t kLabelBytes = 256;
inline constexpr size_t kSystemChunkArrayBytes = 2048;

// A superblock, parsed. Which checks it has passed is told by the function that made it: see
// ParseSuperblock.
struct Superblock {
  Checksum checksum{};
  Uuid fsid{};
  uint64_t bytenr = 0;  // physical, of this copy
  uint64_t flags = 0;
  uint64_t generation = 0;
  uint64_t root = 0;  // logical, of the root tree's root
  uint64_t chunk_root = 0;
  uint64_t log_root = 0;  // 0: no log tree
  uint64_t total_bytes = 0;
  uint64_t bytes_used = 0;
  uint64_t num_devices = 0;
  uint32_t sector_bytes = 0;
  uint32_t node_bytes = 0;
  uint64_t chunk_root_generation = 0;
  uint64_t compat_flags = 0;
  uint64_t compat_ro_flags = 0;
  uint64_t incompat_flags = 0;
  ChecksumType checksum_type = ChecksumType::kCrc32c;
  uint8_t root_level = 0;
  uint8_t chunk_root_level = 0;
  uint8_t log_root_level = 0;
  DeviceItem device;  // the one this copy was on
  std::string label;
  Uuid metadata_uuid{};
  std::vector<std::byte> system_chunk_array;  // at most 2048 bytes, unparsed

  // What reading does not need, and a writer has to hand on.
  uint64_t magic = kSuperblockMagic;
  uint64_t log_root_transaction = 0;         // not in use any more
  uint64_t root_directory = kRootTreeDirId;  // object of the root tree
  uint32_t leaf_bytes = 0;                   // node_bytes, in all that pass the checks
  uint32_t stripe_bytes = 0;                 // sector_bytes
  uint64_t cache_generation = 0;             // of the space caches of version 1
  uint64_t uuid_tree_generation = 0;         // up to which the uuid tree is complete
  uint64_t global_roots = 0;                 // of extent-tree-v2
  uint64_t remap_root = 0;                   // this and the next two: of remap-tree
  uint64_t remap_root_generation = 0;
  uint8_t remap_root_level = 0;
  std::array<BackupRoot, 4> backup_roots{};
  std::array<std::byte, 199> reserved{};
  std::array<std::byte, 565> padding{};
  // What lies behind the label and behind the array, where that is not all zero. Written back as it
  // was while what it follows has the length that it had, else zeroes are.
  std::vector<std::byte> label_remainder;
  std::vector<std::byte> system_chunk_array_remainder;

  // Whether the filesystem uses that feature.
  bool has(IncompatFlag flag) const { return (incompat_flags & static_cast<uint64_t>(flag)) != 0; }
  bool has(CompatRoFlag flag) const { return (compat_ro_flags & static_cast<uint64_t>(flag)) != 0; }
  bool has(SuperblockFlag flag) const { return (flags & static_cast<uint64_t>(flag)) != 0; }
  // What tree block headers carry: metadata_uuid where that feature is on, else fsid.
  Uuid header_fsid() const { return has(IncompatFlag::kMetadataUuid) ? metadata_uuid : fsid; }
  friend bool operator==(const Superblock&, const Superblock&) = default;
};

// Parses and checks one copy of a superblock that was read at `physical`: magic, checksum type,
// checksum, own address, node and sector size, levels, alignment of the roots, the system chunks,
// and features that this library can read. `bytes` must be kSuperblockBytes long. Errors: DataLoss
// (damaged or not btrfs; says what), Unimplemented (a feature; says which).
absl::StatusOr<Superblock> ParseSuperblock(absl::Span<const std::byte> bytes, uint64_t physical);

// Writes a superblock as it is to lie at superblock.bytenr: with a checksum of its own, by
// checksum_type; superblock.checksum is not looked at. (ParseItem<Superblock> and
// EncodeItem<Superblock> of item_codec.h go between bytes and fields and check, or make, nothing.)
// Errors, and `out` is as it was: InvalidArgument (not kSuperblockBytes long; the label or the
// system chunks have more bytes than there is room for; no such checksum type), Internal (the
// checksum cannot be computed, as in FIPS mode).
absl::Status EncodeSuperblock(const Superblock& superblock, absl::Span<std::byte> out);

// ---- Chunks -------------------------------------------------------------------------------------

// How a chunk's bytes lie on its stripes.
enum class RaidProfile : uint8_t {
  kSingle,
  kDup,
  kRaid0,
  kRaid1,
  kRaid1c3,
  kRaid1c4,
  kRaid10,
  kRaid5,
  kRaid6
};
// "raid1c3", as btrfs-progs writes it.
std::string_view RaidProfileName(RaidProfile profile);

// Block group type bits, in chunk items.
inline constexpr uint64_t kBlockGroupData = 1 << 0;
inline constexpr uint64_t kBlockGroupSystem = 1 << 1;
inline constexpr uint64_t kBlockGroupMetadata = 1 << 2;

// The part of a chunk that lies on one device.
struct ChunkStripe {
  uint64_t device_id = 0;
  uint64_t physical = 0;  // where the stripe starts on that device
  Uuid device_uuid{};

  friend constexpr bool operator==(const ChunkStripe&, const ChunkStripe&) = default;
};

// A chunk: a range of logical addresses and where it lies.
struct Chunk {
  uint64_t logical = 0;
  uint64_t length = 0;
  uint64_t type = 0;  // kBlockGroup bits and profile bits, as on disk
  RaidProfile profile = RaidProfile::kSingle;
  uint64_t stripe_bytes = 0;  // how much lies on one stripe before the next one's turn
  uint16_t sub_stripes = 0;
  std::vector<ChunkStripe> stripes;
  // What mapping does not need, and a writer has to hand on.
  uint64_t owner = kExtentTreeId;
  uint32_t io_align = 65536;
  uint32_t io_width = 65536;
  uint32_t sector_bytes = 4096;

  // Copies of each block: 1 for single and raid0, 2 for dup, raid1 and raid10, ...
  int copies() const;
};

// Parses and checks a chunk item with key offset `logical`: stripe count against the item's size
// and the profile, stripe length, alignment, length, type. The number of stripes is bounded by the
// size of `item`. Errors: DataLoss.
absl::StatusOr<Chunk> ParseChunkItem(uint64_t logical, absl::Span<const std::byte> item,
                                     uint32_t sector_bytes);

// Parses and checks a device item. Errors: DataLoss.
absl::StatusOr<DeviceItem> ParseDeviceItem(absl::Span<const std::byte> item);

// ---- Tree blocks --------------------------------------------------------------------------------

inline constexpr uint32_t kHeaderBytes = 101;
inline constexpr uint32_t kItemBytes = 25;        // an item's head, in a leaf
inline constexpr uint32_t kKeyPointerBytes = 33;  // in a node
inline constexpr uint32_t kKeyBytes = 17;
inline constexpr size_t kChecksumAreaBytes = 32;  // in front of superblocks and headers

// A typed view of a tree block's header. Any block is large enough, so nothing here can fail; what
// it reads is as trustworthy as the block. REQUIRES: the block is held while the view is used.
class Header {
 public:
  explicit Header(const BlockBytes& block) : at_(block.View(0, kHeaderBytes, scratch_.data())) {}
  Header(const Header&) = delete;
  Header& operator=(const Header&) = delete;

  // Where the fields are; the library does not build where the layout of BlockHeader says
  // otherwise.
  struct Offsets {
    static constexpr size_t kBytenr = 48;
    static constexpr size_t kFlags = 56;
    static constexpr size_t kGeneration = 80;
    static constexpr size_t kOwner = 88;
    static constexpr size_t kItemCount = 96;
    static constexpr size_t kLevel = 100;
  };

  Uuid fsid() const;
  uint64_t bytenr() const { return Field<uint64_t>(Offsets::kBytenr); }
  uint64_t flags() const { return Field<uint64_t>(Offsets::kFlags); }
  uint64_t generation() const { return Field<uint64_t>(Offsets::kGeneration); }
  uint64_t owner() const { return Field<uint64_t>(Offsets::kOwner); }
  uint32_t item_count() const {
    return Field<uint32_t>(Offsets::kItemCount);
  }  // the kernel's nritems
  uint8_t level() const { return Field<uint8_t>(Offsets::kLevel); }

 private:
  template <typename T>
  T Field(size_t offset) const {
    return LoadLe<T>(at_ + offset);
  }
  std::array<std::byte, kHeaderBytes> scratch_;  // for frames without bytes
  const std::byte* at_;  // never null, never straddling: blocks and pages have 4096 bytes at least
};

// The key at `offset` of a block. Fields that would leave the block read as zero.
Key LoadKey(const BlockBytes& block, size_t offset);

// Slot `slot` of a node: where a child is, and what its parent says of it.
struct KeyPointer {
  Key key;
  uint64_t bytenr = 0;
  uint64_t generation = 0;

  friend constexpr bool operator==(const KeyPointer&, const KeyPointer&) = default;
};
// REQUIRES: slot < Header(node).item_count(), and the node has passed the checker.
Key NodeKey(const BlockBytes& node, uint32_t slot);
KeyPointer LoadKeyPointer(const BlockBytes& node, uint32_t slot);

// Searching a block: how many of its keys are below `key`, or not above it, which is the slot of
// the first that is not. REQUIRES: the block has passed the checker.
uint32_t CountNodeKeysBelow(const BlockBytes& node, const Key& key);
uint32_t CountNodeKeysUpTo(const BlockBytes& node, const Key& key);
uint32_t CountLeafKeysBelow(const BlockBytes& leaf, const Key& key);

// The head of item `slot` of a leaf. `offset` is where its data starts, from the front of the
// block.
struct ItemHead {
  Key key;
  uint32_t offset = 0;
  uint32_t size = 0;
};
// REQUIRES: slot < Header(leaf).item_count(), and the leaf has passed the checker.
Key LeafKey(const BlockBytes& leaf, uint32_t slot);
ItemHead LoadItemHead(const BlockBytes& leaf, uint32_t slot);

// What the checker holds tree blocks against. What is not known is not held against a block: the
// defaults let pass.
struct TreeBlockLimits {
  uint32_t sector_bytes = 4096;  // a power of two
  // Bytes of a data checksum. 0: not known, and the rules that need it are left out.
  uint32_t checksum_bytes = 0;
  // The generation of the transaction that is open: the superblock's and 1. 0: not known.
  uint64_t newest_generation = 0;
  // Features of the filesystem without which some items cannot be.
  bool skinny_metadata = true;
  bool mixed_groups = true;
  bool raid_stripe_tree = true;
  // A change of the type of checksums was begun: there are data checksums of the old type and of
  // any other one.
  bool changing_checksums = false;
  // The block comes from a disk, where none is without WRITTEN.
  bool from_disk = false;
  // The filesystem is open for writing, which features of inodes forbid that are read all the same.
  bool writable = false;

  friend constexpr bool operator==(const TreeBlockLimits&, const TreeBlockLimits&) = default;
};

// The check of a tree block, after which keys and item data can be read without another thought:
// number of items, key order, where item data lies, child pointers; then for every item of a type
// with rules, that its fields can be decoded: sizes, ranges, alignment, lengths of names, counts.
// Items of other types may hold anything. Errors: DataLoss, with the slot, the item's key, what is
// wrong with it and the name of the rule: "slot 3, item (257 INODE_ITEM 0): mode 0170000 is no kind
// of file [inode-mode]". The rules are those of kernels of 2025 and 2026: what these read is let
// pass, what these refuse is refused.
absl::Status CheckTreeBlock(const BlockBytes& block, const TreeBlockLimits& limits);
inline absl::Status CheckTreeBlock(const BlockBytes& block, uint32_t sector_bytes) {
  return CheckTreeBlock(block, TreeBlockLimits{.sector_bytes = sector_bytes});
}

}  // namespace ebcache

#endif  // EBCACHE_ON_DISK_H_
