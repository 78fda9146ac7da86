// Runs of addresses that trees of space tell of, in order.

#ifndef EBCACHE_TOOLS_CHECK_RUNS_H_
#define EBCACHE_TOOLS_CHECK_RUNS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "ebcache/items_space.h"
#include "tools/check/state.h"

namespace ebcache::tools {

struct Run {
  uint64_t start = 0;
  uint64_t end = 0;
};

// What the free space tree says is free in one block group. Neighbours are one run.
class FreeRuns {
 public:
  FreeRuns(CheckState& state, const std::optional<BTree>& tree, uint64_t start, uint64_t end);
  // The next run; none at the end.
  std::optional<Run> Next();

  // What is known when all runs were taken.
  const std::optional<FreeSpaceInfo>& info() const { return info_; }
  const std::optional<Key>& info_key() const { return info_key_; }
  uint64_t runs() const { return runs_; }
  bool gaps() const { return items_.gaps(); }
  bool odd_items() const { return odd_items_; }  // of the other form than info says

 private:
  void Fill();
  void Append(uint64_t start, uint64_t end);
  void TakeBitmap(const Key& key, const FreeSpaceBitmap& bitmap);

  const uint32_t sector_bytes_;
  ItemStream items_;
  std::deque<Run> ready_;
  std::optional<FreeSpaceInfo> info_;
  std::optional<Key> info_key_;
  uint64_t runs_ = 0;
  bool odd_items_ = false;
};

// The ranges that have data checksums, from `start` on to `end`. Items that overlap are found where
// `tell` says so.
class ChecksumRuns {
 public:
  ChecksumRuns(CheckState& state, const std::optional<BTree>& tree, uint64_t start, uint64_t end,
               bool tell);
  std::optional<Run> Next();
  bool gaps() const { return items_.gaps(); }

 private:
  CheckState& state_;
  const uint64_t start_;
  const uint64_t end_;
  const bool tell_;
  const size_t checksum_bytes_;
  ItemStream items_;
  uint64_t last_end_ = 0;
};

// Bytes of one checksum of that type.
size_t ChecksumBytes(ChecksumType type);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_RUNS_H_
