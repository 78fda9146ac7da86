// What find-block found of a block, and the two forms in which it tells it.

#ifndef EBCACHE_TOOLS_FIND_BLOCK_BLOCK_REPORT_H_
#define EBCACHE_TOOLS_FIND_BLOCK_BLOCK_REPORT_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/filesystem.h"
#include "tools/find_block/block_copies.h"
#include "tools/find_block/block_path.h"
#include "tools/progress.h"

namespace ebcache::tools {

struct BlockReport {
  enum class Verdict {
    kInUse,       // a tree leads to it, and no copy that can be read is bad
    kDamaged,     // a tree leads to it, and a copy is bad
    kNotInUse,    // no tree leads to it
    kCannotTell,  // a tree may, but not all could be read; or no copy could, or one had no memory
  };

  uint64_t asked = 0;    // the address that was asked for
  uint64_t logical = 0;  // of the block that it lies in, if there is one; else the same
  uint32_t node_bytes = 0;
  std::optional<Chunk> chunk;  // none has the address
  std::vector<BlockCopy> copies;
  std::string no_copies;            // why there are none
  std::optional<BlockFacts> facts;  // of the first good copy
  PathSearch search;
  Verdict verdict = Verdict::kNotInUse;
};
// "in use", "damaged", "not in use", "cannot tell"
const char* BlockVerdictName(BlockReport::Verdict verdict);

// Finds out all of that. The filesystem must outlive the report.
BlockReport InvestigateBlock(Filesystem& filesystem, uint64_t logical, Progress& progress);

// The logical address of a byte of a device. Errors: NotFound (it is in no chunk),
// InvalidArgument (no chunk is on that device), Unimplemented (raid5/6).
absl::StatusOr<uint64_t> LogicalAddress(const Volume& volume, DevicePlace place);

// "METADATA|DUP"
std::string ChunkTypeName(const Chunk& chunk);

// Prints to stdout.
void PrintBlockText(const BlockReport& report);
void PrintBlockJson(const BlockReport& report);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_FIND_BLOCK_BLOCK_REPORT_H_
