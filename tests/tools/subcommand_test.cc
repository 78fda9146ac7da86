#include "tools/subcommand.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "ebcache/version.h"
#include "tools/command.h"

namespace ebcache::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::internal::CaptureStderr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStderr;
using ::testing::internal::GetCapturedStdout;

constexpr char kSchema[] = "{\"type\": \"object\"}\n";

class SubcommandTest : public ::testing::Test {
 protected:
  SubcommandTest() {
    subcommands_ = {{.name = "count",
                     .summary = "counts things",
                     .synopsis = "[options] <thing>...",
                     .about = "Counts one by one.",
                     .prepare =
                         [this](Command& command) {
                           const auto json = std::make_shared<bool>(false);
                           command.AddJson("print JSON", kSchema, json.get());
                           return [this, json](const Command& parsed) {
                             ran_ = parsed.name() + (*json ? " as JSON" : "");
                             operands_ = parsed.operands();
                             return 1;
                           };
                         }},
                    {.name = "drop",
                     .summary = "drops things",
                     .synopsis = "<thing>...",
                     .about = "Drops all.",
                     .prepare = [this](Command&) {
                       return [this](const Command& parsed) {
                         ran_ = parsed.name();
                         return 0;
                       };
                     }}};
  }

  int Run(std::vector<std::string> arguments) {
    ran_.clear();
    arguments.insert(arguments.begin(), "/opt/bin/things");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    CaptureStdout();
    CaptureStderr();
    const int exit_code = RunSubcommands("things", "Does things.", subcommands_,
                                         static_cast<int>(argv.size()), argv.data());
    stdout_ = GetCapturedStdout();
    stderr_ = GetCapturedStderr();
    return exit_code;
  }

  void ExpectUsageError(const std::vector<std::string>& arguments, const std::string& words) {
    EXPECT_EQ(Run(arguments), 2);
    EXPECT_EQ(stderr_, words + "\n");
    EXPECT_EQ(stdout_, "");
    EXPECT_EQ(ran_, "");
  }

  std::vector<Subcommand> subcommands_;
  std::string ran_;  // name of the subcommand that did its work
  std::vector<std::string> operands_;
  std::string stdout_;
  std::string stderr_;
};

TEST_F(SubcommandTest, RunsWhatIsNamedAndReturnsItsExitCode) {
  EXPECT_EQ(Run({"count", "a", "--json", "drop", "count", "++"}), 1);
  EXPECT_EQ(ran_, "things count as JSON");
  EXPECT_THAT(operands_, ElementsAre("a", "drop", "count", "++"));
  EXPECT_EQ(Run({"drop"}), 0);
  EXPECT_EQ(ran_, "things drop");
  EXPECT_EQ(Run({"--", "count", "--", "--json"}), 1);
  EXPECT_EQ(ran_, "things count");
  EXPECT_THAT(operands_, ElementsAre("--json"));
}

TEST_F(SubcommandTest, HelpOfTheProgramNamesEverySubcommand) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--help"}, {"-h"}, {"help"}, {"help", "--"}}) {
    EXPECT_EQ(Run(words), 0);
    EXPECT_THAT(stdout_, StartsWith("usage: things [options] <subcommand>"));
    for (const char* part : {"Does things.", "\n    count ", "counts things", "\n    drop ",
                             "drops things", "\n    help ", "-h, --help", "-v, --version"}) {
      EXPECT_THAT(stdout_, HasSubstr(part));
    }
    EXPECT_EQ(stderr_, "");
    EXPECT_EQ(ran_, "");
  }
}

TEST_F(SubcommandTest, HelpOfASubcommandInEveryWayThatPeopleAskForIt) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"count", "--help"},
                                             {"count", "a", "-h"},
                                             {"help", "count"},
                                             {"--help", "count"},
                                             {"-h", "count", "a"}}) {
    EXPECT_EQ(Run(words), 0);
    EXPECT_THAT(stdout_, StartsWith("usage: things count [options] <thing>..."));
    for (const char* part : {"Counts one by one.", "--json ", "--json-schema", "-h, --help"}) {
      EXPECT_THAT(stdout_, HasSubstr(part));
    }
    EXPECT_EQ(ran_, "");
  }
  EXPECT_EQ(Run({"help", "drop"}), 0);
  EXPECT_THAT(stdout_, Not(HasSubstr("--json")));
}

TEST_F(SubcommandTest, VersionBeforeAndBehind) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"--version"}, {"-v"}, {"-v", "count"}, {"count", "--version"}, {"count", "-v"}}) {
    EXPECT_EQ(Run(words), 0);
    EXPECT_EQ(stdout_, "things, part of ebcache v" EBCACHE_VERSION_STRING "\n");
    EXPECT_EQ(ran_, "");
  }
}

TEST_F(SubcommandTest, SchemaIsPrintedAsItIs) {
  EXPECT_EQ(Run({"count", "--json-schema"}), 0);
  EXPECT_EQ(stdout_, kSchema);
  EXPECT_EQ(ran_, "");
  ExpectUsageError({"drop", "--json-schema"},
                   "things drop: unrecognized option '--json-schema' (try things drop --help)");
}

TEST_F(SubcommandTest, WhatIsWrongIsOneLineWithThePlaceToLook) {
  ExpectUsageError({}, "things: no subcommand given (try things --help)");
  ExpectUsageError({"coutn"},
                   "things: there is no subcommand 'coutn': did you mean 'count'? (try things "
                   "--help)");
  ExpectUsageError({"hepl", "count"},
                   "things: there is no subcommand 'hepl': did you mean 'help'? (try things "
                   "--help)");
  ExpectUsageError({"scrub"}, "things: there is no subcommand 'scrub' (try things --help)");
  ExpectUsageError({""}, "things: there is no subcommand '' (try things --help)");
  ExpectUsageError({"--json", "count"}, "things: unrecognized option '--json' (try things --help)");
  ExpectUsageError({"count", "--jsno"},
                   "things count: unrecognized option '--jsno': did you mean '--json'? (try things "
                   "count --help)");
  ExpectUsageError({"help", "cuont"},
                   "things: there is no subcommand 'cuont': did you mean 'count'? (try things "
                   "--help)");
  ExpectUsageError({"--help", "nothing"},
                   "things: there is no subcommand 'nothing' (try things --help)");
  ExpectUsageError({"help", "count", "drop"},
                   "things help: one subcommand at a time (try things help --help)");
}

}  // namespace
}  // namespace ebcache::tools
