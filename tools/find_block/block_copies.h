// Every copy of one block: where it lies, and what is found there.

#ifndef EBCACHE_TOOLS_FIND_BLOCK_BLOCK_COPIES_H_
#define EBCACHE_TOOLS_FIND_BLOCK_BLOCK_COPIES_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/on_disk.h"
#include "ebcache/volume.h"

namespace ebcache::tools {

// What a block says of itself.
struct BlockFacts {
  uint64_t owner = 0;
  uint64_t generation = 0;
  uint8_t level = 0;
  uint32_t items = 0;
  std::optional<Key> first_key;  // none in an empty leaf
};

struct BlockCopy {
  // kData: in a chunk that has no tree blocks, so it was not read.
  // kNoMemory: it may be as good as any.
  enum class State { kGood, kBad, kUnreadable, kNoMemory, kMissing, kData };

  int mirror = 0;  // from 1
  DevicePlace place;
  std::string device;  // name, or "missing device N"
  State state = State::kMissing;
  std::string reason;               // what is wrong, where something is
  std::optional<BlockFacts> facts;  // of copies that verify
};
// "good", "bad", "unreadable", "no memory", "missing", "data"
const char* BlockCopyStateName(BlockCopy::State state);

// Reads and verifies copies, outside of a filesystem's cache, where there is one of each block.
//
// Thread safety: belongs to one thread.
class CopyReader {
 public:
  explicit CopyReader(Volume& volume);

  // All copies of the block at `logical`; `check` is what is expected of them, or null.
  // Errors: those of Volume::Map.
  absl::StatusOr<std::vector<BlockCopy>> Read(uint64_t logical, const ParentCheck* check);

  // The address of the block that `logical` lies in: the nearest at or before it where a copy
  // verifies. None where there is no such block.
  std::optional<uint64_t> FindStart(uint64_t logical);

  // Where the copies of the byte at `logical` are, unread.
  absl::StatusOr<std::vector<BlockCopy>> Locate(uint64_t logical);

 private:
  void ReadCopy(uint64_t logical, const ParentCheck* check, BlockCopy& copy);

  Volume& volume_;
  BufferCache buffers_;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_FIND_BLOCK_BLOCK_COPIES_H_
