// Writes good copies of blocks over bad ones.

#ifndef EBCACHE_TOOLS_REPAIR_COPIES_REPAIRER_H_
#define EBCACHE_TOOLS_REPAIR_COPIES_REPAIRER_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ebcache/filesystem.h"
#include "tools/verify/copy_scrubber.h"

namespace ebcache::tools {

// A bad copy, and what became of it.
struct RepairedCopy {
  DamagedCopy damaged;
  bool repaired = false;
  std::string why_not;  // empty where it is repaired, or nothing was tried
};

// For each of `copies` that has a good one beside it: reads that one again, writes it over the bad one,
// and reads what is there then. What is wrong with single copies is in them; an error says that it is
// not known what is on disk. `stop` is asked before each. REQUIRES: filesystem.writable(), and its
// blocks are those that `copies` were found among.
absl::Status RepairCopies(Filesystem& filesystem, absl::FunctionRef<bool(uint64_t done)> stop,
                          std::vector<RepairedCopy>& copies);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_REPAIR_COPIES_REPAIRER_H_
