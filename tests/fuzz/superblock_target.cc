// Superblocks: what passes the checks keeps their promises.
//
// The first byte of the input: bit 0, take the rest as it is; otherwise magic, address and checksum
// are made good first, so that the fuzzer comes past them.

#include <absl/strings/match.h>

#include <bit>
#include <cstdint>
#include <string>

#include "ebcache/check.h"
#include "ebcache/on_disk.h"
#include "lib/disk/checksum.h"
#include "lib/disk/superblock_format.h"
#include "lib/disk/system_chunk_array.h"
#include "tests/disk/format_bytes.h"
#include "tests/fuzz/fuzz_input.h"

namespace ebcache::fuzz {
namespace {

using testing::Bytes;

constexpr size_t kChecksumTypeOffset = 196;

void MakeGood(Bytes& bytes, uint64_t physical) {
  constexpr char kMagic[] = "_BHRfS_M";
  std::memcpy(&bytes[kSuperblockMagicOffset], kMagic, 8);
  testing::Put<uint64_t>(bytes, 48, physical);
  const uint8_t type = static_cast<uint8_t>(bytes[kChecksumTypeOffset]) % 4;
  testing::Put<uint16_t>(bytes, kChecksumTypeOffset, type);
  testing::Seal(bytes, static_cast<ChecksumType>(type));
}

void CheckPromises(const Superblock& sb) {
  EBCACHE_CHECK(std::has_single_bit(sb.node_bytes) && sb.node_bytes <= 65536, "node size");
  EBCACHE_CHECK(std::has_single_bit(sb.sector_bytes) && sb.sector_bytes >= 4096, "sector size");
  EBCACHE_CHECK(sb.sector_bytes <= sb.node_bytes, "sectors are larger than nodes");
  EBCACHE_CHECK(sb.root % sb.sector_bytes == 0 && sb.chunk_root % sb.sector_bytes == 0, "roots");
  EBCACHE_CHECK(sb.root_level < kMaxLevels && sb.chunk_root_level < kMaxLevels, "levels");
  EBCACHE_CHECK(sb.system_chunk_array.size() <= kSystemChunkArrayBytes, "system chunk array");
  EBCACHE_CHECK(sb.label.size() <= 256, "label");
}

#ifdef EBCACHE_PLANTED_BUG
// What a reader does that takes the array's length from the disk as it is.
void TrustTheArray(const Bytes& bytes, const absl::Status& status) {
  if (!absl::StrContains(status.message(), "system chunk array of")) return;
  uint32_t length;
  std::memcpy(&length, &bytes[160], sizeof(length));
  EBCACHE_CHECK(size_t{811} + length <= bytes.size(), "planted: an array read behind its end");
}
#endif

}  // namespace

void Run(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  const uint8_t mode = input.Take<uint8_t>();
  const uint64_t physical = kSuperblockOffsets[mode >> 1 & 1];
  Bytes bytes = input.TakeRest();
  if ((mode & 1) == 0) {
    bytes.resize(kSuperblockBytes);
    MakeGood(bytes, physical);
  }
  const absl::StatusOr<Superblock> superblock = ParseSuperblock(bytes, physical);
#ifdef EBCACHE_PLANTED_BUG
  if (bytes.size() == kSuperblockBytes) TrustTheArray(bytes, superblock.status());
#endif
  if (!superblock.ok()) return;
  CheckPromises(*superblock);
  (void)ParseSystemChunkArray(superblock->system_chunk_array, superblock->sector_bytes);
}

}  // namespace ebcache::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ebcache::fuzz::Run(data, size);
  return 0;
}
