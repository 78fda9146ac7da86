// Counts, for the whole program that links this, what fast paths must not do: allocate with
// operator new, and lock a mutex. By standing in front of the C library's functions.

#ifndef EBCACHE_TESTS_SUPPORT_COUNTED_CALLS_H_
#define EBCACHE_TESTS_SUPPORT_COUNTED_CALLS_H_

#include <cstdint>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EBCACHE_TEST_SANITIZED 1
#else
#define EBCACHE_TEST_SANITIZED 0
#endif

namespace ebcache {

// Since the program began, by all threads. 0 for ever under a sanitizer, whose runtime stands in
// the same place: tests skip then.
uint64_t AllocationsSoFar();
uint64_t LocksSoFar();

}  // namespace ebcache

#endif  // EBCACHE_TESTS_SUPPORT_COUNTED_CALLS_H_
