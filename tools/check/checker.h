// The check of a whole filesystem: docs/check.md.

#ifndef EBCACHE_TOOLS_CHECK_CHECKER_H_
#define EBCACHE_TOOLS_CHECK_CHECKER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/filesystem.h"
#include "tools/check/findings.h"
#include "tools/damage.h"
#include "tools/progress.h"

namespace ebcache::tools {

struct CheckOptions {
  // For cache and sums together: a half is for the cache, the rest for sums, summaries of shared blocks
  // and records, and what the program itself takes.
  uint64_t memory_bytes = uint64_t{256} << 20;
  uint32_t threads = 1;
  size_t most_findings = 20;  // kept of each kind; all are counted

  uint64_t cache_bytes() const { return memory_bytes / 2; }
};

struct CheckReport {
  std::unique_ptr<FindingLog> findings;
  LostBlocks lost;
  std::vector<std::string> notices;  // what was not checked, and why
  uint64_t blocks = 0;
  uint64_t trees = 0;
  uint64_t allocated_bytes = 0;
  uint64_t buckets = 0;
  uint64_t differing_buckets = 0;
  double elapsed_s = 0;

  bool damaged() const { return findings->total() != 0; }
  bool incomplete() const { return lost.unread_count() != 0; }
};

// Only reads. `filesystem` was opened with a cache of options.cache_bytes(); it may be one of a preview.
// What is written to it meanwhile looks like damage.
CheckReport CheckFilesystem(Filesystem& filesystem, const CheckOptions& options,
                            Progress& progress);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_CHECKER_H_
