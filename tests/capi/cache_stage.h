// A cache that calls of the C face are made on, ready for any of them, and what must still be true of it
// afterwards. It needs libebcache-core only.

#ifndef EBCACHE_TESTS_CAPI_CACHE_STAGE_H_
#define EBCACHE_TESTS_CAPI_CACHE_STAGE_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "ebcache/ebcache_core.h"

namespace ebcache {

// What a cache stands on and holds: each makes another part of the library need memory.
enum class CacheShape {
  kPlain,    // a few blocks on a heap
  kGrowing,  // one more leaf of the index makes its table grow
  kFull,     // the budget is used up: newcomers make others go
  kSubpage,  // several blocks to a page
  kOrder0,
  kHigh,
  kVmap,
  kMovable,
};

// A cache over a source in memory.
class CacheStage {
 public:
  static constexpr uint64_t kNode = 16384;
  static constexpr uint64_t kHeld = 3 * kNode;
  static constexpr uint64_t kFresh = 5 * kNode;
  static constexpr uint64_t kDirty = 6 * kNode;
  static constexpr uint64_t kAbsent = 9 * kNode;  // that and what follows it are not cached
  static constexpr uint64_t kFarAway = uint64_t{99} << 24;  // in a leaf of its own

  explicit CacheStage(CacheShape shape);
  ~CacheStage();
  CacheStage(const CacheStage&) = delete;
  CacheStage& operator=(const CacheStage&) = delete;

  // Gives back what the stage holds, and uses the cache: everything can be read and is right, what
  // is dirtied is found, written and right, and in the end nothing is left. Ends the stage.
  void ExpectSound();

  ebcache_allocator* allocator = nullptr;  // null: the cache's own
  ebcache_cache* cache = nullptr;
  ebcache_cache* other = nullptr;   // with nothing in it
  ebcache_buffer* held = nullptr;   // uptodate
  ebcache_buffer* fresh = nullptr;  // not uptodate
  ebcache_buffer* dirty = nullptr;
  ebcache_buffer* dummy = nullptr;
};

// A call: what it returns is 0, or a negative errno. Gives back all that it gets.
template <typename Stage>
struct Call {
  const char* function;
  std::function<int(Stage&)> make;
  int expected = 0;          // what it returns when there is memory
  bool every_shape = false;  // of caches; the others: kPlain only
};
std::vector<Call<CacheStage>> CacheCalls();

}  // namespace ebcache

#endif  // EBCACHE_TESTS_CAPI_CACHE_STAGE_H_
