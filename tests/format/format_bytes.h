// The format, written: superblocks, chunk items and tree blocks as bytes, sound until a test breaks
// them.

#ifndef EBCACHE_TESTS_FORMAT_FORMAT_BYTES_H_
#define EBCACHE_TESTS_FORMAT_FORMAT_BYTES_H_

#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "ebcache/on_disk.h"
#include "lib/base/check.h"

namespace ebcache::testing {

using Bytes = std::vector<std::byte>;

// Puts a little-endian integer at `offset`.
template <typename T>
void Put(Bytes& bytes, size_t offset, std::type_identity_t<T> value) {
  EBCACHE_CHECK(offset + sizeof(T) <= bytes.size(), "a test writes outside of its bytes");
  for (size_t i = 0; i < sizeof(T); ++i) {
    bytes[offset + i] = static_cast<std::byte>(static_cast<uint64_t>(value) >> (8 * i) & 0xff);
  }
}
void PutUuid(Bytes& bytes, size_t offset, const Uuid& uuid);
void PutKey(Bytes& bytes, size_t offset, const Key& key);

// A uuid all of one digit.
Uuid UuidOf(uint8_t digit);

// Computes the checksum of a superblock or a tree block and puts it in front.
void Seal(Bytes& block, ChecksumType type);

// ---- Superblocks --------------------------------------------------------------------------------

// One device, node size 16384, a system chunk array with one chunk on it; passes all checks.
Superblock SoundSuperblock();

// The bytes of a superblock that is to lie at `physical`, sealed.
Bytes SuperblockBytes(const Superblock& superblock, uint64_t physical = kSuperblockOffsets[0]);

// ---- Chunks -------------------------------------------------------------------------------------

// A sound system chunk with stripe i on device i + 1 (dup: all on 1) at 1 MiB + i * 64 MiB, for
// the smallest number of stripes unless told otherwise.
Chunk SoundChunk(RaidProfile profile, uint64_t logical, uint64_t length, size_t stripes = 0);
// What devices have as uuid here.
Uuid DeviceUuid(uint64_t id);

Bytes ChunkItemOf(const Chunk& chunk, uint32_t sector_bytes = 4096);
Bytes SystemChunkArrayOf(const std::vector<Chunk>& chunks);

// ---- Tree blocks --------------------------------------------------------------------------------

struct BlockShape {
  uint32_t node_bytes = 16384;
  Uuid fsid = UuidOf(0x11);
  uint64_t bytenr = 0;
  uint64_t generation = 7;
  uint64_t owner = kFsTreeId;
  uint8_t level = 0;
  ChecksumType checksum_type = ChecksumType::kCrc32c;
};
struct LeafItem {
  Key key;
  std::string data;
};

// Sealed. A test that breaks one and still wants the checksum right seals it again.
Bytes LeafBytes(const BlockShape& shape, const std::vector<LeafItem>& items);
Bytes NodeBytes(const BlockShape& shape, const std::vector<KeyPointer>& pointers);

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_FORMAT_FORMAT_BYTES_H_
