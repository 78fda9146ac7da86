// Caches: made, destroyed, asked for blocks.

#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "lib/capi/callback_source.h"
#include "lib/capi/errors.h"
#include "lib/capi/handles.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {

bool AnyReferences(const BufferCache& cache) {
  bool any = false;
  cache.ForEachState(
      [&](BufferState state) { any |= state.refs > (state.has(BufferFlag::kTreeRef) ? 1u : 0u); });
  return any;
}

int RefuseUnwritten(BufferCache& cache) {
  const ExtentBufferRef first = cache.NextDirty(0);
  if (!first) return 0;
  const CacheStats stats = cache.stats();
  const absl::Status error = cache.WriteError(first);
  return Fail(EBUSY,
              absl::StrCat("blocks that are not written: ", stats.dirty_buffers, " of ",
                           stats.cached_buffers, ", the first is ", first->start(),
                           error.ok() ? "" : ", of which the last write failed: ", error.message(),
                           " (ebcache_writeback_all, or ebcache_give_up_writes)"));
}

namespace {

// What makes a buffer may find that the block is in another's way.
int FailToMake(const absl::Status& status) { return Fail(status, EEXIST); }

int HandOutMade(absl::StatusOr<ExtentBufferRef> made, ebcache_buffer** buffer) {
  if (!made.ok()) return FailToMake(made.status());
  *buffer = HandOut(*std::move(made));
  return 0;
}

}  // namespace
}  // namespace ebcache::capi

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

// ---- Making caches ------------------------------------------------------------------------------

int ebcache_cache_create(const ebcache_cache_options* options, const ebcache_source* source,
                         void* context, ebcache_cache** cache) {
  if (cache == nullptr) return NullArgument();
  *cache = nullptr;
  return Guard([&] {
    BufferCacheOptions inside;
    if (const int error = Inside(options, inside); error != 0) return error;
    ebcache_source functions;
    if (const int error = CopyIn(source, functions); error != 0) return error;
    auto made = std::make_unique<ebcache_cache>();
    if (source != nullptr) made->source = std::make_unique<CallbackSource>(functions, context);
    made->owned = std::make_unique<BufferCache>(std::move(inside), made->source.get());
    made->cache = made->owned.get();
    *cache = made.release();
    return 0;
  });
}

int ebcache_cache_destroy(ebcache_cache* cache) {
  if (cache == nullptr) return 0;
  return Guard([&] {
    if (cache->owned == nullptr) return Fail(EINVAL, "the cache belongs to a filesystem");
    if (AnyReferences(*cache->owned)) return Fail(EBUSY, "references to buffers are left");
    if (const int error = RefuseUnwritten(*cache->owned); error != 0) return error;
    delete cache;
    return 0;
  });
}

uint32_t ebcache_cache_node_bytes(const ebcache_cache* cache) {
  return cache != nullptr ? cache->cache->node_bytes() : 0;
}

// ---- Finding and making -------------------------------------------------------------------------

ebcache_buffer* ebcache_find(ebcache_cache* cache, uint64_t start) {
  if (cache == nullptr) [[unlikely]] {
    return nullptr;
  }
  return HandOut(cache->cache->Find(start));
}

int ebcache_get_or_create(ebcache_cache* cache, uint64_t start, ebcache_buffer** buffer) {
  if (buffer == nullptr) return NullArgument();
  *buffer = nullptr;
  if (cache == nullptr) return NullArgument();
  return Guard([&] { return HandOutMade(cache->cache->Create(start), buffer); });
}

int ebcache_read(ebcache_cache* cache, uint64_t start, const ebcache_check* check,
                 ebcache_buffer** buffer) {
  if (buffer == nullptr) return NullArgument();
  *buffer = nullptr;
  if (cache == nullptr) return NullArgument();
  return Guard([&] {
    ParentCheck inside;
    const ParentCheck* use;
    if (const int error = Inside(check, inside, &use); error != 0) return error;
    // In two steps: the same code means another thing in each.
    absl::StatusOr<ExtentBufferRef> made = cache->cache->Create(start);
    if (!made.ok()) return FailToMake(made.status());
    const absl::Status status = cache->cache->Read(*made, use);
    if (!status.ok()) return Fail(status);
    *buffer = HandOut(*std::move(made));
    return 0;
  });
}

int ebcache_read_buffer(ebcache_cache* cache, ebcache_buffer* buffer, const ebcache_check* check) {
  if (cache == nullptr || buffer == nullptr) return NullArgument();
  return Guard([&] {
    ParentCheck inside;
    const ParentCheck* use;
    if (const int error = Inside(check, inside, &use); error != 0) return error;
    const absl::Status status = cache->cache->Read(*Borrowed(buffer), use);
    return status.ok() ? 0 : Fail(status);
  });
}

int ebcache_read_many(ebcache_cache* cache, const uint64_t* starts, size_t count,
                      ebcache_buffer** buffers, int* errors) {
  if (count == 0) return 0;
  if (cache == nullptr || starts == nullptr || buffers == nullptr) return NullArgument();
  for (size_t i = 0; i < count; ++i) buffers[i] = nullptr;
  return Guard([&] {
    std::vector<absl::StatusOr<ExtentBufferRef>> results(count);
    cache->cache->ReadBlocks({starts, count}, {}, absl::MakeSpan(results));
    int first = 0;
    // Backwards, so that the words kept are those of the first.
    for (size_t i = count; i-- > 0;) {
      const int error = results[i].ok() ? 0 : Fail(results[i].status());
      if (results[i].ok()) buffers[i] = HandOut(*std::move(results[i]));
      if (errors != nullptr) errors[i] = error;
      if (error != 0) first = error;
    }
    return first;
  });
}

