// The state and the bytes of a buffer.

#include <absl/types/span.h>

#include <cerrno>
#include <optional>

#include "lib/capi/cache_handles.h"
#include "lib/capi/errors.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {
namespace {

static_assert(EBCACHE_BUFFER_UPTODATE == static_cast<int>(BufferFlag::kUptodate));
static_assert(EBCACHE_BUFFER_DIRTY == static_cast<int>(BufferFlag::kDirty));
static_assert(EBCACHE_BUFFER_WRITEBACK == static_cast<int>(BufferFlag::kWriteback));
static_assert(EBCACHE_BUFFER_TREE_REF == static_cast<int>(BufferFlag::kTreeRef));
static_assert(EBCACHE_BUFFER_STALE == static_cast<int>(BufferFlag::kStale));
static_assert(EBCACHE_BUFFER_UNMAPPED == static_cast<int>(BufferFlag::kUnmapped));
static_assert(EBCACHE_BUFFER_WRITE_ERR == static_cast<int>(BufferFlag::kWriteErr));
static_assert(EBCACHE_BUFFER_READING == static_cast<int>(BufferFlag::kReading));

int Result(const absl::Status& status) { return status.ok() ? 0 : Fail(status); }

// The segment with the byte at `offset`, from there on. Empty at the end.
template <typename Segments>
auto PieceAt(const Segments& segments, size_t offset) {
  for (const auto& segment : segments) {
    if (offset < segment.size()) return segment.subspan(offset);
    offset -= segment.size();
  }
  return typename Segments::value_type();
}

template <typename T>
int Get(const ebcache_buffer* buffer, size_t offset, T* value) {
  if (buffer == nullptr || value == nullptr) [[unlikely]] {
    return NullArgument(buffer == nullptr ? "buffer" : "value");
  }
  if (const std::optional<T> loaded = Inside(buffer)->Load<T>(offset)) [[likely]] {
    *value = *loaded;
    return 0;
  }
  return Guard([&] { return Fail(Inside(buffer)->Get<T>(offset).status()); });
}

template <typename T>
int Set(ebcache_buffer* buffer, size_t offset, T value) {
  if (buffer == nullptr) return NullArgument("buffer");
  return Guard([&] { return Result(Inside(buffer)->Set<T>(offset, value)); });
}

}  // namespace
}  // namespace ebcache::capi

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

uint64_t ebcache_buffer_start(const ebcache_buffer* buffer) { return Inside(buffer)->start(); }
uint32_t ebcache_buffer_length(const ebcache_buffer* buffer) { return Inside(buffer)->length(); }
uint32_t ebcache_buffer_flags(const ebcache_buffer* buffer) {
  return Inside(buffer)->state().flags;
}
uint32_t ebcache_buffer_refs(const ebcache_buffer* buffer) { return Inside(buffer)->state().refs; }
int ebcache_buffer_mirror(const ebcache_buffer* buffer) { return Inside(buffer)->mirror(); }
int ebcache_buffer_set_mirror(ebcache_buffer* buffer, int mirror) {
  if (buffer == nullptr) return NullArgument("buffer");
  if (mirror < 0 || mirror > ExtentBuffer::kMostMirrors) {
    return Fail(EINVAL, "mirror must be from 0 to 255");
  }
  Inside(buffer)->set_mirror(mirror);
  return 0;
}

void* ebcache_user(const ebcache_buffer* buffer) {
  return buffer != nullptr ? Inside(buffer)->user() : nullptr;
}

const void* ebcache_data(const ebcache_buffer* buffer) {
  return buffer != nullptr ? Inside(buffer)->contiguous() : nullptr;
}

void* ebcache_mutable_data(ebcache_buffer* buffer) {
  // The bytes are no more const than the buffer.
  return const_cast<void*>(ebcache_data(buffer));
}

