// Memory that is out: in every call of every function of the C face, each call of operator new
// fails once, in its turn. Afterwards what the call was made on is used, and nothing may be
// missing, left under way, or leaked.

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <regex>
#include <set>
#include <string>

#include "tests/capi/session_stage.h"
#include "tests/capi/stages.h"
#include "tests/support/failing_new.h"

namespace ebcache {
namespace {

// The functions that the header declares, in the parts that it includes.
std::set<std::string> DeclaredFunctions() {
  std::string text;
  for (const auto& part : std::filesystem::directory_iterator("include/ebcache/c")) {
    std::ifstream file(part.path());
    text.append(std::istreambuf_iterator<char>(file), {});
  }
  const std::regex declaration(R"(EBCACHE_API[^;(]*?(ebcache_\w+)\()");
  std::set<std::string> names;
  for (std::sregex_iterator at(text.begin(), text.end(), declaration), end; at != end; ++at) {
    names.insert((*at)[1]);
  }
  return names;
}

TEST(OutOfMemory, EveryFunctionOfTheHeaderIsCalled) {
  std::set<std::string> called;
  for (const auto& call : CacheCalls()) called.insert(call.function);
  for (const auto& call : FilesystemCalls()) called.insert(call.function);
  for (const auto& calls : {SessionCalls(), UndoCalls(), ClosedUndoCalls()}) {
    for (const auto& call : calls) called.insert(call.function);
  }
  const std::set<std::string> declared = DeclaredFunctions();
  EXPECT_GT(declared.size(), 100u);
  EXPECT_EQ(called, declared);
}

// How often a call failed for want of memory, so that a driver which fails nothing is seen.
int64_t failures = 0;

// What is allocated but for what the library keeps for a thread until that thread next uses a new
// allocator: its lists of allocators that are gone. A new one is used, so that those go, and its
// own list is what is there instead of them, whatever was there before.
int64_t SettledAllocations() {
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

TEST(FilesystemsOutOfMemory, EveryAllocationOfEveryCall) {
  failures = 0;
  for (const auto& call : FilesystemCalls()) {
    FailEach(call, [] { return std::make_unique<FilesystemStage>(); });
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(failures, 20);
}

void FailEachOfSessions(const std::vector<Call<SessionStage>>& calls, SessionShape shape) {
  failures = 0;
  for (const auto& call : calls) {
    FailEach(call, [&] { return std::make_unique<SessionStage>(shape); });
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(failures, 20);
}

TEST(SessionsOutOfMemory, EveryAllocationOfEveryCall) {
  FailEachOfSessions(SessionCalls(), SessionShape::kOpen);
}

TEST(SessionsOutOfMemory, WithAWayBack) { FailEachOfSessions(UndoCalls(), SessionShape::kUndo); }

TEST(SessionsOutOfMemory, OnTheWayBack) {
  FailEachOfSessions(ClosedUndoCalls(), SessionShape::kClosed);
}

}  // namespace
}  // namespace ebcache
