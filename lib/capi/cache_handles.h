// What is behind the handles of caches, buffers and allocators, and what their plain structs are inside:
// all that libebcache-core has. handles.h has what stands on filesystems.
//
// An ebcache_buffer is an ExtentBuffer, and the pointer a reference that the caller keeps by hand.
// So nothing is allocated for one, and finding a buffer costs what it costs in C++.

#ifndef EBCACHE_LIB_CAPI_CACHE_HANDLES_H_
#define EBCACHE_LIB_CAPI_CACHE_HANDLES_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "ebcache/block_set.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/ebcache_core.h"
#include "ebcache/key.h"
#include "ebcache/page_allocator.h"
#include "ebcache/readahead.h"

namespace ebcache::capi {

// What a cache belongs to that is not the caller's own: a filesystem, which has a say in what becomes of
// changes.
class CacheOwner {
 public:
  // 0, or a negative errno in words: whether the caller may have blocks written, and whether it may say
  // what is to become of their changes.
  virtual int RefuseWrites() const = 0;
  virtual int RefuseInSession() const = 0;

 protected:
  CacheOwner() = default;
  ~CacheOwner() = default;
};

}  // namespace ebcache::capi

struct ebcache_allocator {
  std::shared_ptr<ebcache::PageAllocator> pages;
};

struct ebcache_cache {
  ebcache::BufferCache* cache = nullptr;             // its own, or a filesystem's
  const ebcache::capi::CacheOwner* owner = nullptr;  // null: it is the caller's
  std::unique_ptr<ebcache::BlockSource> source;
  std::unique_ptr<ebcache::BufferCache> owned;
  // Over it, and not destroyed. Relaxed: a caller that destroys the cache has seen to it that its
  // threads are done with it; the number only tells it where not.
  std::atomic<uint64_t> readaheads{0};
};

struct ebcache_block_set {
  ebcache::BlockSet blocks;
};

struct ebcache_readahead {
  ebcache_readahead(ebcache_cache* cache, ebcache::ReadaheadOptions options)
      : of(cache), readahead(cache->cache, options) {
    of->readaheads.fetch_add(1, std::memory_order_relaxed);
  }
  ~ebcache_readahead() { of->readaheads.fetch_sub(1, std::memory_order_relaxed); }
  ebcache_readahead(const ebcache_readahead&) = delete;
  ebcache_readahead& operator=(const ebcache_readahead&) = delete;

  ebcache_cache* const of;
  ebcache::Readahead readahead;
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

// kMaxLevels of on_disk.h, which the core does not have.
inline constexpr uint32_t kLevels = 8;

// 0 or a negative errno. Null: no check, `*use` is null.
int Inside(const ebcache_check* given, ParentCheck& check, const ParentCheck** use);
ebcache_check Outside(const ParentCheck& check);

// 0 for a size that blocks may have; else -EINVAL.
int CheckNodeBytes(uint32_t node_bytes);

// The options of a cache as C++ has them; 0 or a negative errno.
int Inside(const ebcache_cache_options* given, BufferCacheOptions& options);

// 0 where the caller may have blocks of this cache written: -EACCES for those of a filesystem that is
// open for writing, which transactions write.
int RefuseWrites(const ebcache_cache& cache);
// 0 where the caller may say of this cache's buffers what is to become of their changes: -EBUSY where
// they may be a transaction's.
int RefuseInSession(const ebcache_cache& cache);

// 0 when no readahead over this cache is left; else -EBUSY.
int FailIfReadAhead(const ebcache_cache& cache);
// 0 when no references to buffers of this cache are left but its own; else -EBUSY, and words that
// say how many buffers, and which.
int FailIfHeld(const BufferCache& cache);
// 0, or -EBUSY in words where a block is DIRTY, and would be lost with the cache.
int RefuseUnwritten(BufferCache& cache);

}  // namespace ebcache::capi

#endif  // EBCACHE_LIB_CAPI_CACHE_HANDLES_H_
