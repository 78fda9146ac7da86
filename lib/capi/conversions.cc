// Plain structs of trees as C++ has them, and back.

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib/capi/errors.h"
#include "lib/capi/handles.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {

static_assert(kLevels == kMaxLevels);

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

}  // namespace ebcache::capi
