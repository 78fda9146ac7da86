#include "examples/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/version.h"

namespace ebcache::examples {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStderr;
using ::testing::internal::GetCapturedStdout;

class CommandLineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    line_.AddFlag("json", "print JSON", &json_);
    line_.AddFlag("count", "how many", 100, &count_);
    line_.AddFlag("kind", "which", {"heap", "order0"}, &kind_);
  }

  std::optional<int> Parse(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "program");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    CaptureStdout();
    CaptureStderr();
    const std::optional<int> exit_code = line_.Parse(static_cast<int>(argv.size()), argv.data());
    stdout_ = GetCapturedStdout();
    stderr_ = GetCapturedStderr();
    return exit_code;
  }

  // One line on stderr that has `what` in it, and the exit code of a wrong command line.
  void ExpectUsageError(const std::string& argument, const std::string& what) {
    EXPECT_EQ(Parse({argument}), 2) << argument;
    EXPECT_THAT(stderr_, HasSubstr(what));
    EXPECT_EQ(stderr_.find('\n'), stderr_.size() - 1) << stderr_;
    EXPECT_EQ(stdout_, "");
  }

  bool json_ = false;
  uint64_t count_ = 7;
  std::string kind_ = "heap";
  CommandLine line_{"program", "FILE...", "Does things."};
  std::string stdout_;
  std::string stderr_;
};

TEST_F(CommandLineTest, FlagsAndOperandsInAnyOrder) {
  EXPECT_EQ(Parse({"a", "--count=12", "-", "--json", "--kind=order0", "b"}), std::nullopt);
  EXPECT_TRUE(json_);
  EXPECT_EQ(count_, 12);
  EXPECT_EQ(kind_, "order0");
  EXPECT_THAT(line_.operands(), ElementsAre("a", "-", "b"));
}

TEST_F(CommandLineTest, ValuesMayStandAlone) {
  EXPECT_EQ(Parse({"--count", "12", "a", "--kind", "order0", "--json", "b"}), std::nullopt);
  EXPECT_TRUE(json_);
  EXPECT_EQ(count_, 12);
  EXPECT_EQ(kind_, "order0");
  EXPECT_THAT(line_.operands(), ElementsAre("a", "b"));
}

TEST_F(CommandLineTest, DefaultsStay) {
  EXPECT_EQ(Parse({}), std::nullopt);
  EXPECT_FALSE(json_);
  EXPECT_EQ(count_, 7);
  EXPECT_EQ(kind_, "heap");
}

TEST_F(CommandLineTest, TwoDashesEndTheFlags) {
  EXPECT_EQ(Parse({"--json", "--", "--count=12", "--"}), std::nullopt);
  EXPECT_THAT(line_.operands(), ElementsAre("--count=12", "--"));
  EXPECT_EQ(count_, 7);
}

TEST_F(CommandLineTest, WhatIsWrongIsOneLine) {
  ExpectUsageError("--jsom", "unrecognized option '--jsom'");
  ExpectUsageError("-j", "unrecognized option '-j'");
  ExpectUsageError("--=3", "unrecognized option '--'");
  ExpectUsageError("--json=yes", "--json takes no value");
  ExpectUsageError("--count", "--count needs a value");
  ExpectUsageError("--count=", "from 0 to 100");
  ExpectUsageError("--count=101", "from 0 to 100");
  ExpectUsageError("--count=-1", "from 0 to 100");
  ExpectUsageError("--count=99999999999999999999", "from 0 to 100");
  ExpectUsageError("--count=5x", "from 0 to 100");
  ExpectUsageError("--kind=vmap", "one of heap, order0");
}

TEST_F(CommandLineTest, HelpNamesEveryFlag) {
  EXPECT_EQ(Parse({"--help"}), 0);
  for (const char* part : {"usage: program FILE...", "Does things.", "--json", "--count=N",
                           "--kind=heap|order0", "--help", "--version"}) {
    EXPECT_THAT(stdout_, HasSubstr(part));
  }
  EXPECT_EQ(stderr_, "");
  EXPECT_EQ(Parse({"--version"}), 0);
  EXPECT_THAT(stdout_, HasSubstr("program, part of ebcache v" EBCACHE_VERSION_STRING "\n"));
}

}  // namespace
}  // namespace ebcache::examples
