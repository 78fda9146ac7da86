// The C face: programs of calls on a cache with a source of the caller's, and whole small images
// through devices of the caller's.
//
// The first byte says which. What a program knows of a block's bytes it keeps beside it, and holds
// the library to; errors have to be those of ebcache.h's list or the source's own, and whoever
// makes a mistake that can be told cheaply must be told.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "ebcache/ebcache.h"
#include "lib/base/check.h"
#include "tests/fuzz/capi_image.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/oracle.h"

namespace ebcache::fuzz {
namespace {

constexpr uint32_t kNode = 16384;
constexpr uint64_t kBlocks = 16;
constexpr size_t kSlots = 6;
constexpr int kMostSteps = 400;

uint8_t PatternOf(uint64_t start, size_t offset) {
  return static_cast<uint8_t>(start / 4096 * 31 + offset / 512);
}

// What a block's bytes are known to be: -1 where nothing is known.
using Shadow = std::vector<int16_t>;

class CacheProgram {
 public:
  explicit CacheProgram(FuzzInput& input) : input_(input) {}

  void Run() {
    Open();
    for (int step = 0; step < kMostSteps && !input_.empty(); ++step) Step();
    Close();
  }

 private:
  struct Slot {
    ebcache_buffer* buffer = nullptr;
    bool is_private = false;
  };

  static int ReadBlock(void* context, ebcache_buffer* buffer) {
    auto* const self = static_cast<CacheProgram*>(context);
    if (const int error = self->TakeFailure(); error != 0) return error;
    void* piece = nullptr;
    for (size_t at = 0, bytes; (bytes = ebcache_mutable_piece(buffer, at, &piece)) > 0;
         at += bytes) {
      for (size_t i = 0; i < bytes; ++i) {
        static_cast<uint8_t*>(piece)[i] = PatternOf(ebcache_buffer_start(buffer), at + i);
      }
    }
    if (self->shadows_.contains(buffer)) self->ExpectPattern(buffer);
    return 0;
  }
  static int WriteBlock(void* context, const ebcache_buffer* buffer) {
    auto* const self = static_cast<CacheProgram*>(context);
    self->Compare(buffer);
    return self->TakeFailure();
  }

  // What the source's next call returns.
  int TakeFailure() {
    const int failure = failure_;
    failure_ = 0;
    given_.insert(failure);
    return failure;
  }

  // An error of the list, or a number that the source has returned: those come out as they are.
  int Known(int result) const { return given_.contains(result) ? result : fuzz::Known(result); }

  void Open() {
    ebcache_allocator_options pages{};
    pages.size = sizeof(pages);
    pages.kind = input_.Take<uint8_t>() % 4;  // a movable region is made too slowly for a fuzzer
    pages.arena_bytes = pages.kind == EBCACHE_ALLOCATOR_HEAP ? 0 : uint64_t{4} << 20;
    if (pages.kind == EBCACHE_ALLOCATOR_HIGH) pages.kind = EBCACHE_ALLOCATOR_HEAP;
    if (pages.kind == EBCACHE_ALLOCATOR_HEAP) pages.arena_bytes = 0;
    ebcache_allocator* allocator = nullptr;
    EBCACHE_CHECK(Known(ebcache_allocator_create(&pages, &allocator)) == 0, "no allocator");
    ebcache_cache_options options{};
    options.size = sizeof(options);
    options.budget_bytes = (1 + input_.Take<uint8_t>() % kBlocks) * kNode;
    options.allocator = allocator;
    options.node_bytes = kNode;
    ebcache_source source{};
    source.size = sizeof(source);
    source.read = ReadBlock;
    source.write = WriteBlock;
    EBCACHE_CHECK(Known(ebcache_cache_create(&options, &source, this, &cache_)) == 0, "no cache");
    ebcache_allocator_release(allocator);
  }

  void Close() {
    bool held = false;
    for (const Slot& slot : slots_) held = held || slot.buffer != nullptr;
    if (held) EBCACHE_ORACLE("busy-while-held", ebcache_cache_destroy(cache_) == -EBUSY);
    for (Slot& slot : slots_) Put(slot);
    if (const int result = ebcache_cache_destroy(cache_); result != 0) {
      EBCACHE_ORACLE("busy-while-unwritten", result == -EBUSY);
      EBCACHE_ORACLE("refused-with-reason", ebcache_give_up_writes(cache_) != 0);
      EBCACHE_ORACLE("reference-left", Known(ebcache_cache_destroy(cache_)) == 0);
    }
  }

