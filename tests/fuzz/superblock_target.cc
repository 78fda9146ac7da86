// Superblocks: what passes the checks keeps their promises.
//
// The first byte of the input: bit 0, take the rest as it is; otherwise magic, address and checksum
// are made good first, so that the fuzzer comes past them.

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

#include "ebcache/on_disk.h"
#include "lib/format/checksum.h"
#include "lib/format/superblock_codec.h"
#include "lib/format/system_chunk_array.h"
#include "tests/format/format_bytes.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/oracle.h"

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

void CheckPromises(const Superblock& sb, const Bytes& bytes, uint64_t physical) {
  EBCACHE_ORACLE("node-size", std::has_single_bit(sb.node_bytes) && sb.node_bytes <= 65536);
  EBCACHE_ORACLE("sector-size", std::has_single_bit(sb.sector_bytes) && sb.sector_bytes >= 4096);
  EBCACHE_ORACLE("sector-in-node", sb.sector_bytes <= sb.node_bytes);
  EBCACHE_ORACLE("root-alignment",
                 sb.root % sb.sector_bytes == 0 && sb.chunk_root % sb.sector_bytes == 0);
  EBCACHE_ORACLE("root-level", sb.root_level < kMaxLevels && sb.chunk_root_level < kMaxLevels);
  EBCACHE_ORACLE("array-length", sb.system_chunk_array.size() <= kSystemChunkArrayBytes);
  EBCACHE_ORACLE("label-length", sb.label.size() <= 256);
  EBCACHE_ORACLE("address", sb.bytenr == physical);
  Bytes sealed = bytes;
  testing::Seal(sealed, sb.checksum_type);
  const size_t checksum_bytes = ChecksumBytes(sb.checksum_type);
  EBCACHE_ORACLE("checksum", std::memcmp(sealed.data(), bytes.data(), checksum_bytes) == 0);
}

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
  if (!superblock.ok()) return;
  CheckPromises(*superblock, bytes, physical);
  (void)ParseSystemChunkArray(superblock->system_chunk_array, superblock->sector_bytes);
}

}  // namespace ebcache::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ebcache::fuzz::Run(data, size);
  return 0;
}