size_t ebcache_piece(const ebcache_buffer* buffer, size_t offset, const void** piece) {
  if (piece == nullptr) return 0;
  *piece = nullptr;
  if (buffer == nullptr) return 0;
  return Guard([&] {
    const auto found = PieceAt(Inside(buffer)->segments(), offset);
    if (!found.empty()) *piece = found.data();
    return found.size();
  });
}

size_t ebcache_mutable_piece(ebcache_buffer* buffer, size_t offset, void** piece) {
  if (piece == nullptr) return 0;
  *piece = nullptr;
  if (buffer == nullptr) return 0;
  return Guard([&] {
    const auto found = PieceAt(Inside(buffer)->mutable_segments(), offset);
    if (!found.empty()) *piece = found.data();
    return found.size();
  });
}

int ebcache_copy_out(const ebcache_buffer* buffer, size_t offset, void* to, size_t length) {
  if (buffer == nullptr) return NullArgument("buffer");
  if (to == nullptr && length != 0) return NullArgument("to");
  return Guard([&] {
    return Result(
        Inside(buffer)->Read(offset, absl::MakeSpan(static_cast<std::byte*>(to), length)));
  });
}

int ebcache_copy_in(ebcache_buffer* buffer, size_t offset, const void* from, size_t length) {
  if (buffer == nullptr) return NullArgument("buffer");
  if (from == nullptr && length != 0) return NullArgument("from");
  return Guard([&] {
    return Result(
        Inside(buffer)->Write(offset, absl::MakeSpan(static_cast<const std::byte*>(from), length)));
  });
}

int ebcache_copy(ebcache_buffer* to, size_t to_offset, const ebcache_buffer* from,
                 size_t from_offset, size_t length) {
  if (to == nullptr) return NullArgument("to");
  if (from == nullptr) return NullArgument("from");
  return Guard([&] {
    if (to == from) return Result(Inside(to)->Move(to_offset, from_offset, length));
    return Result(Inside(to)->CopyFrom(*Inside(from), from_offset, to_offset, length));
  });
}

int ebcache_zero(ebcache_buffer* buffer, size_t offset, size_t length) {
  if (buffer == nullptr) return NullArgument("buffer");
  return Guard([&] { return Result(Inside(buffer)->Zero(offset, length)); });
}

int ebcache_compare(const ebcache_buffer* buffer, size_t offset, const void* other, size_t length,
                    int* result) {
  if (buffer == nullptr) return NullArgument("buffer");
  if (other == nullptr && length != 0) return NullArgument("other");
  if (result == nullptr) return NullArgument("result");
  return Guard([&] {
    const absl::StatusOr<int> order = Inside(buffer)->Compare(
        offset, absl::MakeSpan(static_cast<const std::byte*>(other), length));
    if (!order.ok()) return Fail(order.status());
    *result = *order;
    return 0;
  });
}

int ebcache_get_u8(const ebcache_buffer* buffer, size_t offset, uint8_t* value) {
  return Get(buffer, offset, value);
}
int ebcache_get_u16(const ebcache_buffer* buffer, size_t offset, uint16_t* value) {
  return Get(buffer, offset, value);
}
int ebcache_get_u32(const ebcache_buffer* buffer, size_t offset, uint32_t* value) {
  return Get(buffer, offset, value);
}
int ebcache_get_u64(const ebcache_buffer* buffer, size_t offset, uint64_t* value) {
  return Get(buffer, offset, value);
}
int ebcache_set_u8(ebcache_buffer* buffer, size_t offset, uint8_t value) {
  return Set(buffer, offset, value);
}
int ebcache_set_u16(ebcache_buffer* buffer, size_t offset, uint16_t value) {
  return Set(buffer, offset, value);
}
int ebcache_set_u32(ebcache_buffer* buffer, size_t offset, uint32_t value) {
  return Set(buffer, offset, value);
}
int ebcache_set_u64(ebcache_buffer* buffer, size_t offset, uint64_t value) {
  return Set(buffer, offset, value);
}
