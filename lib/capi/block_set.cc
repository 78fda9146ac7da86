// Sets of blocks.

#include "ebcache/block_set.h"

#include "lib/capi/cache_handles.h"
#include "lib/capi/errors.h"

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

int ebcache_block_set_create(uint32_t node_bytes, ebcache_block_set** set) {
  if (set == nullptr) return NullArgument("set");
  *set = nullptr;
  if (const int error = CheckNodeBytes(node_bytes); error != 0) return error;
  return Guard([&] {
    *set = new ebcache_block_set{BlockSet(node_bytes)};
    return 0;
  });
}

void ebcache_block_set_free(ebcache_block_set* set) { delete set; }

int ebcache_block_set_insert(ebcache_block_set* set, uint64_t start) {
  if (set == nullptr) return NullArgument("set");
  return Guard([&] { return set->blocks.Insert(start) ? 1 : 0; });
}

int ebcache_block_set_contains(const ebcache_block_set* set, uint64_t start) {
  return set != nullptr && set->blocks.Contains(start) ? 1 : 0;
}

uint64_t ebcache_block_set_size(const ebcache_block_set* set) {
  return set != nullptr ? set->blocks.size() : 0;
}
