#include "lib/cache/kept_errors.h"

#include <new>
#include <utility>

#include "lib/base/status_number.h"

namespace ebcache {

void KeptErrors::Keep(const ExtentBuffer* buffer, const absl::Status& status,
                      const ParentCheck* expected) noexcept {
  try {
    Error error{status.code(), NumberOf(status), std::string(status.message()), std::nullopt};
    if (expected != nullptr) error.expected = *expected;
    sync::MutexLock lock(mutex_);
    if (errors_.insert_or_assign(buffer, std::move(error)).second) sync::Add(count_, 1);
  } catch (const std::bad_alloc&) {
    ForgetIf(buffer, [] { return true; });  // what an earlier one said is not true of this one
  }
}

std::optional<KeptErrors::Kept> KeptErrors::Find(const ExtentBuffer* buffer) const {
  const auto it = errors_.find(buffer);
  if (it == errors_.end()) return std::nullopt;
  const Error& error = it->second;
  return Kept{WithNumber(absl::Status(error.code, error.message), error.number), error.expected};
}

void KeptErrors::Erase(const ExtentBuffer* buffer) {
  if (errors_.erase(buffer) != 0) sync::Add(count_, ~uint32_t{0});  // one less
}

}  // namespace ebcache
