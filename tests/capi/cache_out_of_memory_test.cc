// Memory that is out in the calls of caches: out_of_memory_test.cc has the rest. It is also a test of
// libebcache-core.

#include <gtest/gtest.h>

#include <memory>

#include "tests/capi/cache_stage.h"
#include "tests/capi/failing_calls.h"

namespace ebcache {
namespace {

class CachesOutOfMemory : public testing::TestWithParam<CacheShape> {};

TEST_P(CachesOutOfMemory, EveryAllocationOfEveryCall) {
  failures = 0;
  for (const auto& call : CacheCalls()) {
    if (GetParam() != CacheShape::kPlain && !call.every_shape) continue;
    FailEach(call, [] { return std::make_unique<CacheStage>(GetParam()); });
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(failures, 20);
}

INSTANTIATE_TEST_SUITE_P(Shapes, CachesOutOfMemory,
                         testing::Values(CacheShape::kPlain, CacheShape::kGrowing,
                                         CacheShape::kFull, CacheShape::kSubpage,
                                         CacheShape::kOrder0, CacheShape::kHigh, CacheShape::kVmap,
                                         CacheShape::kMovable));

}  // namespace
}  // namespace ebcache
