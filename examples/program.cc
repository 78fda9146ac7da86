#include "examples/program.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <new>
#include <system_error>

namespace ebcache::examples {
namespace {

// Of the first write that failed; the next attempt may have nothing left to write.
int first_error = 0;

// What operator new calls when there is no memory, on whichever thread: mimalloc's would abort
// where nothing was set. Says so without asking for any, and ends the program.
void EndWithoutMemory() {
  constexpr char kWords[] = ": out of memory: ";
  for (const absl::string_view part :
       {absl::string_view(program_invocation_short_name), absl::string_view(kWords),
        absl::string_view(kMemoryAdvice), absl::string_view("\n")}) {
    if (write(STDERR_FILENO, part.data(), part.size()) < 0) break;
  }
  _exit(kCannotTell);
}

// Before any object of the program is made, which may take memory.
__attribute__((constructor(101))) void SetMemoryHandler() {
  std::set_new_handler(EndWithoutMemory);
}

int RunCatching(const CommandLine& line, absl::FunctionRef<int()> run) {
  try {
    return run();
  } catch (const std::bad_alloc&) {
    line.Complain(absl::StrCat("out of memory: ", kMemoryAdvice));
  } catch (const std::system_error& error) {
    line.Complain(absl::StrCat("cannot start a thread: ", error.what(), ": ", kMemoryAdvice));
  }
  return kCannotTell;
}

}  // namespace

absl::Status FlushStdout() {
  errno = 0;
  const bool failed = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  if (failed && first_error == 0) first_error = errno != 0 ? errno : EIO;
  if (first_error == 0) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("cannot write the result: ", std::generic_category().message(first_error)));
}

int RunProgram(const CommandLine& line, absl::FunctionRef<int()> run) {
  const int exit_code = RunCatching(line, run);
  const absl::Status written = FlushStdout();
  if (written.ok()) return exit_code;
  line.Complain(absl::string_view(written.message()));
  return kCannotTell;
}

}  // namespace ebcache::examples
