// Caches: made, destroyed, asked for blocks.

#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "lib/capi/cache_handles.h"
#include "lib/capi/callbacks.h"
#include "lib/capi/errors.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {

// How many of the blocks that hold a cache back are named: those with the lowest addresses.
constexpr size_t kNamed = 4;

// References to a buffer but the cache's own.
static uint32_t UsersOf(BufferState state) {
  return state.refs - (state.has(BufferFlag::kTreeRef) ? 1 : 0);
}

int FailIfReadAhead(const ebcache_cache& cache) {
  if (cache.readaheads.load(std::memory_order_relaxed) == 0) return 0;
  return Fail(EBUSY, "readahead over the cache is left (ebcache_readahead_destroy)");
}

// No memory is needed for it.
int FailIfHeld(const BufferCache& cache) {
  struct Held {
    uint64_t start;
    uint32_t users;
    bool is_private;
  };
  std::array<Held, kNamed + 1> first;
  size_t kept = 0;
  uint64_t count = 0;
  cache.ForEachHeld([&](uint64_t start, BufferState state) {
    const uint32_t users = UsersOf(state);
    first[kept] = {start, users, state.has(BufferFlag::kUnmapped)};
    ++count;
    kept = std::min(kept + 1, kNamed);
    std::sort(first.begin(), first.begin() + kept + (count > kNamed ? 1 : 0),
              [](const Held& a, const Held& b) { return a.start < b.start; });
  });
  if (count == 0) return 0;
  std::array<char, 512> text;
  size_t used = 0;
  const auto say = [&](const char* format, auto... values) {
    const int wrote = std::snprintf(text.data() + used, text.size() - used, format, values...);
    used = std::min(used + static_cast<size_t>(std::max(wrote, 0)), text.size() - 1);
  };
  say("references to %" PRIu64 " buffer%s are left:", count, count == 1 ? "" : "s");
  for (size_t i = 0; i < kept; ++i) {
    say("%s %sblock %" PRIu64 " (%" PRIu32 ")", i == 0 ? "" : ",",
        first[i].is_private ? "a dummy or clone of " : "", first[i].start, first[i].users);
  }
  if (count > kept) say(", and %" PRIu64 " more", count - kept);
  return Fail(EBUSY, text.data());
}

int RefuseUnwritten(BufferCache& cache) {
  std::string named;
  std::string failure;
  size_t count = 0;
  for (ExtentBufferRef next = cache.NextDirty(0); next && count < kNamed;
       next = cache.NextDirty(next->start() + 1)) {
    absl::StrAppend(&named, count == 0 ? "" : ", ", next->start());
    const absl::Status error = cache.WriteError(next);
    if (!error.ok() && failure.empty()) {
      failure = absl::StrCat("; the last write of ", next->start(), " failed: ", error.message());
    }
    ++count;
  }
  if (count == 0) return 0;
  // Other threads may dirty and write meanwhile.
  const uint64_t all = std::max<uint64_t>(cache.stats().dirty_buffers, count);
  if (all > count) absl::StrAppend(&named, ", and ", all - count, " more");
  return Fail(EBUSY,
              absl::StrCat(all, all == 1 ? " block is" : " blocks are", " not written: ", named,
                           failure, " (ebcache_writeback_all, or ebcache_give_up_writes)"));
}

