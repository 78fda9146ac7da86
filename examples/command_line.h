// Flags and operands of the programs, in the manner of btrfs-progs: their words, and their layout
// of help, version and complaints.

#ifndef EBCACHE_EXAMPLES_COMMAND_LINE_H_
#define EBCACHE_EXAMPLES_COMMAND_LINE_H_

#include <absl/status/status.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace ebcache::examples {

// Flags are written --name, --name=value or --name value; "--" ends them; everything else is an
// operand. Every program has --help and --version.
class CommandLine {
 public:
  // `synopsis` follows the program's name in the help, `about` tells what the program does.
  CommandLine(std::string program, std::string synopsis, std::string about);

  // Each flag is stored through `value`, which holds the default until then. What it points to must
  // outlive Parse.
  void AddFlag(std::string name, std::string help, bool* value);
  // A number from 0 to `most`.
  void AddFlag(std::string name, std::string help, uint64_t most, uint64_t* value);
  // One of several words.
  void AddFlag(std::string name, std::string help, std::vector<std::string> words,
               std::string* value);
  // Any word; `what` names it in the help.
  void AddFlag(std::string name, std::string help, std::string* value, std::string what = "FILE");

  // The exit code if the program is to end here: 0 after --help and --version, 2 after a line on
  // stderr that says what is wrong.
  std::optional<int> Parse(int argc, char** argv);

  const std::vector<std::string>& operands() const { return operands_; }

  // Prints "PROGRAM: message" on stderr.
  void Complain(absl::string_view message) const;
  // The same for a command line that is wrong, with a pointer to the help. Returns 2.
  int UsageError(absl::string_view message) const;

 private:
  struct Number {
    uint64_t* value;
    uint64_t most;
  };
  struct Word {
    std::string* value;
    std::vector<std::string> words;  // empty: any
    std::string what;                // then: what it is called
  };
  struct Flag {
    std::string name;
    std::string help;
    std::variant<bool*, Number, Word> target;
    std::string Usage() const;  // "--name=N"
  };

  // `next` is the argument behind this one, or null; `position` moves on when it is taken for the
  // value. Errors: InvalidArgument, with what to tell the user.
  absl::Status ParseFlag(absl::string_view argument, const char* next, int& position) const;
  static absl::Status Store(const Flag& flag, absl::string_view value);
  void PrintHelp() const;

  std::string program_;
  std::string synopsis_;
  std::string about_;
  std::vector<Flag> flags_;
  std::vector<std::string> operands_;
};

// `bazel run` starts programs in a directory of its own; this goes back to where the user stands,
// so that relative paths mean what they say.
void EnterDirectoryOfCaller();

}  // namespace ebcache::examples

#endif  // EBCACHE_EXAMPLES_COMMAND_LINE_H_