  Slot& TakeSlot() { return slots_[input_.Take<uint8_t>() % kSlots]; }
  uint64_t TakeStart() {
    const uint8_t byte = input_.Take<uint8_t>();
    // Now and then one that no block can have, or that overlaps.
    if (byte >= 0xf8) return input_.Take<uint64_t>();
    return byte % kBlocks * kNode;
  }
  // Offsets and lengths around the ends of pages and of the block, and anywhere.
  size_t TakeOffset() {
    const uint16_t value = input_.Take<uint16_t>();
    if (value >= 0xff00) return ~size_t{0} - (value & 0xff);
    return value % (kNode + 64);
  }

  void Hold(Slot& slot, ebcache_buffer* buffer, bool is_private = false) {
    Put(slot);
    slot = {buffer, is_private};
    if (buffer != nullptr && !shadows_.contains(buffer)) shadows_[buffer] = Shadow(kNode, -1);
  }
  void Put(Slot& slot, bool stale = false) {
    if (slot.buffer == nullptr) return;
    ebcache_buffer* const buffer = slot.buffer;
    slot = {};
    bool others = false;
    for (const Slot& other : slots_) others = others || other.buffer == buffer;
    // What nobody here holds may be another block when it is met again.
    if (!others) shadows_.erase(buffer);
    stale ? ebcache_put_stale(buffer) : ebcache_put(buffer);
  }

  void Compare(const ebcache_buffer* buffer) {
    const auto shadow = shadows_.find(buffer);
    if (shadow == shadows_.end()) return;
    std::vector<uint8_t> bytes(kNode);
    EBCACHE_ORACLE("range", ebcache_copy_out(buffer, 0, bytes.data(), bytes.size()) == 0);
    for (size_t i = 0; i < kNode; ++i) {
      EBCACHE_ORACLE("bytes", shadow->second[i] < 0 || shadow->second[i] == bytes[i]);
    }
  }

  void Fill(ebcache_buffer* buffer, size_t offset, size_t length, const uint8_t* bytes) {
    Shadow& shadow = shadows_[buffer];
    for (size_t i = 0; i < length; ++i) shadow[offset + i] = bytes == nullptr ? 0 : bytes[i];
  }
  void ExpectPattern(const ebcache_buffer* buffer) {
    Shadow& shadow = shadows_[buffer];
    for (size_t i = 0; i < kNode; ++i) shadow[i] = PatternOf(ebcache_buffer_start(buffer), i);
  }
  static bool Inside(size_t offset, size_t length) {
    return offset <= kNode && length <= kNode - offset;
  }

  void Step() {
    switch (const uint8_t operation = input_.Take<uint8_t>(); operation % 8) {
      case 0:
        return Get(operation / 8);
      case 1:
        return Give(operation / 8);
      case 2:
      case 3:
        return Bytes(operation / 8);
      case 4:
        return Integers(operation / 8);
      case 5:
        return Writing(operation / 8);
      case 6:
        return Memory(operation / 8);
      default:
        failure_ = -static_cast<int>(input_.Take<uint8_t>() % 140);
    }
  }

  void Get(int how) {
    Slot& slot = TakeSlot();
    ebcache_buffer* buffer = nullptr;
    switch (how % 6) {
      case 0:
        return Hold(slot, ebcache_find(cache_, TakeStart()));
      case 1:
        (void)Known(ebcache_get_or_create(cache_, TakeStart(), &buffer));
        return Hold(slot, buffer);
      case 2: {
        const uint64_t start = TakeStart();
        const bool was_cached = HasIt(start);
        const int result = Known(ebcache_read(cache_, start, nullptr, &buffer));
        EBCACHE_ORACLE("buffer-or-error", (result == 0) == (buffer != nullptr));
        Hold(slot, buffer);
        if (buffer == nullptr || was_cached) return;
        ExpectPattern(buffer);
        return Compare(buffer);
      }
      case 3: {
        std::array<uint64_t, 3> starts = {TakeStart(), 0, 0};
        for (size_t i = 1; i < starts.size(); ++i) starts[i] = starts[i - 1] + kNode;
        std::array<ebcache_buffer*, 3> buffers{};
        std::array<int, 3> errors{};
        (void)Known(ebcache_read_many(cache_, starts.data(), 3, buffers.data(), errors.data()));
        for (size_t i = 0; i < starts.size(); ++i) {
          EBCACHE_ORACLE("buffer-or-error", (errors[i] == 0) == (buffers[i] != nullptr));
          ebcache_put(buffers[i]);
        }
        return;
      }
      case 4:
        return Hold(slot, ebcache_first_at_or_after(cache_, TakeStart()));
      default:
        return Hold(slot, ebcache_next_dirty(cache_, TakeStart()));
    }
  }

