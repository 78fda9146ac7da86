// KeptErrors: the errors of reads or of writes that failed, by descriptor, for threads that ask
// later.
//
// Keeping one needs memory, and must not fail because there is none: what cannot be kept is
// forgotten, and a thread that asks is told so. That something failed is in the state word in any
// case.

#ifndef EBCACHE_LIB_CACHE_KEPT_ERRORS_H_
#define EBCACHE_LIB_CACHE_KEPT_ERRORS_H_

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "ebcache/extent_buffer.h"
#include "ebcache/internal/sync.h"
#include "ebcache/key.h"
#include "lib/base/status_number.h"

namespace ebcache {

// Thread safety: any thread.
class KeptErrors {
 public:
  struct Kept {
    absl::Status status;
    std::optional<ParentCheck> expected;  // see Keep
  };

  // In place of what was kept for the buffer. `expected`: the error is the answer for readers that
  // expect the same; null: for all readers.
  void Keep(const ExtentBuffer* buffer, const absl::Status& status,
            const ParentCheck* expected = nullptr) noexcept;

  // Nothing when none is kept.
  std::optional<Kept> Of(const ExtentBuffer* buffer) {
    return OfWhile(buffer, [] { return true; });
  }
  // The same, while `holds` says so. Between the two nothing is forgotten, nor kept.
  template <typename Holds>
  std::optional<Kept> OfWhile(const ExtentBuffer* buffer, Holds holds) {
    sync::MutexLock lock(mutex_);
    if (!holds()) return std::nullopt;
    return Find(buffer);
  }

  void Forget(const ExtentBuffer* buffer) {
    // Relaxed: the state word makes an entry visible to a holder that needs it, and the count with
    // it; every other thread only saves a lock.
    if (count_.load(std::memory_order_relaxed) == 0) return;
    ForgetKept(buffer);
  }
  // Forgets if `step` says so. Between the two nothing is kept: not the error of a write that could
  // begin only after the step.
  template <typename Step>
  void ForgetIf(const ExtentBuffer* buffer, Step step) {
    sync::MutexLock lock(mutex_);
    if (step()) Erase(buffer);
  }

  size_t size() const { return count_.load(std::memory_order_relaxed); }

 private:
  // Code, number (status_number.h) and text rather than a Status: copies of one share a count
  // inside Abseil, which is not built for the thread sanitizer.
  struct Error {
    absl::StatusCode code;
    int number;
    std::string message;
    std::optional<ParentCheck> expected;
  };

  // A function of its own: inlined, it would cost each burial the registers that it needs.
  [[gnu::noinline, gnu::cold]] void ForgetKept(const ExtentBuffer* buffer) {
    ForgetIf(buffer, [] { return true; });
  }
  std::optional<Kept> Find(const ExtentBuffer* buffer) const EBCACHE_REQUIRES(mutex_);
  void Erase(const ExtentBuffer* buffer) EBCACHE_REQUIRES(mutex_);

  sync::Mutex mutex_;
  // A tree, because it stays whole when there is no memory for one more: Abseil's tables do not.
  std::map<const ExtentBuffer*, Error> errors_ EBCACHE_GUARDED_BY(mutex_);
  sync::Atomic<uint32_t> count_{0};  // its size
};

inline void KeptErrors::Keep(const ExtentBuffer* buffer, const absl::Status& status,
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

inline std::optional<KeptErrors::Kept> KeptErrors::Find(const ExtentBuffer* buffer) const {
  const auto it = errors_.find(buffer);
  if (it == errors_.end()) return std::nullopt;
  const Error& error = it->second;
  return Kept{WithNumber(absl::Status(error.code, error.message), error.number), error.expected};
}

inline void KeptErrors::Erase(const ExtentBuffer* buffer) {
  if (errors_.erase(buffer) != 0) sync::Add(count_, ~uint32_t{0});  // one less
}

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_KEPT_ERRORS_H_
