// A program, or a subcommand of one, as its user meets it: options and operands, help, version and
// complaints. CLI11 parses; the words, and the layout of the help, are those of btrfs-progs.

#ifndef EBCACHE_TOOLS_COMMAND_H_
#define EBCACHE_TOOLS_COMMAND_H_

#include <absl/strings/string_view.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace ebcache::tools {

// Options are written --name, --name=value or --name value; "--" ends them; everything else is an
// operand. Of an option that is given twice the last value counts. Every command has -h, --help,
// and -v, --version.
//
// Thread safety: Complain from any thread; the rest belongs to one.
class Command {
 public:
  // `name` is what the user calls it by ("ebcache verify"), `synopsis` follows it in the help,
  // `about` tells what it does.
  Command(std::string name, std::string synopsis, std::string about);
  ~Command();
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // Each option is stored through `value`, which holds the default until then. What it points to
  // must outlive Parse.
  void AddFlag(const std::string& name, std::string help, bool* value);
  // A number from 0 to `most`.
  void AddNumber(const std::string& name, std::string help, uint64_t most, uint64_t* value);
  // One of several words.
  void AddChoice(const std::string& name, std::string help, std::vector<std::string> words,
                 std::string* value);
  // Any text but none; `what` names it in the help.
  void AddText(const std::string& name, std::string help, std::string* value,
               std::string what = "FILE");
  // The same, also written -x, and may be given several times: each value is added.
  void AddTexts(char short_name, const std::string& name, std::string help,
                std::vector<std::string>* values, std::string what);
  // Any text, also none.
  void AddAnyText(const std::string& name, std::string help, std::optional<std::string>* value,
                  std::string what);

  // --json, and --json-schema, which prints the schema of what the command prints with --json.
  void AddJson(std::string help, std::string_view schema, bool* value);

  // From the first operand on everything is an operand: the first names a subcommand, which has
  // options of its own. --help is left to the caller then, if there is an operand.
  void TakeSubcommands() { takes_subcommands_ = true; }

  // The exit code if the program is to end here: 0 after --help, --version and --json-schema, 2
  // after a line on stderr that says what is wrong. To be called once.
  std::optional<int> Parse(std::vector<std::string> arguments);
  // The same for a program, which goes by the name that it is installed under.
  std::optional<int> Parse(int argc, char** argv);

  const std::string& name() const { return name_; }
  const std::vector<std::string>& operands() const { return operands_; }
  bool help_wanted() const { return help_wanted_; }
  std::string Help() const;

  // Prints "NAME: message" on stderr.
  void Complain(absl::string_view message) const;
  // The same for a command line that is wrong, with a pointer to the help. Returns 2.
  int UsageError(absl::string_view message) const;

 private:
  class HelpLayout;

  // An option with a value, which goes to `store`: what is wrong with it, or nothing.
  template <typename Store>
  void AddValue(const std::string& name, std::string help, std::string type, Store store,
                char short_name = 0);
  // Puts the operands behind "--" aside, and what CLI11 would take for something else in a form
  // that it does not: what is wrong, or nothing.
  std::optional<std::string> Prepare(std::vector<std::string>& arguments);
  std::string Unrecognized(const std::string& argument) const;

  std::string name_;
  const std::string synopsis_;
  const std::string about_;
  std::string_view json_schema_;
  bool schema_wanted_ = false;
  bool takes_subcommands_ = false;
  bool help_wanted_ = false;
  std::unique_ptr<CLI::App> app_;
  std::vector<std::string> operands_;
};

// ": did you mean 'verify'?" for "verfy", if one of the words is near enough; else nothing.
std::string DidYouMean(absl::string_view word, const std::vector<std::string>& known);

// `bazel run` starts programs in a directory of its own; this goes back to where the user stands,
// so that relative paths mean what they say.
void EnterDirectoryOfCaller();

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_COMMAND_H_
