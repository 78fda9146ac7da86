// Plain structs of caches as C++ has them, and back.

#include <bit>
#include <cerrno>

#include "lib/capi/cache_handles.h"
#include "lib/capi/errors.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {
namespace {

constexpr uint32_t kAllCheckBits =
    EBCACHE_CHECK_LEVEL | EBCACHE_CHECK_GENERATION | EBCACHE_CHECK_OWNER | EBCACHE_CHECK_FIRST_KEY;

}  // namespace

int Inside(const ebcache_check* given, ParentCheck& check, const ParentCheck** use) {
  *use = nullptr;
  if (given == nullptr) return 0;
  ebcache_check full;
  if (const int error = CopyIn(given, full, "check"); error != 0) return error;
  if ((full.bits & ~kAllCheckBits) != 0) return Fail(EINVAL, "ebcache_check: an unknown bit");
  if ((full.bits & EBCACHE_CHECK_LEVEL) != 0) {
    if (full.level >= kLevels) return Fail(EINVAL, "ebcache_check: no such level");
    check.level = static_cast<uint8_t>(full.level);
  }
  // Inside, 0 is no check at all: the caller would believe that there was one.
  if ((full.bits & EBCACHE_CHECK_GENERATION) != 0) {
    if (full.generation == 0) return Fail(EINVAL, "ebcache_check: no block is of generation 0");
    check.generation = full.generation;
  }
  if ((full.bits & EBCACHE_CHECK_OWNER) != 0) {
    if (full.owner == 0) return Fail(EINVAL, "ebcache_check: no block is of tree 0");
    check.owner = full.owner;
  }
  if ((full.bits & EBCACHE_CHECK_FIRST_KEY) != 0) check.first_key = Inside(full.first_key);
  *use = &check;
  return 0;
}

ebcache_check Outside(const ParentCheck& check) {
  ebcache_check full{.size = sizeof(ebcache_check)};
  if (check.level) {
    full.bits |= EBCACHE_CHECK_LEVEL;
    full.level = *check.level;
  }
  if (check.generation != 0) full.bits |= EBCACHE_CHECK_GENERATION;
  full.generation = check.generation;
  if (check.owner != 0) full.bits |= EBCACHE_CHECK_OWNER;
  full.owner = check.owner;
  if (check.first_key) {
    full.bits |= EBCACHE_CHECK_FIRST_KEY;
    full.first_key = Outside(*check.first_key);
  }
  return full;
}

int RefuseWrites(const ebcache_cache& cache) {
  return cache.owner != nullptr ? cache.owner->RefuseWrites() : 0;
}

int RefuseInSession(const ebcache_cache& cache) {
  return cache.owner != nullptr ? cache.owner->RefuseInSession() : 0;
}

int CheckNodeBytes(uint32_t node_bytes) {
  if (std::has_single_bit(node_bytes) && node_bytes >= 4096 && node_bytes <= 65536) return 0;
  return Fail(EINVAL, "node_bytes must be a power of two from 4096 to 65536");
}

int Inside(const ebcache_cache_options* given, BufferCacheOptions& options) {
  ebcache_cache_options full;
  if (const int error = CopyIn(given, full, "options"); error != 0) return error;
  if (full.node_bytes != 0) {
    if (const int error = CheckNodeBytes(full.node_bytes); error != 0) return error;
    options.node_bytes = full.node_bytes;
  }
  if (full.budget_bytes != 0) {
    options.budget_bytes = full.budget_bytes == EBCACHE_UNLIMITED ? 0 : full.budget_bytes;
  }
  if (full.allocator != nullptr) options.allocator = full.allocator->pages;
  if (full.user_bytes > BufferCacheOptions::kMostUserBytes) {
    return Fail(EINVAL, "user_bytes must be 4096 or less");
  }
  options.user_bytes = static_cast<uint32_t>(full.user_bytes);
  options.background_reclaim = full.background_reclaim != 0;
  options.dirty_limit_bytes = full.dirty_limit_bytes;
  if (full.unmovable != 0) options.alloc_flags = AllocFlags::kNone;
  return 0;
}

}  // namespace ebcache::capi