  bool HasIt(uint64_t start) {
    ebcache_buffer* const buffer = ebcache_find(cache_, start);
    const bool has = buffer != nullptr;
    ebcache_put(buffer);
    return has;
  }

  void Give(int how) {
    Slot& slot = TakeSlot();
    Slot& other = TakeSlot();
    ebcache_buffer* made = nullptr;
    switch (how % 6) {
      case 0:
      case 1:
        return Put(slot);
      case 2:
        return Put(slot, /*stale=*/true);
      case 3:
        if (&slot != &other) Hold(other, ebcache_ref(slot.buffer), slot.is_private);
        return;
      case 4:
        if (Known(ebcache_dummy(cache_, TakeStart(), &made)) == 0) {
          Hold(slot, made, true);
          Fill(made, 0, kNode, nullptr);
        }
        return;
      default: {
        if (slot.buffer == nullptr || &slot == &other) return;
        if (Known(ebcache_clone(cache_, slot.buffer, &made)) != 0) return;
        const Shadow copied = shadows_[slot.buffer];
        Hold(other, made, true);
        shadows_[made] = copied;
        return Compare(made);
      }
    }
  }

  void Bytes(int how) {
    Slot& slot = TakeSlot();
    const size_t offset = TakeOffset();
    const size_t length = how % 5 == 0 ? TakeOffset() : input_.Take<uint8_t>();
    std::vector<uint8_t> bytes(std::min<size_t>(length, 2 * kNode), input_.Take<uint8_t>());
    if (length > bytes.size()) return;
    if (slot.buffer == nullptr) {
      EBCACHE_ORACLE("no-buffer",
                     ebcache_copy_in(nullptr, offset, bytes.data(), length) == -EINVAL);
      return;
    }
    const int expected = Inside(offset, length) ? 0 : -ERANGE;
    int order = 0;
    switch (how % 5) {
      case 0:
        EBCACHE_ORACLE("range", ebcache_zero(slot.buffer, offset, length) == expected);
        if (expected == 0) Fill(slot.buffer, offset, length, nullptr);
        return;
      case 1:
        EBCACHE_ORACLE("range",
                       ebcache_copy_in(slot.buffer, offset, bytes.data(), length) == expected);
        if (expected == 0) Fill(slot.buffer, offset, length, bytes.data());
        return;
      case 2:
        EBCACHE_ORACLE("range",
                       ebcache_copy_out(slot.buffer, offset, bytes.data(), length) == expected);
        for (size_t i = 0; expected == 0 && i < length; ++i) {
          const int16_t known = shadows_[slot.buffer][offset + i];
          EBCACHE_ORACLE("bytes", known < 0 || known == bytes[i]);
        }
        return;
      case 3:
        EBCACHE_ORACLE("range", ebcache_compare(slot.buffer, offset, bytes.data(), length,
                                                &order) == expected);
        return;
      default:
        return CopyBlocks(slot, offset, length);
    }
  }

  void CopyBlocks(Slot& slot, size_t offset, size_t length) {
    Slot& other = TakeSlot();
    const size_t to = TakeOffset();
    if (other.buffer == nullptr) return;
    const bool inside = Inside(offset, length) && Inside(to, length);
    const int result = ebcache_copy(other.buffer, to, slot.buffer, offset, length);
    EBCACHE_ORACLE("range", result == (inside ? 0 : -ERANGE));
    if (!inside) return;
    const Shadow from = shadows_[slot.buffer];
    Shadow& shadow = shadows_[other.buffer];
    for (size_t i = 0; i < length; ++i) shadow[to + i] = from[offset + i];
  }

