#include "tools/program.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <system_error>

namespace ebcache::tools {
namespace {

// Of the first write that failed; the next attempt may have nothing left to write.
int first_error = 0;

// Says so without asking for any memory, on whichever thread, and ends the program.
[[noreturn]] void EndWithoutMemory() {
  constexpr char kWords[] = ": out of memory: ";
  for (const absl::string_view part :
       {absl::string_view(program_invocation_short_name), absl::string_view(kWords),
        absl::string_view(kMemoryAdvice), absl::string_view("\n")}) {
    if (write(STDERR_FILENO, part.data(), part.size()) < 0) break;
  }
  _exit(kCannotTell);
}

void* Have(void* memory) {
  if (memory == nullptr) EndWithoutMemory();
  return memory;
}

void* Aligned(size_t bytes, std::align_val_t alignment) {
  void* memory = nullptr;
  return posix_memalign(&memory, static_cast<size_t>(alignment), bytes) == 0 ? memory : nullptr;
}

int RunCatching(const Command& command, absl::FunctionRef<int()> run) {
  try {
    return run();
  } catch (const std::bad_alloc&) {
    command.Complain(absl::StrCat("out of memory: ", kMemoryAdvice));
  } catch (const std::system_error& error) {
    command.Complain(absl::StrCat("cannot start a thread: ", error.what(), ": ", kMemoryAdvice));
  }
  return kCannotTell;
}

}  // namespace

absl::Status FlushStdout() {
  errno = 0;
  const bool failed = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  // Where a large piece went out in the middle of printing, its reason is gone: one more attempt
  // has the same.
  if (failed && first_error == 0 && errno == 0) {
    if (std::fputc('\n', stdout) != EOF) std::fflush(stdout);
  }
  if (failed && first_error == 0) first_error = errno != 0 ? errno : EIO;
  if (first_error == 0) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("cannot write the result: ", std::generic_category().message(first_error)));
}

int RunProgram(const Command& command, absl::FunctionRef<int()> run) {
  const int exit_code = RunCatching(command, run);
  const absl::Status written = FlushStdout();
  if (written.ok()) return exit_code;
  command.Complain(absl::string_view(written.message()));
  return kCannotTell;
}

}  // namespace ebcache::tools

// The programs' own operator new. mimalloc's, which would stand here otherwise, aborts where there
// is no memory: it is built as C, and finds no handler that std::set_new_handler has set.
void* operator new(size_t bytes) { return ebcache::tools::Have(std::malloc(bytes)); }
void* operator new[](size_t bytes) { return operator new(bytes); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return ebcache::tools::Have(ebcache::tools::Aligned(bytes, alignment));
}
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return operator new(bytes, alignment);
}
void* operator new(size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return ebcache::tools::Aligned(bytes, alignment);
}
void* operator new[](size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return ebcache::tools::Aligned(bytes, alignment);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  std::free(memory);
}
