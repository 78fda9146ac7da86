// A call of every function that has to do with allocators, caches and buffers.

#include <cerrno>
#include <cstring>

#include "tests/capi/cache_stage.h"

extern "C" {
#include "tests/capi/counting_allocator.h"
#include "tests/capi/memory_source.h"
}

namespace ebcache {
namespace {

constexpr uint64_t kNode = CacheStage::kNode;
constexpr uint64_t kFar = uint64_t{1} << 40;  // no offset of a block

// What a call that hands out a buffer returned. With an error there is none.
int Handed(int error, ebcache_buffer* buffer) {
  if ((buffer != nullptr) != (error == 0)) return -EPROTO;
  ebcache_put(buffer);
  return error;
}

int ReadMany(ebcache_cache* cache, uint64_t start) {
  constexpr size_t kBlocks = 12;
  uint64_t starts[kBlocks];
  ebcache_buffer* buffers[kBlocks];
  int errors[kBlocks];
  for (size_t i = 0; i < kBlocks; ++i) starts[i] = start + i * kNode;
  const int first = ebcache_read_many(cache, starts, kBlocks, buffers, errors);
  for (size_t i = 0; i < kBlocks; ++i) {
    if ((buffers[i] != nullptr) != (errors[i] == 0)) return -EPROTO;
    if (errors[i] != 0 && errors[i] != -ENOMEM) return errors[i];
    ebcache_put(buffers[i]);
  }
  return first;
}

int ReadManyChecked(ebcache_cache* cache, uint64_t start) {
  constexpr size_t kBlocks = 12;
  uint64_t starts[kBlocks];
  const ebcache_check* checks[kBlocks];
  ebcache_check check{};
  check.size = sizeof check;
  ebcache_buffer* buffers[kBlocks];
  for (size_t i = 0; i < kBlocks; ++i) {
    starts[i] = start + i * kNode;
    checks[i] = i % 2 == 0 ? &check : nullptr;
  }
  const int first = ebcache_read_many_checked(cache, starts, checks, kBlocks, buffers, nullptr);
  for (ebcache_buffer* buffer : buffers) ebcache_put(buffer);
  return first;
}

// One with references and dirty blocks left.
int DestroyForced() {
  static memory_source source;
  memory_source_init(&source);
  ebcache_cache* cache;
  if (const int error = ebcache_cache_create(nullptr, &memory_source_functions, &source, &cache);
      error != 0) {
    return error;
  }
  ebcache_buffer* buffer;
  if (ebcache_read(cache, 0, nullptr, &buffer) == 0) ebcache_set_dirty(buffer);
  return ebcache_cache_destroy_forced(cache, nullptr, nullptr);
}

int CreateAllocator(uint32_t kind, uint32_t defragment) {
  ebcache_allocator_options options{};
  options.size = sizeof options;
  options.kind = kind;
  options.defragment = defragment;
  options.arena_bytes = uint64_t{32} << 20;
  ebcache_allocator* allocator;
  const int error = ebcache_allocator_create(&options, &allocator);
  if ((allocator != nullptr) != (error == 0)) return -EPROTO;
  ebcache_allocator_release(allocator);
  return error;
}

int CreateCustom() {
  static counting_allocator memory;
  counting_allocator_init(&memory);
  ebcache_allocator* allocator;
  const int error =
      ebcache_allocator_create_custom(&counting_allocator_ops, &memory, nullptr, &allocator);
  if ((allocator != nullptr) != (error == 0)) return -EPROTO;
  ebcache_allocator_release(allocator);
  return memory.destroyed == (error == 0 ? 1 : 0) ? error : -EPROTO;
}

int CreateCache(ebcache_allocator* allocator, uint32_t background) {
  ebcache_cache_options options{};
  options.size = sizeof options;
  options.allocator = allocator;
  options.background_reclaim = background;
  ebcache_cache* cache;
  const int error = ebcache_cache_create(&options, &memory_source_functions, nullptr, &cache);
  if ((cache != nullptr) != (error == 0)) return -EPROTO;
  const int destroyed = ebcache_cache_destroy(cache);
  return destroyed != 0 ? destroyed : error;
}

template <typename Function>
int WithBuffer(Function function) {
  ebcache_buffer* buffer = nullptr;
  const int error = function(&buffer);
  return Handed(error, buffer);
}

using S = CacheStage;
using Calls = std::vector<Call<CacheStage>>;

const Calls kAllocators = {
    {"ebcache_version", [](S&) { return ebcache_version() == nullptr ? -EPROTO : 0; }},
    {"ebcache_abi_version", [](S&) { return ebcache_abi_version() - EBCACHE_ABI_VERSION; }},
    {"ebcache_last_error", [](S&) { return ebcache_last_error() == nullptr ? -EPROTO : 0; }},
    {"ebcache_set_error", [](S&) { return ebcache_set_error("words"), 0; }},
    {"ebcache_verdict_name", [](S&) { return ebcache_verdict_name(1) == nullptr ? -EPROTO : 0; }},
    {"ebcache_allocator_create", [](S&) { return CreateAllocator(EBCACHE_ALLOCATOR_HEAP, 0); }},
    {"ebcache_allocator_create", [](S&) { return CreateAllocator(EBCACHE_ALLOCATOR_ORDER0, 0); }},
    {"ebcache_allocator_create", [](S&) { return CreateAllocator(EBCACHE_ALLOCATOR_HIGH, 0); }},
    {"ebcache_allocator_create", [](S&) { return CreateAllocator(EBCACHE_ALLOCATOR_VMAP, 0); }},
    {"ebcache_allocator_create", [](S&) { return CreateAllocator(EBCACHE_ALLOCATOR_MOVABLE, 0); }},
    {"ebcache_allocator_create", [](S&) { return CreateAllocator(EBCACHE_ALLOCATOR_MOVABLE, 1); }},
    {"ebcache_allocator_release",
     [](S& s) {
       if (s.allocator == nullptr) return 0;
       ebcache_allocator_release(s.allocator);  // the cache keeps it
       s.allocator = nullptr;
       return 0;
     },
     0, true},
    {"ebcache_allocator_create_custom", [](S&) { return CreateCustom(); }},
    {"ebcache_allocator_trim", [](S& s) { return ebcache_allocator_trim(s.allocator), 0; }, 0,
     true},
    {"ebcache_allocator_stats",
     [](S& s) {
       struct ebcache_allocator_stats stats {};
       stats.size = sizeof stats;
       return s.allocator == nullptr ? 0 : ebcache_allocator_stats(s.allocator, &stats);
     },
     0, true},
};

const Calls kCaches = {
    {"ebcache_cache_create", [](S& s) { return CreateCache(s.allocator, 0); }, 0, true},
    {"ebcache_cache_create", [](S& s) { return CreateCache(s.allocator, 1); }},
    {"ebcache_cache_destroy",
     [](S& s) {
       const int error = ebcache_cache_destroy(s.other);
       if (error == 0) s.other = nullptr;
       return error;
     }},
    {"ebcache_cache_destroy", [](S& s) { return ebcache_cache_destroy(s.cache); }, -EBUSY},
    {"ebcache_cache_node_bytes",
     [](S& s) { return ebcache_cache_node_bytes(s.cache) == kNode ? 0 : -EPROTO; }},
    {"ebcache_find", [](S& s) { return ebcache_put(ebcache_find(s.cache, S::kHeld)), 0; }},
    {"ebcache_find", [](S& s) { return ebcache_put(ebcache_find(s.cache, S::kFarAway)), 0; }},
    {"ebcache_get_or_create",
     [](S& s) {
       return WithBuffer([&](auto to) { return ebcache_get_or_create(s.cache, S::kAbsent, to); });
     },
     0, true},
    {"ebcache_get_or_create",
     [](S& s) {
       return WithBuffer([&](auto to) { return ebcache_get_or_create(s.cache, S::kFarAway, to); });
     },
     0, true},
    {"ebcache_get_or_create",
     [](S& s) {
       return WithBuffer(
           [&](auto to) { return ebcache_get_or_create(s.cache, S::kHeld + 4096, to); });
     },
     -EEXIST},
    {"ebcache_get_or_create",
     [](S& s) {
       return WithBuffer([&](auto to) { return ebcache_get_or_create(s.cache, 1, to); });
     },
     -EINVAL},
    {"ebcache_get_or_create_with",
     [](S& s) {
       return WithBuffer([&](auto to) {
         return ebcache_get_or_create_with(s.cache, S::kFarAway, EBCACHE_CREATE_ZEROED, to,
                                           nullptr);
       });
     },
     0, true},
    {"ebcache_get_or_create_with",
     [](S& s) {
       return WithBuffer([&](auto to) {
         int created;
         return ebcache_get_or_create_with(s.cache, S::kFarAway, 2, to, &created);
       });
     },
     -EINVAL},
    {"ebcache_reread", [](S& s) { return ebcache_reread(s.cache, s.held, nullptr); }, 0, true},
    {"ebcache_reread", [](S& s) { return ebcache_reread(s.cache, s.dirty, nullptr); }, -EINVAL},
    {"ebcache_read_many_checked", [](S& s) { return ReadManyChecked(s.cache, S::kAbsent); }, 0,
     true},
    {"ebcache_private",
     [](S& s) {
       return WithBuffer([&](auto to) { return ebcache_private(s.cache, 65536, 4096, to); });
     },
     0, true},
    {"ebcache_private",
     [](S& s) {
       return WithBuffer([&](auto to) { return ebcache_private(s.cache, 65536, 4095, to); });
     },
     -EINVAL},
    {"ebcache_user", [](S& s) { return ebcache_user(s.held) == nullptr ? 0 : -EPROTO; }},
    {"ebcache_for_each_held",
     [](S& s) {
       return ebcache_for_each_held(
                  s.cache, [](void*, uint64_t, uint32_t, uint32_t) {}, nullptr) >= 3
                  ? 0
                  : -EPROTO;
     }},
    {"ebcache_cache_destroy_forced", [](S&) { return DestroyForced(); }},
    {"ebcache_read",
     [](S& s) {
       return WithBuffer([&](auto to) { return ebcache_read(s.cache, S::kAbsent, nullptr, to); });
     },
     0, true},
    {"ebcache_read",
     [](S& s) {
       return WithBuffer([&](auto to) { return ebcache_read(s.cache, S::kFresh, nullptr, to); });
     }},
    {"ebcache_read",
     [](S& s) {
       return WithBuffer([&](auto to) { return ebcache_read(s.cache, 64 * kNode, nullptr, to); });
     },
     -EIO},
    {"ebcache_read_buffer", [](S& s) { return ebcache_read_buffer(s.cache, s.fresh, nullptr); }, 0,
     true},
    {"ebcache_read_buffer", [](S& s) { return ebcache_read_buffer(s.other, s.fresh, nullptr); },
     -EINVAL},
    {"ebcache_read_many", [](S& s) { return ReadMany(s.cache, S::kAbsent); }, 0, true},
    {"ebcache_read_many", [](S& s) { return ReadMany(s.cache, S::kHeld); }, 0, true},
    {"ebcache_first_at_or_after",
     [](S& s) { return ebcache_put(ebcache_first_at_or_after(s.cache, 0)), 0; }},
    {"ebcache_next_dirty", [](S& s) { return ebcache_put(ebcache_next_dirty(s.cache, 0)), 0; }},
    {"ebcache_dummy",
     [](S& s) { return WithBuffer([&](auto to) { return ebcache_dummy(s.cache, 0, to); }); }, 0,
     true},
    {"ebcache_clone",
     [](S& s) { return WithBuffer([&](auto to) { return ebcache_clone(s.cache, s.held, to); }); },
     0, true},
    {"ebcache_ref", [](S& s) { return ebcache_put(ebcache_ref(s.held)), 0; }},
    {"ebcache_put",
     [](S& s) {
       ebcache_put(s.held);
       s.held = nullptr;
       return 0;
     },
     0, true},
    {"ebcache_put",
     [](S& s) {
       ebcache_put(s.dummy);  // which goes with it
       s.dummy = nullptr;
       return 0;
     },
     0, true},
    {"ebcache_put_stale",
     [](S& s) {
       ebcache_put_stale(s.held);
       s.held = nullptr;
       return 0;
     },
     0, true},
    {"ebcache_put_nocache",
     [](S& s) {
       ebcache_put_nocache(s.held);
       s.held = nullptr;
       return 0;
     },
     0, true},
};

// Made, used by `use`, and gone: without threads, whose allocations would be others each time.
int WithReadahead(S& s, const std::function<int(ebcache_readahead*)>& use) {
  ebcache_readahead_options options{};
  options.size = sizeof options;
  options.threads = EBCACHE_NO_THREADS;
  ebcache_readahead* readahead;
  int error = ebcache_readahead_create(s.cache, &options, &readahead);
  if ((readahead != nullptr) != (error == 0)) return -EPROTO;
  if (error == 0) error = use(readahead);
  ebcache_readahead_destroy(readahead);
  return error;
}

int AskMany(ebcache_readahead* readahead) {
  uint64_t starts[12];
  const ebcache_check* checks[12];
  ebcache_check check{};
  check.size = sizeof check;
  for (size_t i = 0; i < 12; ++i) {
    starts[i] = S::kAbsent + i * kNode;
    checks[i] = i % 2 == 0 ? &check : nullptr;
  }
  size_t asked;
  const int error = ebcache_readahead_ask_many(readahead, starts, checks, 12, &asked);
  return error != 0 || asked == 12 ? error : -EPROTO;
}

const Calls kReadahead = {
    {"ebcache_may_be_cached", [](S& s) { return ebcache_may_be_cached(s.cache, S::kHeld); }, 1},
    {"ebcache_readahead_create", [](S& s) { return WithReadahead(s, [](auto*) { return 0; }); }},
    {"ebcache_readahead_destroy", [](S&) { return ebcache_readahead_destroy(nullptr), 0; }},
    {"ebcache_readahead_ask",
     [](S& s) {
       return WithReadahead(
           s, [](auto* to) { return ebcache_readahead_ask(to, S::kAbsent, nullptr); });
     },
     1},
    {"ebcache_readahead_ask_many", [](S& s) { return WithReadahead(s, AskMany); }},
    {"ebcache_readahead_flush", [](S& s) { return WithReadahead(s, ebcache_readahead_flush); }},
    {"ebcache_readahead_forget",
     [](S& s) {
       return WithReadahead(s, [](auto* to) {
         const int asked = ebcache_readahead_ask(to, S::kAbsent, nullptr);
         return asked < 0 ? asked : ebcache_readahead_forget(to);
       });
     }},
    {"ebcache_readahead_read_some",
     [](S& s) {
       return WithReadahead(s, [](auto* to) {
         const int asked = AskMany(to);
         if (asked != 0) return asked;
         // What it has no memory for is a hint that was lost.
         const int read = ebcache_readahead_read_some(to);
         return read == 0 || read == 1 ? 0 : -EPROTO;
       });
     },
     0, true},
    {"ebcache_readahead_stats",
     [](S& s) {
       return WithReadahead(s, [](auto* of) {
         struct ebcache_readahead_stats stats {};
         stats.size = sizeof stats;
         return ebcache_readahead_stats(of, &stats);
       });
     }},
};

const Calls kBuffers = {
    {"ebcache_buffer_start",
     [](S& s) { return ebcache_buffer_start(s.held) == S::kHeld ? 0 : -1; }},
    {"ebcache_buffer_length", [](S& s) { return ebcache_buffer_length(s.held) == kNode ? 0 : -1; }},
    {"ebcache_buffer_flags", [](S& s) { return ebcache_buffer_flags(s.held) != 0 ? 0 : -1; }},
    {"ebcache_buffer_refs", [](S& s) { return ebcache_buffer_refs(s.held) == 2 ? 0 : -1; }},
    {"ebcache_buffer_mirror", [](S& s) { return ebcache_buffer_mirror(s.held) == 1 ? 0 : -1; }},
    {"ebcache_buffer_set_mirror", [](S& s) { return ebcache_buffer_set_mirror(s.held, 255); }},
    {"ebcache_buffer_set_mirror", [](S& s) { return ebcache_buffer_set_mirror(s.held, 257); },
     -EINVAL},
    {"ebcache_data", [](S& s) { return ebcache_data(s.held), 0; }, 0, true},
    {"ebcache_mutable_data", [](S& s) { return ebcache_mutable_data(s.held), 0; }, 0, true},
    {"ebcache_piece",
     [](S& s) {
       const void* piece;
       return ebcache_piece(s.held, 5000, &piece) != 0 ? 0 : -1;
     },
     0, true},
    {"ebcache_mutable_piece",
     [](S& s) {
       void* piece;
       return ebcache_mutable_piece(s.held, 5000, &piece) != 0 ? 0 : -1;
     },
     0, true},
    {"ebcache_copy_out",
     [](S& s) {
       char bytes[100];
       return ebcache_copy_out(s.held, kFar, bytes, sizeof bytes);
     },
     -ERANGE},
    {"ebcache_copy_in", [](S& s) { return ebcache_copy_in(s.held, kFar, "x", 1); }, -ERANGE},
    {"ebcache_copy", [](S& s) { return ebcache_copy(s.dummy, kFar, s.held, 0, 100); }, -ERANGE},
    {"ebcache_copy", [](S& s) { return ebcache_copy(s.dummy, 0, s.held, 0, kNode); }, 0, true},
    {"ebcache_zero", [](S& s) { return ebcache_zero(s.held, kFar, 1); }, -ERANGE},
    {"ebcache_compare",
     [](S& s) {
       int result;
       return ebcache_compare(s.held, kFar, "x", 1, &result);
     },
     -ERANGE},
    {"ebcache_get_u8",
     [](S& s) {
       uint8_t value;
       return ebcache_get_u8(s.held, kFar, &value);
     },
     -ERANGE},
    {"ebcache_get_u16",
     [](S& s) {
       uint16_t value;
       return ebcache_get_u16(s.held, kFar, &value);
     },
     -ERANGE},
    {"ebcache_get_u32",
     [](S& s) {
       uint32_t value;
       return ebcache_get_u32(s.held, kFar, &value);
     },
     -ERANGE},
    {"ebcache_get_u64",
     [](S& s) {
       uint64_t value;
       return ebcache_get_u64(s.held, kFar, &value);
     },
     -ERANGE},
    {"ebcache_set_u8", [](S& s) { return ebcache_set_u8(s.held, kFar, 1); }, -ERANGE},
    {"ebcache_set_u16", [](S& s) { return ebcache_set_u16(s.held, kFar, 1); }, -ERANGE},
    {"ebcache_set_u32", [](S& s) { return ebcache_set_u32(s.held, kFar, 1); }, -ERANGE},
    {"ebcache_set_u64", [](S& s) { return ebcache_set_u64(s.held, kFar, 1); }, -ERANGE},
};

const Calls kWriting = {
    {"ebcache_set_uptodate", [](S& s) { return ebcache_set_uptodate(s.fresh); }},
    {"ebcache_clear_uptodate",
     [](S& s) {
       const int error = ebcache_clear_uptodate(s.held);
       return error != 0 ? error : ebcache_set_uptodate(s.held);
     }},
    {"ebcache_clear_uptodate", [](S& s) { return ebcache_clear_uptodate(s.dirty); }, -EINVAL},
    {"ebcache_set_dirty", [](S& s) { return ebcache_set_dirty(s.held); }},
    {"ebcache_set_dirty", [](S& s) { return ebcache_set_dirty(s.dummy); }, -EINVAL},
    {"ebcache_clear_dirty", [](S& s) { return ebcache_clear_dirty(s.dirty); }},
    {"ebcache_writeback", [](S& s) { return ebcache_writeback(s.cache, s.dirty); }, 0, true},
    {"ebcache_writeback", [](S& s) { return ebcache_writeback(s.other, s.dirty); }, -EINVAL},
    {"ebcache_writeback_all", [](S& s) { return ebcache_writeback_all(s.cache); }, 0, true},
    {"ebcache_write_error", [](S& s) { return ebcache_write_error(s.cache, s.dirty); }},
    {"ebcache_give_up_write", [](S& s) { return ebcache_give_up_write(s.cache, s.dirty); }, 1},
    {"ebcache_give_up_writes",
     [](S& s) { return static_cast<int>(ebcache_give_up_writes(s.cache)); }, 1},
    {"ebcache_reinit", [](S& s) { return ebcache_reinit(s.cache, s.fresh, 101); }},
    {"ebcache_reinit", [](S& s) { return ebcache_reinit(s.cache, s.dirty, kNode + 1); }, -ERANGE},
    {"ebcache_drop_caches", [](S& s) { return ebcache_drop_caches(s.cache), 0; }, 0, true},
    {"ebcache_shrink", [](S& s) { return ebcache_shrink(s.cache, 3 * kNode), 0; }, 0, true},
    {"ebcache_set_budget", [](S& s) { return ebcache_set_budget(s.cache, 2 * kNode); }, 0, true},
    {"ebcache_cache_stats",
     [](S& s) {
       struct ebcache_cache_stats stats {};
       stats.size = sizeof stats;
       return ebcache_cache_stats(s.cache, &stats);
     }},
    {"ebcache_pins",
     [](S& s) {
       struct ebcache_pins pins {};
       pins.size = sizeof pins;
       return ebcache_pins(s.cache, &pins);
     }},
};

}  // namespace

std::vector<Call<CacheStage>> CacheCalls() {
  Calls all;
  for (const Calls* part : {&kAllocators, &kCaches, &kReadahead, &kBuffers, &kWriting}) {
    all.insert(all.end(), part->begin(), part->end());
  }
  return all;
}

}  // namespace ebcache
