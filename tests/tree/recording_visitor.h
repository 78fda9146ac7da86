// A TreeVisitor that keeps what it is told.

#ifndef EBCACHE_TESTS_TREE_RECORDING_VISITOR_H_
#define EBCACHE_TESTS_TREE_RECORDING_VISITOR_H_

#include <cstdint>
#include <set>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"

namespace ebcache::testing {

class RecordingVisitor : public TreeVisitor {
 public:
  bool VisitBlock(const TreeRoot&, const ExtentBuffer& block) override {
    visited.push_back(block.start());
    order.push_back(block.start());
    if (Header(block).level() == 0) items += Header(block).item_count();
    return !not_below.contains(block.start());
  }
  void VisitDamage(const WalkDamage& found) override {
    damage.push_back(found);
    order.push_back(found.logical);
  }

  std::set<uint64_t> not_below;  // blocks that VisitBlock answers false for

  std::vector<uint64_t> visited;
  std::vector<WalkDamage> damage;
  std::vector<uint64_t> order;  // of both
  uint64_t items = 0;
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_TREE_RECORDING_VISITOR_H_
