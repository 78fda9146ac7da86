// Calls of the C face of which each call of operator new fails once, in its turn.

#ifndef EBCACHE_TESTS_CAPI_FAILING_CALLS_H_
#define EBCACHE_TESTS_CAPI_FAILING_CALLS_H_

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>

#include "tests/capi/cache_stage.h"
#include "tests/support/failing_new.h"

namespace ebcache {

// How often a call failed for want of memory, so that a driver which fails nothing is seen.
inline int64_t failures = 0;

// What is allocated but for what the library keeps for a thread until that thread next uses a new
// allocator: its lists of allocators that are gone. A new one is used, so that those go, and its
// own list is what is there instead of them, whatever was there before.
inline int64_t SettledAllocations() {
  const ebcache_cache_options options{.size = sizeof options};
  ebcache_cache* cache = nullptr;
  EXPECT_EQ(ebcache_cache_create(&options, nullptr, nullptr, &cache), 0) << ebcache_last_error();
  ebcache_buffer* buffer = nullptr;
  EXPECT_EQ(ebcache_dummy(cache, 0, &buffer), 0) << ebcache_last_error();
  ebcache_put(buffer);
  EXPECT_EQ(ebcache_cache_destroy(cache), 0) << ebcache_last_error();
  return LiveAllocations();
}

// Makes the call with its nth allocation failing. False when it has fewer.
template <typename Stage, typename MakeStage>
bool FailOne(const Call<Stage>& call, MakeStage make_stage, int64_t nth, NewFails how) {
  SCOPED_TRACE(testing::Message() << call.function << ", allocation " << nth
                                  << (how == NewFails::kOnce ? "" : " and all that follow"));
  const int64_t before = SettledAllocations();
  bool failed;
  {
    auto stage = make_stage();
    FailNew(nth, how);
    const int result = call.make(*stage);
    failed = StopFailingNew();
    if (failed && result == -ENOMEM) {
      EXPECT_STRNE(ebcache_last_error(), "");
      ++failures;
    } else {
      EXPECT_EQ(result, call.expected) << ebcache_last_error();
    }
    stage->ExpectSound();
  }
  EXPECT_EQ(SettledAllocations(), before) << "leaked, or given back twice";
  return failed;
}

template <typename Stage, typename MakeStage>
void FailEach(const Call<Stage>& call, MakeStage make_stage) {
  // What is made once in a program's life, by whatever call comes first, is no leak.
  {
    auto stage = make_stage();
    call.make(*stage);
    stage->ExpectSound();
  }
  for (const NewFails how : {NewFails::kOnce, NewFails::kFromThenOn}) {
    for (int64_t nth = 0; FailOne(call, make_stage, nth, how); ++nth) {
      ASSERT_FALSE(testing::Test::HasFailure());
    }
  }
}

}  // namespace ebcache

#endif  // EBCACHE_TESTS_CAPI_FAILING_CALLS_H_
