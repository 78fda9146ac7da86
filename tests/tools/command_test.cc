#include "tools/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/version.h"

namespace ebcache::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStderr;
using ::testing::internal::GetCapturedStdout;

class CommandTest : public ::testing::Test {
 protected:
  std::optional<int> Parse(std::vector<std::string> arguments) {
    json_ = false;
    count_ = 7;
    kind_ = "heap";
    place_ = "";
    command_ = std::make_unique<Command>("program", "FILE...", "Does things.");
    command_->AddFlag("json", "print JSON", &json_);
    command_->AddNumber("count", "how many", 100, &count_);
    command_->AddChoice("kind", "which", {"heap", "order0"}, &kind_);
    command_->AddText("place", "where", &place_, "DEVID:OFFSET");
    arguments.insert(arguments.begin(), "/usr/bin/program");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    CaptureStdout();
    CaptureStderr();
    const std::optional<int> exit_code =
        command_->Parse(static_cast<int>(argv.size()), argv.data());
    stdout_ = GetCapturedStdout();
    stderr_ = GetCapturedStderr();
    return exit_code;
  }

  // One line on stderr that has `what` in it, and the exit code of a wrong command line.
  void ExpectUsageError(const std::vector<std::string>& arguments, const std::string& what) {
    SCOPED_TRACE(arguments.back());
    EXPECT_EQ(Parse(arguments), 2);
    EXPECT_EQ(stderr_.find("program: "), 0) << stderr_;
    EXPECT_THAT(stderr_, HasSubstr(what));
    EXPECT_THAT(stderr_, HasSubstr(" (try program --help)\n"));
    EXPECT_EQ(stderr_.find('\n'), stderr_.size() - 1) << stderr_;
    EXPECT_EQ(stdout_, "");
  }

  bool json_ = false;
  uint64_t count_ = 0;
  std::string kind_;
  std::string place_;
  std::unique_ptr<Command> command_;
  std::string stdout_;
  std::string stderr_;
};

TEST_F(CommandTest, OptionsAndOperandsInAnyOrder) {
  EXPECT_EQ(Parse({"a", "--count=12", "-", "--json", "--kind=order0", "b"}), std::nullopt);
  EXPECT_TRUE(json_);
  EXPECT_EQ(count_, 12);
  EXPECT_EQ(kind_, "order0");
  EXPECT_THAT(command_->operands(), ElementsAre("a", "-", "b"));
}

TEST_F(CommandTest, ValuesMayStandAlone) {
  EXPECT_EQ(Parse({"--count", "12", "a", "--kind", "order0", "--json", "b"}), std::nullopt);
  EXPECT_TRUE(json_);
  EXPECT_EQ(count_, 12);
  EXPECT_EQ(kind_, "order0");
  EXPECT_THAT(command_->operands(), ElementsAre("a", "b"));
}

TEST_F(CommandTest, DefaultsStay) {
  EXPECT_EQ(Parse({}), std::nullopt);
  EXPECT_FALSE(json_);
  EXPECT_EQ(count_, 7);
  EXPECT_EQ(kind_, "heap");
}

TEST_F(CommandTest, TheLastOneCountsAndEachIsChecked) {
  EXPECT_EQ(Parse({"--count=3", "--json", "--count", "5", "--json"}), std::nullopt);
  EXPECT_TRUE(json_);
  EXPECT_EQ(count_, 5);
  ExpectUsageError({"--count=101", "--count=5"}, "from 0 to 100");
}

TEST_F(CommandTest, TwoDashesEndTheOptions) {
  EXPECT_EQ(Parse({"--json", "--", "--count=12", "--", "--help", "-x", ""}), std::nullopt);
  EXPECT_THAT(command_->operands(), ElementsAre("--count=12", "--", "--help", "-x", ""));
  EXPECT_EQ(count_, 7);
}

