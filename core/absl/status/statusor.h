#ifndef EBCACHE_CORE_ABSL_STATUS_STATUSOR_H_
#define EBCACHE_CORE_ABSL_STATUS_STATUSOR_H_

#include <cstdlib>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"

namespace absl {

// A value, or the error for which there is none.
template <typename T>
class [[nodiscard]] StatusOr {
 public:
  StatusOr() : status_(StatusCode::kUnknown, "") {}
  StatusOr(Status error) : status_(std::move(error)) {  // NOLINT: implicit, as in Abseil
    // Neither a value nor an error: a bug, for which Abseil aborts in some builds.
    if (status_.ok()) std::abort();
  }
  template <typename Value = T>
  requires(std::is_constructible_v<T, Value&&> &&
           !std::is_same_v<std::remove_cvref_t<Value>, StatusOr> &&
           !std::is_same_v<std::remove_cvref_t<Value>, Status>) StatusOr(Value&& value)
      : value_(std::forward<Value>(value)) {}  // NOLINT: implicit, as in Abseil

  bool ok() const { return value_.has_value(); }
  const Status& status() const& { return status_; }
  Status status() && { return std::move(status_); }
  template <typename Other>
  T value_or(Other&& other) const& {
    return value_.value_or(std::forward<Other>(other));
  }

  // REQUIRES: ok().
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace absl

#endif  // EBCACHE_CORE_ABSL_STATUS_STATUSOR_H_
