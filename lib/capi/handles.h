// What is behind the handles of ebcache.h, and what its plain structs are inside.
//
// An ebcache_buffer is an ExtentBuffer, and the pointer a reference that the caller keeps by hand.
// So nothing is allocated for one, and finding a buffer costs what it costs in C++.

#ifndef EBCACHE_LIB_CAPI_HANDLES_H_
#define EBCACHE_LIB_CAPI_HANDLES_H_

#include <memory>
#include <string_view>
#include <utility>

#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/ebcache.h"
#include "ebcache/filesystem.h"
#include "ebcache/page_allocator.h"

struct ebcache_allocator {
  std::shared_ptr<ebcache::PageAllocator> pages;
};

struct ebcache_cache {
  ebcache::BufferCache* cache = nullptr;  // its own, or a filesystem's
  std::unique_ptr<ebcache::BlockSource> source;
  std::unique_ptr<ebcache::BufferCache> owned;
};

struct ebcache_filesystem {
  // Of the messages that come before there is a filesystem, too. Reached by its callbacks, so it
  // stays where it is.
  ebcache_filesystem_options options;
  std::unique_ptr<ebcache::Filesystem> filesystem;
  ebcache_cache cache;
};

struct ebcache_tree {
  ebcache::BTree tree;
};

struct ebcache_path {
  ebcache::BTree tree;
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

// 0 or a negative errno. Null: no check, `*use` is null.
int Inside(const ebcache_check* given, ParentCheck& check, const ParentCheck** use);
ebcache_check Outside(const ParentCheck& check);

// What the caller gave, of whatever version: 0 or a negative errno.
int CopyInRoot(const ebcache_root* given, ebcache_root& full);
TreeRoot Inside(const ebcache_root& root);
ebcache_root Outside(const TreeRoot& root);

// 0 for a size that blocks may have; else -EINVAL.
int CheckNodeBytes(uint32_t node_bytes);

// The options of a cache as C++ has them; 0 or a negative errno.
int Inside(const ebcache_cache_options* given, BufferCacheOptions& options);

// 0 when no references to buffers of this cache are left but its own; else -EBUSY, and words that
// say how many buffers, and which.
int FailIfHeld(const BufferCache& cache);
// 0, or -EBUSY in words where a block is DIRTY, and would be lost with the cache.
int RefuseUnwritten(BufferCache& cache);

}  // namespace ebcache::capi

#endif  // EBCACHE_LIB_CAPI_HANDLES_H_
