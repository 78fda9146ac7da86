// Paths and inodes.

#include "ebcache/paths.h"

#include <cerrno>
#include <string>

#include "lib/capi/errors.h"
#include "lib/capi/handles.h"
#include "lib/capi/structs.h"

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

int ebcache_find_inode(ebcache_filesystem* filesystem, uint64_t tree, const char* path,
                       struct ebcache_inode_place* place) {
  if (filesystem == nullptr) return NullArgument("filesystem");
  if (path == nullptr) return NullArgument("path");
  return Guard([&] {
    const absl::StatusOr<InodePlace> found = FindInode(*filesystem->filesystem, tree, path);
    if (!found.ok()) return Fail(found.status());
    return CopyOut({.size = sizeof(*place),
                    .tree = found->tree,
                    .inode = found->inode,
                    .type = static_cast<uint32_t>(found->type)},
                   place, "place");
  });
}

int ebcache_for_each_path(ebcache_filesystem* filesystem, uint64_t tree, uint64_t inode,
                          ebcache_path_fn* tell, void* context) {
  if (filesystem == nullptr) return NullArgument("filesystem");
  if (tell == nullptr) return NullArgument("tell");
  return Guard([&] {
    int result = 0;
    const absl::Status status =
        ForEachPath(*filesystem->filesystem, tree, inode, [&](const std::string& path) {
          const CallbackWords words;
          result = words.Pass(tell(context, path.c_str(), path.size()), "tell");
          return result == 0;
        });
    return result != 0 || status.ok() ? result : Fail(status);
  });
}

int ebcache_subvolume_path(ebcache_filesystem* filesystem, uint64_t tree, ebcache_path_fn* tell,
                           void* context) {
  if (filesystem == nullptr) return NullArgument("filesystem");
  if (tell == nullptr) return NullArgument("tell");
  return Guard([&] {
    const absl::StatusOr<std::string> path = SubvolumePath(*filesystem->filesystem, tree);
    if (!path.ok()) return Fail(path.status());
    const CallbackWords words;
    return words.Pass(tell(context, path->c_str(), path->size()), "tell");
  });
}
