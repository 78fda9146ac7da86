// Which blocks a way through one tree has met: why it ends, however the pointers are knotted.

#ifndef EBCACHE_LIB_TREE_BLOCK_VISITS_H_
#define EBCACHE_LIB_TREE_BLOCK_VISITS_H_

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "ebcache/btree.h"

namespace ebcache {

// Each block is entered once at the most, and one that cannot be had is asked for kMostAttempts
// times: pointers may expect other things of it, but a node full of pointers to one bad block must
// not cost as many reads.
//
// Thread safety: belongs to one thread.
class BlockVisits {
 public:
  explicit BlockVisits(uint32_t node_bytes) : entered_(node_bytes) {}

  // False when the block was entered before.
  bool Enter(uint64_t start) { return entered_.Insert(start); }
  bool Entered(uint64_t start) const { return entered_.Contains(start); }

  void NoteFailure(uint64_t start) {
    if (failures_.size() < kMostRemembered) ++failures_[start];
  }
  bool Failed(uint64_t start) const { return failures_.contains(start); }

  // OK when a pointer to this block is to be followed; otherwise what is wrong with it.
  absl::Status MayFollow(uint64_t start) const {
    if (Entered(start)) return MetTwice();
    const auto failures = failures_.find(start);
    if (failures == failures_.end() || failures->second < kMostAttempts) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat("not read again: ", kMostAttempts, " pointers before led to no block there"));
  }
  static absl::Status MetTwice() {
    return absl::DataLossError("met a second time in the same tree");
  }

 private:
  static constexpr int kMostAttempts = 3;
  // What a hostile tree claims must not fill the memory.
  static constexpr size_t kMostRemembered = size_t{1} << 20;

  BlockSet entered_;
  // Pointers that led to no block, by address. Not one of Abseil's maps: they are in pieces after
  // an allocation that failed, and their destructors then free what was never allocated.
  std::unordered_map<uint64_t, int> failures_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_TREE_BLOCK_VISITS_H_
