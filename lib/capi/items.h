// What the functions that take items apart have in common.

#ifndef EBCACHE_LIB_CAPI_ITEMS_H_
#define EBCACHE_LIB_CAPI_ITEMS_H_

#include <absl/types/span.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>

#include "ebcache/ebcache.h"
#include "ebcache/items.h"
#include "lib/capi/errors.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {

inline absl::Span<const std::byte> Bytes(const void* data, size_t bytes) {
  return {static_cast<const std::byte*>(data), bytes};
}

inline ebcache_time Outside(const DiskTime& time) {
  return {.seconds = static_cast<int64_t>(time.seconds), .nanoseconds = time.nanoseconds};
}

template <size_t kBytes>
void CopyUuid(const Uuid& from, uint8_t (&to)[kBytes]) {
  static_assert(sizeof(from) == kBytes);
  std::memcpy(to, from.data(), kBytes);
}

// The item as `T`, put into the caller's struct `to` as `convert` gives it.
template <typename T, typename To, typename Convert>
int ParseAs(const void* data, size_t bytes, To* to, const char* name, Convert convert) {
  if (data == nullptr) return NullArgument("data");
  return Guard([&] {
    const absl::StatusOr<T> item = ParseItem<T>(Bytes(data, bytes));
    return item.ok() ? CopyOut(convert(*item), to, name) : Fail(item.status());
  });
}

// The entry at *position, and on to the next: 1; 0 at the end. What fails does not move.
template <typename T, typename To, typename Convert>
int NextAs(const void* data, size_t bytes, size_t* position, To* to, const char* name,
           Convert convert) {
  if (data == nullptr) return NullArgument("data");
  if (position == nullptr) return NullArgument("position");
  if (*position > bytes) return Fail(EINVAL, "position is behind the item's end");
  return Guard([&] {
    ItemRecords<T> records(Bytes(data, bytes).subspan(*position));
    const std::optional<T> entry = records.Next();
    if (!entry.has_value()) return records.status().ok() ? 0 : Fail(records.status());
    if (const int error = CopyOut(convert(*entry), to, name); error != 0) return error;
    *position += EncodedBytes(*entry);
    return 1;
  });
}

}  // namespace ebcache::capi

#endif  // EBCACHE_LIB_CAPI_ITEMS_H_
