#ifndef EBCACHE_CORE_ABSL_STATUS_STATUS_H_
#define EBCACHE_CORE_ABSL_STATUS_STATUS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace absl {

// Numbered as Abseil numbers them.
enum class StatusCode : int {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// A code, and for errors words and payloads, which copies share. A status without words and payloads
// allocates nothing, and copies never do.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, string_view message) : code_(code) {
    if (code != StatusCode::kOk && !message.empty()) more_ = std::make_shared<More>(message);
  }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  string_view message() const { return more_ != nullptr ? string_view(more_->message) : ""; }

  // Takes over `other`, unless there is an error already.
  void Update(const Status& other) {
    if (ok()) *this = other;
  }
  void IgnoreError() const {}

  // None where there is no payload of that name.
  optional<Cord> GetPayload(string_view name) const {
    if (more_ == nullptr) return nullopt;
    for (const auto& [key, payload] : more_->payloads) {
      if (key == name) return payload;
    }
    return nullopt;
  }
  // In place of the one of that name. An OK status has none.
  void SetPayload(string_view name, Cord payload) {
    if (ok()) return;
    auto changed = more_ != nullptr ? std::make_shared<More>(*more_) : std::make_shared<More>("");
    std::erase_if(changed->payloads, [&](const auto& other) { return other.first == name; });
    changed->payloads.emplace_back(std::string(name), std::move(payload));
    more_ = std::move(changed);
  }

 private:
  struct More {
    explicit More(string_view text) : message(text) {}
    std::string message;
    std::vector<std::pair<std::string, Cord>> payloads;
  };

  StatusCode code_ = StatusCode::kOk;
  std::shared_ptr<const More> more_;
};

inline Status OkStatus() { return Status(); }

inline Status InvalidArgumentError(string_view message) {
  return Status(StatusCode::kInvalidArgument, message);
}
inline Status NotFoundError(string_view message) { return Status(StatusCode::kNotFound, message); }
inline Status PermissionDeniedError(string_view message) {
  return Status(StatusCode::kPermissionDenied, message);
}
inline Status ResourceExhaustedError(string_view message) {
  return Status(StatusCode::kResourceExhausted, message);
}
inline Status FailedPreconditionError(string_view message) {
  return Status(StatusCode::kFailedPrecondition, message);
}
inline Status OutOfRangeError(string_view message) {
  return Status(StatusCode::kOutOfRange, message);
}
inline Status InternalError(string_view message) { return Status(StatusCode::kInternal, message); }
inline Status DataLossError(string_view message) { return Status(StatusCode::kDataLoss, message); }

inline bool IsInvalidArgument(const Status& status) {
  return status.code() == StatusCode::kInvalidArgument;
}
inline bool IsNotFound(const Status& status) { return status.code() == StatusCode::kNotFound; }
inline bool IsResourceExhausted(const Status& status) {
  return status.code() == StatusCode::kResourceExhausted;
}
inline bool IsFailedPrecondition(const Status& status) {
  return status.code() == StatusCode::kFailedPrecondition;
}
inline bool IsInternal(const Status& status) { return status.code() == StatusCode::kInternal; }
inline bool IsDataLoss(const Status& status) { return status.code() == StatusCode::kDataLoss; }

}  // namespace absl

#endif  // EBCACHE_CORE_ABSL_STATUS_STATUS_H_
