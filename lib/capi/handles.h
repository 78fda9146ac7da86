// What is behind the handles of ebcache.h, and what its plain structs are inside.
//
// An ebcache_buffer is an ExtentBuffer, and the pointer a reference that the caller keeps by hand.
// So nothing is allocated for one, and finding a buffer costs what it costs in C++.

#ifndef EBCACHE_LIB_CAPI_HANDLES_H_
#define EBCACHE_LIB_CAPI_HANDLES_H_

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <memory>
#include <string_view>
#include <utility>

#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/ebcache.h"
#include "ebcache/filesystem.h"
#include "ebcache/page_allocator.h"
#include "ebcache/preview.h"

struct ebcache_allocator {
  std::shared_ptr<ebcache::PageAllocator> pages;
};

struct ebcache_cache {
  ebcache::BufferCache* cache = nullptr;  // its own, or a filesystem's
  const ebcache_filesystem* of = nullptr;
  std::unique_ptr<ebcache::BlockSource> source;
  std::unique_ptr<ebcache::BufferCache> owned;
};

struct ebcache_preview {
  std::unique_ptr<ebcache::Preview> preview;
  uint64_t filesystems = 0;  // that are open
};

struct ebcache_filesystem {
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

struct ebcache_block_set {
  ebcache::BlockSet blocks;
};

namespace ebcache::capi {

inline ExtentBuffer* Inside(ebcache_buffer* buffer) {
  return reinterpret_cast<ExtentBuffer*>(buffer);
}
inline const ExtentBuffer* Inside(const ebcache_buffer* buffer) {
  return reinterpret_cast<const ExtentBuffer*>(buffer);
}
// A borrowed one.
inline ebcache_buffer* Outside(const ExtentBuffer* buffer) {
  return reinterpret_cast<ebcache_buffer*>(const_cast<ExtentBuffer*>(buffer));
}
// The reference, from here on the caller's to keep.
inline ebcache_buffer* HandOut(ExtentBufferRef ref) {
  return reinterpret_cast<ebcache_buffer*>(ref.Release());
}
// The caller's reference for the length of a call, which it keeps. Never put from here.
class Borrowed {
 public:
  explicit Borrowed(ebcache_buffer* buffer) : ref_(ExtentBufferRef::Adopt(Inside(buffer))) {}
  ~Borrowed() { (void)ref_.Release(); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  const ExtentBufferRef& operator*() const { return ref_; }
  const ExtentBufferRef* operator->() const { return &ref_; }

 private:
  ExtentBufferRef ref_;
};

inline Key Inside(const ebcache_key& key) { return {key.objectid, key.type, key.offset}; }
inline ebcache_key Outside(const Key& key) {
  return {.objectid = key.objectid, .offset = key.offset, .type = key.type};
}

// Null: the first key, the last.
inline KeyRange RangeOf(const ebcache_key* from, const ebcache_key* to) {
  return {.from = from != nullptr ? Inside(*from) : kMinKey,
          .to = to != nullptr ? Inside(*to) : kMaxKey};
}

// 0 or a negative errno. Null: no check, `*use` is null.
int Inside(const ebcache_check* given, ParentCheck& check, const ParentCheck** use);
ebcache_check Outside(const ParentCheck& check);

// What the caller gave, of whatever version: 0 or a negative errno.
int CopyInRoot(const ebcache_root* given, ebcache_root& full);
TreeRoot Inside(const ebcache_root& root);
ebcache_root Outside(const TreeRoot& root);

// 0 for a size that blocks may have; else -EINVAL.
int CheckNodeBytes(uint32_t node_bytes);

// Opens a filesystem by `open`, which gets the options as C++ has them: 0 or a negative errno.
int OpenBy(const ebcache_filesystem_options* options, ebcache_filesystem** filesystem,
           absl::FunctionRef<absl::StatusOr<std::unique_ptr<Filesystem>>(FilesystemOptions)> open);

// The options of a cache as C++ has them; 0 or a negative errno.
int Inside(const ebcache_cache_options* given, BufferCacheOptions& options);

inline bool HasSession(const ebcache_filesystem& filesystem) {
  return filesystem.has_session.load(std::memory_order_relaxed);
}
// 0 where the caller may have blocks of this cache written: -EACCES for those of a filesystem that is
// open for writing, which transactions write.
int RefuseWrites(const ebcache_cache& cache);
// 0 where the caller may say of this cache's buffers what is to become of their changes: -EBUSY where
// they may be a transaction's.
int RefuseInSession(const ebcache_cache& cache);

// 0 when no references to buffers of this cache are left but its own; else -EBUSY, and words that
// say how many buffers, and which.
int FailIfHeld(const BufferCache& cache);
// 0, or -EBUSY in words where a block is DIRTY, and would be lost with the cache.
int RefuseUnwritten(BufferCache& cache);

}  // namespace ebcache::capi

#endif  // EBCACHE_LIB_CAPI_HANDLES_H_
