// EBCACHE_CHECK: how the library answers misuse of its API.
//
// Input (images, devices, arguments from outside) never aborts the process: it yields absl::Status.
// A broken promise by the caller (a reference put twice, a write without a reference) is a bug that
// must not go on silently, in any build.

#ifndef EBCACHE_LIB_BASE_CHECK_H_
#define EBCACHE_LIB_BASE_CHECK_H_

namespace ebcache {

// Prints "FILE:LINE: check failed: CONDITION: message" on stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              const char* message);

}  // namespace ebcache

// Aborts with `message` (a C string that tells the caller what it did wrong) unless `condition`.
#define EBCACHE_CHECK(condition, message)                              \
  do {                                                                 \
    if (__builtin_expect(!(condition), 0)) {                           \
      ::ebcache::CheckFailed(__FILE__, __LINE__, #condition, message); \
    }                                                                  \
  } while (false)

#endif  // EBCACHE_LIB_BASE_CHECK_H_
