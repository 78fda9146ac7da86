// Chunks: the system chunk array and chunk items, and the arithmetic on what passed.
//
// The first byte of the input says whether the rest is an array or a chunk item; the eight after it
// are the logical address of the item.

#include <cstdint>
#include <cstring>
#include <vector>

#include "ebcache/on_disk.h"
#include "lib/format/raid_profile.h"
#include "lib/format/system_chunk_array.h"
#include "lib/volume/chunk_map.h"
#include "tests/format/format_bytes.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/oracle.h"

namespace ebcache::fuzz {
namespace {

using testing::Bytes;

constexpr uint32_t kSectorBytes = 4096;

// Every place that is mapped is on a stripe of the chunk, and inside of it.
void CheckPlace(const Chunk& chunk, uint64_t logical, uint64_t length, const ChunkMap& map) {
  const absl::StatusOr<StripeLocations> places = map.Map(logical, length);
  if (!places.ok()) return;
  if (logical - chunk.logical >= chunk.length) {
    EBCACHE_ORACLE("behind-the-chunk", map.Find(logical)->logical != chunk.logical);
    return;  // a neighbour's, with copies and stripes of its own
  }
  EBCACHE_ORACLE("range-in-chunk", length <= chunk.length);
  EBCACHE_ORACLE("copies", places->size() == static_cast<size_t>(chunk.copies()));
  for (const StripeLocation& place : *places) {
    const bool in_front = place.place().offset < place.stripe.physical;
    EBCACHE_ORACLE("in-front-of-the-stripe", !in_front);
    EBCACHE_ORACLE("behind-the-stripe", in_front || place.offset < chunk.length);
  }
}

void CheckArithmetic(const Chunk& chunk, const ChunkMap& map) {
  for (uint64_t offset : {uint64_t{0}, uint64_t{kStripeBytes} - 4096, uint64_t{kStripeBytes},
                          chunk.length / 2, chunk.length - 1, chunk.length}) {
    for (uint64_t length : {uint64_t{1}, uint64_t{4096}, uint64_t{65536}, ~uint64_t{0}}) {
      CheckPlace(chunk, chunk.logical + offset, length, map);
    }
  }
}

void AddAll(const std::vector<Chunk>& chunks) {
  ChunkMap map(kSectorBytes);
  for (const Chunk& chunk : chunks) {
    if (map.Add(chunk).ok()) CheckArithmetic(chunk, map);
  }
  // What is in the map is disjoint and in order, whatever was added.
  uint64_t end = 0;
  for (const Chunk& chunk : map.chunks()) {
    EBCACHE_ORACLE("overlap", chunk.logical >= end);
    end = chunk.logical + chunk.length;
  }
}

}  // namespace

void Run(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  const uint8_t mode = input.Take<uint8_t>();
  const uint64_t logical = input.Take<uint64_t>();
  const Bytes bytes = input.TakeRest();
  if ((mode & 1) == 0) {
    const absl::StatusOr<std::vector<Chunk>> chunks = ParseSystemChunkArray(bytes, kSectorBytes);
    if (chunks.ok()) AddAll(*chunks);
    return;
  }
  const absl::StatusOr<Chunk> chunk = ParseChunkItem(logical, bytes, kSectorBytes);
  if (chunk.ok()) AddAll({*chunk, *chunk});
}

}  // namespace ebcache::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ebcache::fuzz::Run(data, size);
  return 0;
}
