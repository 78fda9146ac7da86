// How a program ends: whatever happens, with an exit code that it documents.

#ifndef EBCACHE_TOOLS_PROGRAM_H_
#define EBCACHE_TOOLS_PROGRAM_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include "tools/command.h"

namespace ebcache::tools {

// The exit code of every program where it cannot do its work.
inline constexpr int kCannotTell = 2;

// Sees to it that all that was printed so far arrives, and says why if it does not: "cannot write
// the result: No space left on device". Remembers a failure.
absl::Status FlushStdout();

// Calls `run`, and returns what it returns, if all that it printed arrived; else kCannotTell, after
// a line on stderr that says why. Memory or threads that are not to be had end `run` that way, too.
int RunProgram(const Command& command, absl::FunctionRef<int()> run);

// What to tell users where memory has run out: which options need less.
inline constexpr char kMemoryAdvice[] =
    "try --allocator=heap, which takes no address space ahead, a smaller --memory-mib or "
    "--cache-mib, or --threads=1";

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_PROGRAM_H_
