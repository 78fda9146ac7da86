// Moving 16 KiB nodes: four pages of each out of a superpageblock that is being emptied, by asking
// the cache, with destinations, bookkeeping and freeing. And the floor: the same bytes over the
// same distances by memcpy, and nothing else.

#ifndef EBCACHE_BENCH_REGION_NODE_MOVES_H_
#define EBCACHE_BENCH_REGION_NODE_MOVES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "ebcache/buffer_cache.h"
#include "ebcache/movable_region.h"

namespace ebcache::bench {

struct MoveRound {
  uint64_t nodes = 0;
  double seconds = 0;  // for all of them
};

// Half of all superpageblocks' pages are in use, so that each superpageblock asked for makes others
// fuller. The nodes' bytes are there (their first touch is over), and nothing is in the way of
// their being moved.
class NodeMoves {
 public:
  explicit NodeMoves(MovableRegionOptions::Backing backing);

  // Empties one superpageblock. Nothing when that cannot be done. Then, off the clock, fills it
  // again.
  std::optional<MoveRound> Round();

 private:
  void FillAndPunch();

  const std::shared_ptr<MovableRegion> region_;
  BufferCache cache_;
};

// Every second node of a superpageblock, page by page, into the holes of the next ones.
class NodeCopies {
 public:
  NodeCopies();
  ~NodeCopies();
  NodeCopies(const NodeCopies&) = delete;
  NodeCopies& operator=(const NodeCopies&) = delete;

  // Nothing when there was no memory.
  std::optional<MoveRound> Round();

 private:
  std::byte* const arena_;
  uint64_t rounds_ = 0;
};

}  // namespace ebcache::bench

#endif  // EBCACHE_BENCH_REGION_NODE_MOVES_H_
