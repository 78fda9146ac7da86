#include "tools/check/tree_sets.h"

namespace ebcache::tools {

uint32_t TreeSets::With(uint32_t set, uint64_t tree) {
  if (!sets_[set].empty() && sets_[set].back() == tree) return set;
  const auto [at, fresh] = with_.try_emplace({set, tree}, static_cast<uint32_t>(sets_.size()));
  if (fresh) {
    std::vector<uint64_t> trees = sets_[set];
    trees.push_back(tree);
    sets_.push_back(std::move(trees));
    bytes_.push_back(0);
  }
  return at->second;
}

void TreeSets::Note(uint64_t address, uint64_t bytes, uint64_t tree) {
  Extent& extent = extents_.try_emplace(address, Extent{bytes, 0}).first->second;
  extent.set = With(extent.set, tree);
}

void TreeSets::Settle() {
  for (const auto& [address, extent] : extents_) bytes_[extent.set] += extent.bytes;
  extents_.clear();
}

void TreeSets::ForEachSet(
    absl::FunctionRef<void(const std::vector<uint64_t>& trees, uint64_t bytes)> tell) const {
  for (size_t i = 1; i < sets_.size(); ++i) tell(sets_[i], bytes_[i]);
}

}  // namespace ebcache::tools
