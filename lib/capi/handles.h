// What is behind the handles of filesystems and trees, and what their plain structs are inside.

#ifndef EBCACHE_LIB_CAPI_HANDLES_H_
#define EBCACHE_LIB_CAPI_HANDLES_H_

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <memory>
#include <string_view>
#include <utility>

#include "ebcache/btree.h"
#include "ebcache/ebcache.h"
#include "ebcache/filesystem.h"
#include "ebcache/preview.h"
#include "lib/capi/cache_handles.h"

struct ebcache_preview {
  std::unique_ptr<ebcache::Preview> preview;
  uint64_t filesystems = 0;  // that are open
};

struct ebcache_filesystem final : ebcache::capi::CacheOwner {
  int RefuseWrites() const override;
  int RefuseInSession() const override;

  // Of the messages that come before there is a filesystem, too. Reached by its callbacks, so it
  // stays where it is.
  ebcache_filesystem_options options;
  std::unique_ptr<ebcache::Filesystem> filesystem;
  ebcache_cache cache;
  // Whether a session over it is open. Relaxed: what orders one session behind another is the
  // library's own claim (Session::Open), between whose beginning and end this is set and cleared;
  // the others that look want to refuse what the caller should not have asked for.
  std::atomic<bool> has_session{false};
  ebcache_preview* preview = nullptr;  // whose it is; null: of devices
};

struct ebcache_tree {
  // Whether the tree can still be used: -ESTALE where it is a transaction's, which has changed since.
  int Check() const;

  ebcache::BTree tree;
  // Of a transaction's tree: how many changes there are, and were when it was opened.
  std::shared_ptr<const uint64_t> changes;
  uint64_t opened_at = 0;
};

struct ebcache_path {
  ebcache_tree of;
  ebcache::Path path;
  ebcache::Item item;
};

namespace ebcache::capi {

// Null: the first key, the last.
inline KeyRange RangeOf(const ebcache_key* from, const ebcache_key* to) {
  return {.from = from != nullptr ? Inside(*from) : kMinKey,
          .to = to != nullptr ? Inside(*to) : kMaxKey};
}

// What the caller gave, of whatever version: 0 or a negative errno.
int CopyInRoot(const ebcache_root* given, ebcache_root& full);
TreeRoot Inside(const ebcache_root& root);
ebcache_root Outside(const TreeRoot& root);

// Opens a filesystem by `open`, which gets the options as C++ has them: 0 or a negative errno.
int OpenBy(const ebcache_filesystem_options* options, ebcache_filesystem** filesystem,
           absl::FunctionRef<absl::StatusOr<std::unique_ptr<Filesystem>>(FilesystemOptions)> open);

inline bool HasSession(const ebcache_filesystem& filesystem) {
  return filesystem.has_session.load(std::memory_order_relaxed);
}

}  // namespace ebcache::capi

#endif  // EBCACHE_LIB_CAPI_HANDLES_H_