ebcache_buffer* ebcache_first_at_or_after(ebcache_cache* cache, uint64_t start) {
  return cache != nullptr ? HandOut(cache->cache->FirstAtOrAfter(start)) : nullptr;
}

ebcache_buffer* ebcache_next_dirty(ebcache_cache* cache, uint64_t start) {
  return cache != nullptr ? HandOut(cache->cache->NextDirty(start)) : nullptr;
}

int ebcache_dummy(ebcache_cache* cache, uint64_t start, ebcache_buffer** dummy) {
  if (dummy == nullptr) return NullArgument();
  *dummy = nullptr;
  if (cache == nullptr) return NullArgument();
  return Guard([&] { return HandOutMade(cache->cache->CreateDummy(start), dummy); });
}

int ebcache_clone(ebcache_cache* cache, const ebcache_buffer* buffer, ebcache_buffer** clone) {
  if (clone == nullptr) return NullArgument();
  *clone = nullptr;
  if (cache == nullptr || buffer == nullptr) return NullArgument();
  if (Inside(buffer)->length() != cache->cache->node_bytes()) {
    return Fail(EINVAL, "the buffer is not of this cache's size");
  }
  return Guard([&] { return HandOutMade(cache->cache->Clone(*Inside(buffer)), clone); });
}

// ---- References ---------------------------------------------------------------------------------

ebcache_buffer* ebcache_ref(ebcache_buffer* buffer) {
  if (buffer == nullptr) return nullptr;
  return HandOut(Borrowed(buffer)->Share());
}

void ebcache_put(ebcache_buffer* buffer) { ExtentBufferRef::Adopt(Inside(buffer)).Put(); }

void ebcache_put_stale(ebcache_buffer* buffer) {
  if (buffer != nullptr) ExtentBufferRef::Adopt(Inside(buffer)).PutStale();
}

// ---- Writing ------------------------------------------------------------------------------------

int ebcache_set_uptodate(ebcache_buffer* buffer) {
  if (buffer == nullptr) return NullArgument();
  if (Inside(buffer)->state().has(BufferFlag::kReading)) {
    return Fail(EINVAL, "the buffer is being read");
  }
  Borrowed(buffer)->SetUptodate();
  return 0;
}

int ebcache_set_dirty(ebcache_buffer* buffer) {
  if (buffer == nullptr) return NullArgument();
  const BufferState state = Inside(buffer)->state();
  if (!state.has(BufferFlag::kUptodate) || state.has(BufferFlag::kUnmapped)) {
    return Fail(EINVAL, "only an uptodate buffer that is no dummy or clone can be dirty");
  }
  Borrowed(buffer)->SetDirty();
  return 0;
}

int ebcache_clear_dirty(ebcache_buffer* buffer) {
  if (buffer == nullptr) return NullArgument();
  Borrowed(buffer)->ClearDirty();
  return 0;
}

int ebcache_writeback(ebcache_cache* cache, ebcache_buffer* buffer) {
  if (cache == nullptr || buffer == nullptr) return NullArgument();
  return Guard([&] {
    const absl::Status status = cache->cache->Writeback(*Borrowed(buffer));
    return status.ok() ? 0 : Fail(status);
  });
}

int ebcache_writeback_all(ebcache_cache* cache) {
  if (cache == nullptr) return NullArgument();
  return Guard([&] {
    const absl::Status status = cache->cache->WritebackAll();
    return status.ok() ? 0 : Fail(status);
  });
}

int ebcache_write_error(ebcache_cache* cache, ebcache_buffer* buffer) {
  if (cache == nullptr || buffer == nullptr) return NullArgument();
  return Guard([&] {
    const absl::Status status = cache->cache->WriteError(*Borrowed(buffer));
    return status.ok() ? 0 : Fail(status);
  });
}

int ebcache_give_up_write(ebcache_cache* cache, ebcache_buffer* buffer) {
  if (cache == nullptr || buffer == nullptr) return NullArgument();
  return Guard([&] {
    const absl::StatusOr<bool> given_up = cache->cache->GiveUpWrite(*Borrowed(buffer));
    if (!given_up.ok()) return Fail(given_up.status());
    return *given_up ? 1 : 0;
  });
}

uint64_t ebcache_give_up_writes(ebcache_cache* cache) {
  return cache != nullptr ? cache->cache->GiveUpWrites() : 0;
}

int ebcache_reinit(ebcache_cache* cache, ebcache_buffer* buffer, uint32_t header_bytes) {
  if (cache == nullptr || buffer == nullptr) return NullArgument();
  const BufferState state = Inside(buffer)->state();
  if (state.has(BufferFlag::kReading) || state.has(BufferFlag::kWriteback)) {
    return Fail(EINVAL, "the buffer is being read or written");
  }
  return Guard([&] {
    const absl::Status status = cache->cache->ReinitAsNewBlock(*Borrowed(buffer), header_bytes);
    return status.ok() ? 0 : Fail(status);
  });
}
