// The subcommands of ebcache. Each is defined in the directory of its name.

#ifndef EBCACHE_TOOLS_SUBCOMMANDS_H_
#define EBCACHE_TOOLS_SUBCOMMANDS_H_

#include <vector>

#include "tools/allocator_choice.h"
#include "tools/subcommand.h"

namespace ebcache::tools {

Subcommand Check();
Subcommand FindBlock();
Subcommand RepairCopies();
Subcommand Rewrite();
Subcommand Top(const AllocatorChoiceMaker& make_allocator_choice);
Subcommand Tune();
Subcommand TreeStats(const AllocatorChoiceMaker& make_allocator_choice);
Subcommand UndoSubcommand();
Subcommand Verify();
Subcommand ZeroLog();

// main() of a program that has all of them; returns its exit code.
int RunEbcache(const AllocatorChoiceMaker& make_allocator_choice, int argc, char** argv);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_SUBCOMMANDS_H_