namespace {

int Result(const absl::Status& status) { return status.ok() ? 0 : Fail(status); }

int HandOutMade(absl::StatusOr<ExtentBufferRef> made, ebcache_buffer** buffer) {
  if (!made.ok()) return Fail(made.status());
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
  if (cache == nullptr) return NullArgument("cache");
  *cache = nullptr;
  return Guard([&] {
    BufferCacheOptions inside;
    if (const int error = Inside(options, inside); error != 0) return error;
    ebcache_source functions;
    if (const int error = CopyIn(source, functions, "source"); error != 0) return error;
    auto made = std::make_unique<ebcache_cache>();
    if (source != nullptr) made->source = std::make_unique<CallbackSource>(functions, context);
    if (functions.dirty_limit != nullptr) {
      inside.on_dirty_limit = [told = functions.dirty_limit, context](uint64_t dirty_bytes) {
        const CallbackWords words;
        told(context, dirty_bytes);
      };
    }
    made->owned = std::make_unique<BufferCache>(std::move(inside), made->source.get());
    if (const absl::Status status = made->owned->status(); !status.ok()) return Fail(status);
    made->cache = made->owned.get();
    *cache = made.release();
    return 0;
  });
}

int ebcache_cache_destroy(ebcache_cache* cache) {
  if (cache == nullptr) return 0;
  return Guard([&] {
    if (cache->owned == nullptr) return Fail(EINVAL, "the cache belongs to a filesystem");
    if (const int error = FailIfReadAhead(*cache); error != 0) return error;
    if (const int error = FailIfHeld(*cache->owned); error != 0) return error;
    if (const int error = RefuseUnwritten(*cache->owned); error != 0) return error;
    delete cache;
    return 0;
  });
}

uint64_t ebcache_for_each_held(const ebcache_cache* cache, ebcache_buffer_state_fn* visit,
                               void* context) {
  if (cache == nullptr) return 0;
  return Guard([&] {
    uint64_t count = 0;
    cache->cache->ForEachHeld([&](uint64_t start, BufferState state) {
      ++count;
      if (visit != nullptr) visit(context, start, UsersOf(state), state.flags);
    });
    return count;
  });
}

int ebcache_cache_destroy_forced(ebcache_cache* cache, ebcache_buffer_state_fn* tell,
                                 void* context) {
  if (cache == nullptr) return 0;
  return Guard([&] {
    if (cache->owned == nullptr) return Fail(EINVAL, "the cache belongs to a filesystem");
    if (const int error = FailIfReadAhead(*cache); error != 0) return error;
    BufferCache::Destroy(std::move(cache->owned),
                         [&](const ExtentBuffer& buffer, BufferState state) {
                           if (tell == nullptr) return;
                           tell(context, buffer.start(), UsersOf(state), state.flags);
                         });
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
  if (buffer == nullptr) return NullArgument("buffer");
  *buffer = nullptr;
  if (cache == nullptr) return NullArgument("cache");
  return Guard([&] { return HandOutMade(cache->cache->Create(start), buffer); });
}

int ebcache_get_or_create_with(ebcache_cache* cache, uint64_t start, uint32_t flags,
                               ebcache_buffer** buffer, int* created) {
  if (created != nullptr) *created = 0;
  if (buffer == nullptr) return NullArgument("buffer");
  *buffer = nullptr;
  if (cache == nullptr) return NullArgument("cache");
  if ((flags & ~uint32_t{EBCACHE_CREATE_ZEROED}) != 0) {
    return Fail(EINVAL, "ebcache_get_or_create_with: an unknown flag");
  }
  return Guard([&] {
    const NewBytes bytes =
        (flags & EBCACHE_CREATE_ZEROED) != 0 ? NewBytes::kZeroed : NewBytes::kUndefined;
    absl::StatusOr<BufferCache::Created> made = cache->cache->CreateOrFind(start, bytes);
    if (!made.ok()) return Fail(made.status());
    if (created != nullptr) *created = made->is_new ? 1 : 0;
    *buffer = HandOut(std::move(made->buffer));
    return 0;
  });
}

int ebcache_private(ebcache_cache* cache, uint64_t start, uint32_t bytes, ebcache_buffer** buffer) {
  if (buffer == nullptr) return NullArgument("buffer");
  *buffer = nullptr;
  if (cache == nullptr) return NullArgument("cache");
  if (bytes == 0) return Fail(EINVAL, "a private buffer has bytes");
  return Guard([&] { return HandOutMade(cache->cache->CreateDummy(start, bytes), buffer); });
}

int ebcache_read(ebcache_cache* cache, uint64_t start, const ebcache_check* check,
                 ebcache_buffer** buffer) {
  if (buffer == nullptr) return NullArgument("buffer");
  *buffer = nullptr;
  if (cache == nullptr) return NullArgument("cache");
  return Guard([&] {
    ParentCheck inside;
    const ParentCheck* use;
    if (const int error = Inside(check, inside, &use); error != 0) return error;
    return HandOutMade(cache->cache->ReadBlock(start, use), buffer);
  });
}

int ebcache_read_buffer(ebcache_cache* cache, ebcache_buffer* buffer, const ebcache_check* check) {
  if (cache == nullptr) return NullArgument("cache");
  if (buffer == nullptr) return NullArgument("buffer");
  return Guard([&] {
    ParentCheck inside;
    const ParentCheck* use;
    if (const int error = Inside(check, inside, &use); error != 0) return error;
    return Result(cache->cache->Read(*Borrowed(buffer), use));
  });
}

int ebcache_reread(ebcache_cache* cache, ebcache_buffer* buffer, const ebcache_check* check) {
  if (cache == nullptr) return NullArgument("cache");
  if (buffer == nullptr) return NullArgument("buffer");
  return Guard([&] {
    ParentCheck inside;
    const ParentCheck* use;
    if (const int error = Inside(check, inside, &use); error != 0) return error;
    return Result(cache->cache->Reread(*Borrowed(buffer), use));
  });
}

int ebcache_read_many(ebcache_cache* cache, const uint64_t* starts, size_t count,
                      ebcache_buffer** buffers, int* errors) {
  return ebcache_read_many_checked(cache, starts, nullptr, count, buffers, errors);
}

int ebcache_read_many_checked(ebcache_cache* cache, const uint64_t* starts,
                              const ebcache_check* const* checks, size_t count,
                              ebcache_buffer** buffers, int* errors) {
  if (count == 0) return 0;
  if (buffers == nullptr) return NullArgument("buffers");
  std::fill_n(buffers, count, nullptr);
  if (cache == nullptr) return NullArgument("cache");
  if (starts == nullptr) return NullArgument("starts");
  if (errors != nullptr) std::fill_n(errors, count, 0);
  const int error = Guard([&] {
    std::vector<absl::StatusOr<ExtentBufferRef>> results(count);
    std::vector<ParentCheck> expected(checks != nullptr ? count : 0);
    std::vector<const ParentCheck*> use(expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      if (const int error = Inside(checks[i], expected[i], &use[i]); error != 0) return error;
    }
    cache->cache->ReadBlocks({starts, count}, use, absl::MakeSpan(results));
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
  // Where not even the list of results found memory, no block says how it went.
  if (errors != nullptr) {
    for (size_t i = 0; i < count; ++i) {
      if (buffers[i] == nullptr && errors[i] == 0) errors[i] = error;
    }
  }
  return error;
}

ebcache_buffer* ebcache_first_at_or_after(ebcache_cache* cache, uint64_t start) {
  if (cache == nullptr) return nullptr;
  return Guard([&] {
    ExtentBufferRef first = cache->cache->FirstAtOrAfter(start);
    return HandOut(std::move(first));
  });
}

ebcache_buffer* ebcache_next_dirty(ebcache_cache* cache, uint64_t start) {
  if (cache == nullptr) return nullptr;
  return Guard([&] { return HandOut(cache->cache->NextDirty(start)); });
}

int ebcache_dummy(ebcache_cache* cache, uint64_t start, ebcache_buffer** dummy) {
  if (dummy == nullptr) return NullArgument("dummy");
  *dummy = nullptr;
  if (cache == nullptr) return NullArgument("cache");
  return Guard([&] { return HandOutMade(cache->cache->CreateDummy(start), dummy); });
}

int ebcache_clone(ebcache_cache* cache, const ebcache_buffer* buffer, ebcache_buffer** clone) {
  if (clone == nullptr) return NullArgument("clone");
  *clone = nullptr;
  if (cache == nullptr) return NullArgument("cache");
  if (buffer == nullptr) return NullArgument("buffer");
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

void ebcache_put_nocache(ebcache_buffer* buffer) {
  if (buffer != nullptr) ExtentBufferRef::Adopt(Inside(buffer)).PutNoCache();
}

// ---- Writing ------------------------------------------------------------------------------------

int ebcache_set_uptodate(ebcache_buffer* buffer) {
  if (buffer == nullptr) return NullArgument("buffer");
  return Guard([&] {
    if (Borrowed(buffer)->TrySetUptodate()) return 0;
    return Fail(EINVAL, "the buffer is being read");
  });
}

int ebcache_clear_uptodate(ebcache_buffer* buffer) {
  if (buffer == nullptr) return NullArgument("buffer");
  return Guard([&] {
    if (Borrowed(buffer)->TryClearUptodate()) return 0;
    return Fail(EINVAL, "the buffer is dirty, being written or read, or a dummy or clone");
  });
}

int ebcache_set_dirty(ebcache_buffer* buffer) {
  if (buffer == nullptr) return NullArgument("buffer");
  return Guard([&] {
    if (Borrowed(buffer)->TrySetDirty()) return 0;
    return Fail(EINVAL, "only an uptodate buffer that is no dummy or clone can be dirty");
  });
}

int ebcache_clear_dirty(ebcache_buffer* buffer) {
  if (buffer == nullptr) return NullArgument("buffer");
  return Guard([&] {
    Borrowed(buffer)->ClearDirty();
    return 0;
  });
}

int ebcache_writeback(ebcache_cache* cache, ebcache_buffer* buffer) {
  if (cache == nullptr) return NullArgument("cache");
  if (buffer == nullptr) return NullArgument("buffer");
  if (const int error = RefuseWrites(*cache); error != 0) return error;
  return Guard([&] { return Result(cache->cache->Writeback(*Borrowed(buffer))); });
}

int ebcache_writeback_all(ebcache_cache* cache) {
  if (cache == nullptr) return NullArgument("cache");
  if (const int error = RefuseWrites(*cache); error != 0) return error;
  return Guard([&] { return Result(cache->cache->WritebackAll()); });
}

int ebcache_write_error(ebcache_cache* cache, ebcache_buffer* buffer) {
  if (cache == nullptr) return NullArgument("cache");
  if (buffer == nullptr) return NullArgument("buffer");
  return Guard([&] { return Result(cache->cache->WriteError(*Borrowed(buffer))); });
}

int ebcache_give_up_write(ebcache_cache* cache, ebcache_buffer* buffer) {
  if (cache == nullptr) return NullArgument("cache");
  if (buffer == nullptr) return NullArgument("buffer");
  if (const int error = RefuseInSession(*cache); error != 0) return error;
  return Guard([&] {
    const absl::StatusOr<bool> given_up = cache->cache->GiveUpWrite(*Borrowed(buffer));
    if (!given_up.ok()) return Fail(given_up.status());
    return *given_up ? 1 : 0;
  });
}

uint64_t ebcache_give_up_writes(ebcache_cache* cache) {
  if (cache == nullptr || RefuseInSession(*cache) != 0) return 0;
  return Guard([&] { return cache->cache->GiveUpWrites(); });
}

int ebcache_reinit(ebcache_cache* cache, ebcache_buffer* buffer, uint32_t header_bytes) {
  if (cache == nullptr) return NullArgument("cache");
  if (buffer == nullptr) return NullArgument("buffer");
  if (const int error = RefuseInSession(*cache); error != 0) return error;
  return Guard(
      [&] { return Result(cache->cache->TryReinitAsNewBlock(*Borrowed(buffer), header_bytes)); });
}
