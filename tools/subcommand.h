// A program of several subcommands: `ebcache verify ...`, `ebcache help verify`.

#ifndef EBCACHE_TOOLS_SUBCOMMAND_H_
#define EBCACHE_TOOLS_SUBCOMMAND_H_

#include <functional>
#include <string>
#include <vector>

#include "tools/command.h"

namespace ebcache::tools {

// What registers a subcommand.
struct Subcommand {
  // The work, once the command line is parsed: returns the exit code.
  using Work = std::function<int(const Command&)>;

  std::string name;
  std::string summary;   // one line, for the help of the program
  std::string synopsis;  // follows the name in the subcommand's own help
  std::string about;     // what it does, and its exit codes
  // Adds options to the command. What they are stored in belongs to the work that it returns.
  std::function<Work(Command&)> prepare;
};

// Runs the subcommand that the command line names; returns the exit code of the program.
// `program` and `about` are the program's own, with no word of the subcommands.
int RunSubcommands(const std::string& program, const std::string& about,
                   const std::vector<Subcommand>& subcommands, int argc, char** argv);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_SUBCOMMAND_H_
