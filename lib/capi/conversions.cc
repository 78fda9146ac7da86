// Plain structs of ebcache.h as C++ has them, and back.

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "lib/capi/errors.h"
#include "lib/capi/handles.h"
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
    if (full.level >= kMaxLevels) return Fail(EINVAL, "ebcache_check: no such level");
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

TreeRoot Inside(const ebcache_root& root) {
  const size_t name_bytes = strnlen(root.name, sizeof(root.name));
  return {.id = root.id,
          .key_offset = root.key_offset,
          .bytenr = root.bytenr,
          .generation = root.generation,
          .level = static_cast<uint8_t>(root.level),
          .name = std::string(root.name, name_bytes),
          .drop_progress = Inside(root.drop_progress),
          .drop_level = static_cast<uint8_t>(root.drop_level),
          .refs = root.deleted != 0 ? 0u : 1u};
}

int CopyInRoot(const ebcache_root* given, ebcache_root& full) {
  if (given == nullptr) return NullArgument("root");
  if (const int error = CopyIn(given, full, "root"); error != 0) return error;
  if (full.level >= kMaxLevels || full.drop_level >= kMaxLevels) {
    return Fail(EINVAL, "root: no tree has blocks on this level");
  }
  return 0;
}

ebcache_root Outside(const TreeRoot& root) {
  ebcache_root full{.size = sizeof(ebcache_root),
                    .id = root.id,
                    .key_offset = root.key_offset,
                    .bytenr = root.bytenr,
                    .generation = root.generation,
                    .level = root.level,
                    .drop_level = root.drop_level,
                    .drop_progress = Outside(root.drop_progress),
                    .name = {},
                    .deleted = root.deleted() ? 1u : 0u};
  const size_t bytes = std::min(root.name.size(), sizeof(full.name) - 1);
  std::memcpy(full.name, root.name.data(), bytes);
  return full;
}

int RefuseWrites(const ebcache_cache& cache) {
  if (cache.of == nullptr || !cache.of->filesystem->writable()) return 0;
  return Fail(EACCES, "blocks of a filesystem are written by its transactions alone");
}

int RefuseInSession(const ebcache_cache& cache) {
  if (cache.of == nullptr || !HasSession(*cache.of)) return 0;
  return Fail(EBUSY, "a session over the filesystem is open");
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
  if (full.unmovable != 0) options.alloc_flags = AllocFlags::kNone;
  return 0;
}

}  // namespace ebcache::capi