  void Integers(int how) {
    Slot& slot = TakeSlot();
    const size_t offset = TakeOffset();
    const auto value = input_.Take<uint64_t>();
    if (slot.buffer == nullptr) return;
    uint64_t found = 0;
    uint8_t bytes[8];
    std::memcpy(bytes, &value, 8);
    if (how % 2 == 0) {
      const int result = ebcache_set_u64(slot.buffer, offset, value);
      EBCACHE_ORACLE("range", result == (Inside(offset, 8) ? 0 : -ERANGE));
      if (result == 0) Fill(slot.buffer, offset, 8, bytes);
    } else {
      const int result = ebcache_set_u8(slot.buffer, offset, bytes[0]);
      EBCACHE_ORACLE("range", result == (Inside(offset, 1) ? 0 : -ERANGE));
      if (result == 0) Fill(slot.buffer, offset, 1, bytes);
    }
    const int result = ebcache_get_u64(slot.buffer, offset, &found);
    EBCACHE_ORACLE("range", result == (Inside(offset, 8) ? 0 : -ERANGE));
    EBCACHE_ORACLE("value", result != 0 || how % 2 != 0 || found == value);
  }

  void Writing(int how) {
    Slot& slot = TakeSlot();
    const uint32_t flags = slot.buffer == nullptr ? 0 : ebcache_buffer_flags(slot.buffer);
    if (slot.buffer == nullptr && how % 8 != 5) return;
    switch (how % 8) {
      case 0:
        EBCACHE_ORACLE("set-uptodate", ebcache_set_uptodate(slot.buffer) == 0);
        return;
      case 1:
      case 2: {
        const bool may = (flags & EBCACHE_BUFFER_UPTODATE) != 0 && !slot.is_private;
        EBCACHE_ORACLE("set-dirty", ebcache_set_dirty(slot.buffer) == (may ? 0 : -EINVAL));
        return;
      }
      case 3:
        (void)Known(ebcache_clear_dirty(slot.buffer));
        return;
      case 4:
        (void)Known(ebcache_writeback(cache_, slot.buffer));
        return;
      case 5:
        (void)Known(ebcache_writeback_all(cache_));
        return;
      case 6: {
        const auto header = input_.Take<uint16_t>();
        if (Known(ebcache_reinit(cache_, slot.buffer, header)) == 0 && header <= kNode) {
          Fill(slot.buffer, 0, header, nullptr);
        }
        return;
      }
      default:
        (void)Known(ebcache_read_buffer(cache_, slot.buffer, nullptr));
        return Compare(slot.buffer);
    }
  }

  void Memory(int how) {
    struct ebcache_cache_stats stats {};
    struct ebcache_pins pins {};
    switch (how % 6) {
      case 0:
        (void)ebcache_drop_caches(cache_);
        break;
      case 1:
        (void)ebcache_shrink(cache_, input_.Take<uint64_t>());
        break;
      case 2:
        (void)Known(ebcache_set_budget(cache_, input_.Take<uint32_t>()));
        break;
      case 3:
        stats.size = std::min<uint32_t>(input_.Take<uint8_t>(), sizeof(stats));
        (void)Known(ebcache_cache_stats(cache_, &stats));
        break;
      case 4:
        pins.size = sizeof(pins);
        EBCACHE_ORACLE("pins", Known(ebcache_pins(cache_, &pins)) == 0);
        break;
      default:
        GarbageOptions();
    }
    for (const Slot& slot : slots_) {
      if (slot.buffer != nullptr) Compare(slot.buffer);
    }
  }

  // Structs filled with anything: an error, or a cache.
  void GarbageOptions() {
    ebcache_cache_options options;
    const std::vector<std::byte> bytes = input_.TakeBytes(sizeof(options));
    std::memset(&options, 0, sizeof(options));
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(&options));
    // A caller that claims more must have more. A size that may be stays what it is, so that an
    // input means the same when the struct grows.
    if (options.size > sizeof(options)) options.size %= sizeof(options) + 1;
    options.allocator = nullptr;
    options.background_reclaim = 0;  // a thread would take longer than all else
    ebcache_cache* other = cache_;   // to see it go
    if (Known(ebcache_cache_create(&options, nullptr, nullptr, &other)) != 0) {
      EBCACHE_ORACLE("cache-or-error", other == nullptr);
      return;
    }
    EBCACHE_ORACLE("cache-goes", Known(ebcache_cache_destroy(other)) == 0);
  }

  FuzzInput& input_;
  ebcache_cache* cache_ = nullptr;
  std::array<Slot, kSlots> slots_;
  std::map<const ebcache_buffer*, Shadow> shadows_;
  int failure_ = 0;
  std::set<int> given_;  // all that the source has returned
};

}  // namespace

void Run(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  if (input.Take<uint8_t>() % 4 == 3) return RunCapiImage(input);
  CacheProgram(input).Run();
}

}  // namespace ebcache::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ebcache::fuzz::Run(data, size);
  return 0;
}
