// Linked into every GoogleTest program of a mutated build: writes which mutants each test case
// reaches to the file that EBCACHE_MUTATION_CASES names, a line of JSON each.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/mutation/reached.h"

namespace {

class CaseRecorder : public testing::EmptyTestEventListener {
 public:
  explicit CaseRecorder(const char* path) : file_(std::fopen(path, "a")) {
    if (file_ == nullptr) std::abort();
  }

 private:
  void OnTestStart(const testing::TestInfo& /*info*/) override { Write("", "passed", 0); }

  void OnTestEnd(const testing::TestInfo& info) override {
    const testing::TestResult& result = *info.result();
    const char* outcome = result.Failed() ? "failed" : result.Skipped() ? "skipped" : "passed";
    Write(std::string(info.test_suite_name()) + "." + info.name(), outcome, result.elapsed_time());
  }

  void OnTestProgramEnd(const testing::UnitTest& /*test*/) override { Write("", "passed", 0); }

  // And begins anew. Without a name: between test cases, which every case of the program needs.
  void Write(const std::string& name, const char* outcome, long long milliseconds) {
    nlohmann::ordered_json line = {{"case", name}, {"outcome", outcome}, {"ms", milliseconds}};
    nlohmann::ordered_json& mutants = line["mutants"] = nlohmann::ordered_json::array();
    const std::span<unsigned char> reached = ReachedMutants();
    for (size_t i = 0; i < reached.size(); ++i) {
      if (reached[i] == 0) continue;
      reached[i] = 0;
      mutants.push_back(i);
    }
    std::fputs((line.dump() + "\n").c_str(), file_);
    std::fflush(file_);
  }

  std::FILE* file_;
};

// A death test that runs the program anew must leave its parent's record alone.
bool IsDeathTestChild() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string line{std::istreambuf_iterator<char>(file), {}};
  return line.find("gtest_internal_run_death_test") != std::string::npos;
}

[[maybe_unused]] const bool kInstalled = [] {
  const char* path = std::getenv("EBCACHE_MUTATION_CASES");
  if (path == nullptr || IsDeathTestChild()) return false;
  // GoogleTest owns it.
  testing::UnitTest::GetInstance()->listeners().Append(new CaseRecorder(path));
  return true;
}();

}  // namespace
