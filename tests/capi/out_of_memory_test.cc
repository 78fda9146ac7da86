// Memory that is out: in every call of every function of the C face, each call of operator new
// fails once, in its turn. Afterwards what the call was made on is used, and nothing may be
// missing, left under way, or leaked.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/capi/failing_calls.h"
#include "tests/capi/filesystem_stage.h"
#include "tests/capi/session_stage.h"

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
  for (const auto& call : ItemCalls()) called.insert(call.function);
  for (const auto& calls : {SessionCalls(), UndoCalls(), ClosedUndoCalls()}) {
    for (const auto& call : calls) called.insert(call.function);
  }
  const std::set<std::string> declared = DeclaredFunctions();
  EXPECT_GT(declared.size(), 100u);
  EXPECT_EQ(called, declared);
}

void FailEachOfFilesystems(const std::vector<Call<FilesystemStage>>& calls) {
  failures = 0;
  for (const auto& call : calls) {
    FailEach(call, [] { return std::make_unique<FilesystemStage>(); });
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(failures, 20);
}

TEST(FilesystemsOutOfMemory, EveryAllocationOfEveryCall) {
  FailEachOfFilesystems(FilesystemCalls());
}

TEST(FilesystemsOutOfMemory, ItemsAndPaths) { FailEachOfFilesystems(ItemCalls()); }

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
