// Which trees reach an extent, and how many bytes each set of trees has in common.

#ifndef EBCACHE_TOOLS_CHECK_TREE_SETS_H_
#define EBCACHE_TOOLS_CHECK_TREE_SETS_H_

#include <absl/container/flat_hash_map.h>
#include <absl/functional/function_ref.h>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace ebcache::tools {

// Sets are few, however many extents there are: an extent has the number of its set.
//
// Thread safety: belongs to one thread.
class TreeSets {
 public:
  static constexpr uint64_t kBytesOfExtent = 48;

  // `tree` reaches the extent. Trees come one after the other.
  void Note(uint64_t address, uint64_t bytes, uint64_t tree);
  // Adds what the extents have to their sets, and forgets the extents.
  void Settle();
  uint64_t extents() const { return extents_.size(); }
  void ForEachSet(
      absl::FunctionRef<void(const std::vector<uint64_t>& trees, uint64_t bytes)> tell) const;

 private:
  struct Extent {
    uint64_t bytes;
    uint32_t set;
  };
  uint32_t With(uint32_t set, uint64_t tree);

  absl::flat_hash_map<uint64_t, Extent> extents_;
  std::vector<std::vector<uint64_t>> sets_ = {{}};  // number 0 is the empty one
  std::vector<uint64_t> bytes_ = {0};
  std::map<std::pair<uint32_t, uint64_t>, uint32_t> with_;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_TREE_SETS_H_
