#ifndef EBCACHE_CORE_ABSL_CLEANUP_CLEANUP_H_
#define EBCACHE_CORE_ABSL_CLEANUP_CLEANUP_H_

#include <utility>

namespace absl {

// Calls `callback` at the end of the scope.
template <typename Callback>
class [[nodiscard]] Cleanup {
 public:
  Cleanup(Callback callback) : callback_(std::move(callback)) {}  // NOLINT: implicit, as in Abseil
  ~Cleanup() { callback_(); }
  Cleanup(const Cleanup&) = delete;
  Cleanup& operator=(const Cleanup&) = delete;

 private:
  Callback callback_;
};

}  // namespace absl

#endif  // EBCACHE_CORE_ABSL_CLEANUP_CLEANUP_H_
