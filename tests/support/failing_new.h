// operator new of the whole program that links this: fails when told to, and counts what is there.

#ifndef EBCACHE_TESTS_SUPPORT_FAILING_NEW_H_
#define EBCACHE_TESTS_SUPPORT_FAILING_NEW_H_

#include <cstdint>

namespace ebcache {

enum class NewFails {
  kOnce,        // that one only: what comes after it, an error's words for example, has memory
  kFromThenOn,  // that one and all that follow
};

// From here on the calls of operator new on this thread are counted from 0, and number `nth` fails.
void FailNew(int64_t nth, NewFails how);
// Memory is there again. Whether a call has failed since FailNew.
bool StopFailingNew();

// What operator new has given and operator delete has not got back, on all threads.
int64_t LiveAllocations();

}  // namespace ebcache

#endif  // EBCACHE_TESTS_SUPPORT_FAILING_NEW_H_