// What CLI11 has a meaning of its own for: lists, the end of a subcommand, empty containers.
TEST_F(CommandTest, OperandsAndValuesAreTakenAsTheyAre) {
  EXPECT_EQ(Parse({"[a,b]", "++", "{}", "%%", "@file", "a=b", "", "/x"}), std::nullopt);
  EXPECT_THAT(command_->operands(),
              ElementsAre("[a,b]", "++", "{}", "%%", "@file", "a=b", "", "/x"));
  for (const std::string value : {"[c,d]", "{}", "%%", "a=b", "--json", "\"q\""}) {
    EXPECT_EQ(Parse({"--place=" + value}), std::nullopt);
    EXPECT_EQ(place_, value);
    EXPECT_EQ(Parse({"--place", value, "x"}), std::nullopt);
    EXPECT_EQ(place_, value);
    EXPECT_THAT(command_->operands(), ElementsAre("x"));
  }
}

TEST_F(CommandTest, WhatIsWrongIsOneLine) {
  ExpectUsageError({"--jsom"}, "unrecognized option '--jsom': did you mean '--json'?");
  ExpectUsageError({"--no-such-thing=3"}, "unrecognized option '--no-such-thing' (try");
  ExpectUsageError({"--js"}, "unrecognized option '--js'");  // no abbreviations
  ExpectUsageError({"-j"}, "unrecognized option '-j'");
  ExpectUsageError({"-5"}, "unrecognized option '-5'");
  ExpectUsageError({"--=3"}, "unrecognized option '--'");
  ExpectUsageError({"---"}, "unrecognized option '---'");
  ExpectUsageError({"--json=yes"}, "--json takes no value");
  ExpectUsageError({"--json="}, "--json takes no value");
  ExpectUsageError({"--help=yes"}, "--help takes no value");
  ExpectUsageError({"--count"}, "--count needs a value");
  ExpectUsageError({"--count", "--"}, "--count needs a value");
  ExpectUsageError({"--count="}, "--count needs a number from 0 to 100");
  ExpectUsageError({"--count=", "5"}, "--count needs a number from 0 to 100");
  ExpectUsageError({"--count=101"}, "from 0 to 100");
  ExpectUsageError({"--count=-1"}, "from 0 to 100");
  ExpectUsageError({"--count", "-1"}, "from 0 to 100");
  ExpectUsageError({"--count=99999999999999999999"}, "from 0 to 100");
  ExpectUsageError({"--count=5x"}, "from 0 to 100");
  ExpectUsageError({"--count=0x10"}, "from 0 to 100");
  ExpectUsageError({"--kind=vmap"}, "--kind is one of heap, order0");
  ExpectUsageError({"--kind="}, "--kind is one of heap, order0");
  ExpectUsageError({"--place="}, "--place needs a DEVID:OFFSET");
}

TEST_F(CommandTest, HelpNamesEveryOption) {
  for (const char* option : {"--help", "-h"}) {
    EXPECT_EQ(Parse({option, "a"}), 0);
    for (const char* part :
         {"usage: program FILE...", "Does things.", "--json", "--count=N", "--kind=heap|order0",
          "--place=DEVID:OFFSET", "-h, --help", "-v, --version"}) {
      EXPECT_THAT(stdout_, HasSubstr(part));
    }
    EXPECT_EQ(stderr_, "");
  }
}

TEST_F(CommandTest, Version) {
  for (const char* option : {"--version", "-v"}) {
    EXPECT_EQ(Parse({option}), 0);
    EXPECT_EQ(stdout_, "program, part of ebcache v" EBCACHE_VERSION_STRING "\n");
  }
}

TEST(DidYouMean, OnlyWhatIsNear) {
  const std::vector<std::string> known = {"tree-stats", "verify", "top"};
  EXPECT_EQ(DidYouMean("verfy", known), ": did you mean 'verify'?");
  EXPECT_EQ(DidYouMean("tree_stat", known), ": did you mean 'tree-stats'?");
  EXPECT_EQ(DidYouMean("tpo", known), "");  // two letters of three are others
  EXPECT_EQ(DidYouMean("to", known), ": did you mean 'top'?");
  EXPECT_EQ(DidYouMean("scrub", known), "");
  EXPECT_EQ(DidYouMean("verify", {}), "");
}

}  // namespace
}  // namespace ebcache::tools
