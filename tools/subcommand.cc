#include "tools/subcommand.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/program.h"

namespace ebcache::tools {
namespace {

constexpr char kHelpSubcommand[] = "help";

std::string AboutAll(const std::string& about, const std::vector<Subcommand>& subcommands) {
  std::string text = absl::StrCat(about, "\n\nSubcommands:\n");
  for (const Subcommand& subcommand : subcommands) {
    absl::StrAppendFormat(&text, "%-25s %s\n", subcommand.name, subcommand.summary);
  }
  absl::StrAppendFormat(&text, "%-25s print the help of a subcommand", kHelpSubcommand);
  return text;
}

// The subcommands by their names.
class Registry {
 public:
  Registry(const Command& program, const std::vector<Subcommand>& subcommands)
      : program_(program), subcommands_(subcommands) {}

  // Calls `use` with that subcommand, or complains.
  template <typename Use>
  int With(const std::string& name, Use use) const {
    const auto found = std::find_if(subcommands_.begin(), subcommands_.end(),
                                    [&](const Subcommand& one) { return one.name == name; });
    if (found != subcommands_.end()) return use(*found);
    std::vector<std::string> names = {kHelpSubcommand};
    for (const Subcommand& subcommand : subcommands_) names.push_back(subcommand.name);
    return program_.UsageError(
        absl::StrCat("there is no subcommand '", name, "'", DidYouMean(name, names)));
  }

  int Run(std::vector<std::string> words) const {
    const std::string name = std::move(words.front());
    words.erase(words.begin());
    if (name == kHelpSubcommand) return RunHelp(std::move(words));
    return With(name, [&](const Subcommand& one) { return Run(one, std::move(words)); });
  }

  int PrintHelp(const std::string& name) const {
    return With(name, [&](const Subcommand& one) { return Run(one, {"--help"}); });
  }

 private:
  int Run(const Subcommand& subcommand, std::vector<std::string> arguments) const {
    Command command(absl::StrCat(program_.name(), " ", subcommand.name), subcommand.synopsis,
                    subcommand.about);
    const Subcommand::Work work = subcommand.prepare(command);
    return RunProgram(command, [&] {
      if (std::optional<int> exit_code = command.Parse(std::move(arguments))) return *exit_code;
      return work(command);
    });
  }

  int RunHelp(std::vector<std::string> arguments) const {
    Command help(absl::StrCat(program_.name(), " ", kHelpSubcommand), "[<subcommand>]",
                 "Prints the help of a subcommand; without one, that of the program");
    const std::optional<int> exit_code = help.Parse(std::move(arguments));
    if (!exit_code && help.operands().size() == 1) return PrintHelp(help.operands().front());
    return RunProgram(help, [&] {
      if (exit_code) return *exit_code;
      if (!help.operands().empty()) return help.UsageError("one subcommand at a time");
      std::fputs(program_.Help().c_str(), stdout);
      return 0;
    });
  }

  const Command& program_;
  const std::vector<Subcommand>& subcommands_;
};

}  // namespace

int RunSubcommands(const std::string& program, const std::string& about,
                   const std::vector<Subcommand>& subcommands, int argc, char** argv) {
  Command command(program, "[options] <subcommand> [options] ...", AboutAll(about, subcommands));
  command.TakeSubcommands();
  const Registry registry(command, subcommands);
  if (std::optional<int> exit_code = command.Parse(argc, argv)) {
    return RunProgram(command, [&] { return *exit_code; });
  }
  if (command.operands().empty()) return command.UsageError("no subcommand given");
  if (command.help_wanted()) return registry.PrintHelp(command.operands().front());
  return registry.Run(command.operands());
}

}  // namespace ebcache::tools
