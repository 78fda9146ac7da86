// From paths to inodes and back.
//
// Thread safety: everything may be called from any thread.

#ifndef EBCACHE_PATHS_H_
#define EBCACHE_PATHS_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "ebcache/filesystem.h"
#include "ebcache/items_file.h"

namespace ebcache {

// The top directory of every tree that has files.
inline constexpr uint64_t kTopDirectory = kFirstFreeObjectId;

// Where a file is.
struct InodePlace {
  uint64_t tree = kFsTreeId;
  uint64_t inode = kTopDirectory;
  DirEntryType type = DirEntryType::kDirectory;

  friend constexpr bool operator==(const InodePlace&, const InodePlace&) = default;
};

// The inode that `path` leads to from the top directory of the subvolume `tree`: names with '/' between
// them, in front and behind; "" and "/" are that directory. Goes on into subvolumes. Symbolic links are
// not followed; "." and ".." are names that no directory has.
// Errors: NotFound (no such tree or name, or what would have to be a directory is none; a snapshot's
// entry of a subvolume that is in the original only), and those of BTree::Find.
absl::StatusOr<InodePlace> FindInode(Filesystem& filesystem, uint64_t tree, std::string_view path);

// Calls `tell` with each path of an inode from the top directory of its tree, one for each of its names,
// in the order of keys, until it returns false; "/" for that directory itself.
// Errors: NotFound (no such tree; the inode has no name there), DataLoss (a directory on the way has no
// name, or they lead round), and those of BTree::Find.
absl::Status ForEachPath(Filesystem& filesystem, uint64_t tree, uint64_t inode,
                         absl::FunctionRef<bool(const std::string& path)> tell);

// The path of a subvolume from the top directory of the filesystem: "/" for kFsTreeId. Errors: as
// ForEachPath; NotFound also for a subvolume that is in no directory any more.
absl::StatusOr<std::string> SubvolumePath(Filesystem& filesystem, uint64_t tree);

}  // namespace ebcache

#endif  // EBCACHE_PATHS_H_
