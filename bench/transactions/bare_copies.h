// The least that copying blocks can cost: their bytes, their checksums, and the flushes.

#ifndef EBCACHE_BENCH_TRANSACTIONS_BARE_COPIES_H_
#define EBCACHE_BENCH_TRANSACTIONS_BARE_COPIES_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ebcache::bench {

struct BareCopies {
  uint32_t block_bytes = 16384;
  // Where blocks are read from, in order, and again from the first when there are no more; bytes.
  // Empty: none is read, and the same bytes are written over and over.
  std::vector<uint64_t> places;
  uint64_t blocks = 0;   // that are written
  uint64_t commits = 1;  // after each equal part of them: a flush, a superblock, a flush
};

struct BareSeconds {
  double wall = 0;
  double processor = 0;  // of this process, in the kernel as well
};

// What this takes, with the file opened and closed: by this library's own
// device (io_uring, batches), and without trees, a cache, or any thought of what is free. Each block
// is read, its crc32c made, made again as that of the copy, and the block is written behind the one
// before it, in the upper half of the file, from the front again where that is full. Errors: those
// of the device.
absl::StatusOr<BareSeconds> SecondsOf(const std::string& path, const BareCopies& work);

// Where the blocks of all trees of a filesystem on one device lie, tree by tree, parents before their
// children and children in the order of keys; those that trees share as often as they are met.
absl::StatusOr<std::vector<uint64_t>> PlacesOfBlocks(const std::string& path);

}  // namespace ebcache::bench

#endif  // EBCACHE_BENCH_TRANSACTIONS_BARE_COPIES_H_
