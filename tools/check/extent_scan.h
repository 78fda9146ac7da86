// The extents of a range of addresses, with all that refers to them.

#ifndef EBCACHE_TOOLS_CHECK_EXTENT_SCAN_H_
#define EBCACHE_TOOLS_CHECK_EXTENT_SCAN_H_

#include <cstdint>
#include <optional>

#include "ebcache/items_extent.h"
#include "tools/check/fact_sums.h"
#include "tools/check/space.h"
#include "tools/check/state.h"

namespace ebcache::tools {

struct ScannedExtent {
  Key key;
  uint64_t end = 0;  // behind its last byte
  uint8_t level = 0;
  bool data = false;
  bool chunk_tree = false;  // a block that the chunk tree refers to

  uint64_t start() const { return key.objectid; }
};

// Facts of what is recorded go to the sink, with counts below zero. With kEverything counts are held
// against the sums of their references, and what later parts have to know of blocks is noted.
class ExtentScan {
 public:
  ExtentScan(CheckState& state, const std::optional<BTree>& tree, uint64_t start, uint64_t end,
             SpaceWork work, FactSink& sink);

  // The next extent, when all of its references were seen. None at the end.
  std::optional<ScannedExtent> Next();
  bool gaps() const { return items_.gaps(); }

 private:
  void Begin(const Item& item);
  void TakeInline(const ExtentItem& extent);
  void TakeInline(const InlineRef& ref);
  void TakeKeyed(const Item& item);
  void TakeOther(const Item& item);
  void BlockRef(FactType type, uint64_t from);
  void DataRef(const ExtentDataRef& ref);
  void SharedDataRefs(uint64_t parent, uint32_t count);
  void Finish();
  bool everything() const { return work_ == SpaceWork::kEverything; }

  CheckState& state_;
  const SpaceWork work_;
  FactWriter writer_;
  ItemStream items_;
  std::optional<ScannedExtent> extent_;
  ExtentHead head_;
  uint64_t references_ = 0;
  uint64_t charged_to_ = 0;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_EXTENT_SCAN_H_
