// cache_driver: programs out of seeds, for as long as is asked for.
//
//   --seconds=N   how long (10)
//   --seed=N      the first seed (1); the n-th program has seed N + n
//   --length=N    operations a program (400)
//
// A program that fails is made as short as it can be and still fail; that is printed, as C++. Ends
// with 0 when nothing was found, 1 when something was, 2 when asked for what it does not know.

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "tests/operations/cache_operations.h"

namespace ebcache::operations {
namespace {

constexpr char kHelp[] =
    "Runs random programs of operations on a real cache, and compares with a model of it.\n"
    "  --seconds=N   how long (10)\n"
    "  --seed=N      of the first program (1)\n"
    "  --length=N    operations of a program: 1 to 1000000 (400)\n"
    "  --help        print this and exit\n"
    "Exit code: 0 nothing found, 1 something was, 2 a wrong argument, or the result could not be "
    "written.\n";

struct Flags {
  double seconds = 10;
  uint64_t seed = 1;
  size_t length = 400;
};

// What the process that runs programs leaves for the one that started it.
struct Progress {
  uint64_t programs;
  double seconds;
};

void RunForAWhile(const Flags& flags, Progress* progress) {
  const auto begin = std::chrono::steady_clock::now();
  const bool terminal = isatty(STDERR_FILENO) != 0;
  while (progress->seconds < flags.seconds) {
    RunProgram(FromSeed(flags.seed + progress->programs, flags.length));
    ++progress->programs;
    progress->seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (terminal && progress->programs % 64 == 0) {
      std::fprintf(stderr, "\r%.0f s, %llu programs", progress->seconds,
                   static_cast<unsigned long long>(progress->programs));
    }
  }
}

// Whether `body` ends its process in another way than by coming to its end.
template <typename Body>
bool Dies(bool quiet, Body body) {
  const pid_t child = fork();
  if (child == 0) {
    if (quiet && std::freopen("/dev/null", "w", stderr) == nullptr) _exit(0);
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

// Leaves out whatever can be left out, larger pieces first.
Program Shorten(Program program) {
  for (size_t piece = program.operations.size(); piece > 0; piece /= 2) {
    for (size_t at = 0; at + piece <= program.operations.size();) {
      Program shorter = program;
      const auto from = shorter.operations.begin() + static_cast<long>(at);
      shorter.operations.erase(from, from + static_cast<long>(piece));
      if (Dies(/*quiet=*/true, [&] { RunProgram(shorter); })) {
        program = shorter;
      } else {
        at += piece;
      }
    }
  }
  return program;
}

int Drive(const Flags& flags) {
  void* const memory =
      mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 2;
  auto* const progress = static_cast<Progress*>(memory);
  const bool died = Dies(/*quiet=*/false, [&] { RunForAWhile(flags, progress); });
  if (died) {
    const uint64_t seed = flags.seed + progress->programs;
    std::fprintf(stderr, "seed %llu fails; as short as it gets:\n",
                 static_cast<unsigned long long>(seed));
    const Program shortest = Shorten(FromSeed(seed, flags.length));
    (void)Dies(/*quiet=*/false, [&] { RunProgram(shortest); });
    return 1;
  }
  std::printf("%llu programs, %llu operations, %.1f s, seeds %llu to %llu: nothing found\n",
              static_cast<unsigned long long>(progress->programs),
              static_cast<unsigned long long>(progress->programs * flags.length), progress->seconds,
              static_cast<unsigned long long>(flags.seed),
              static_cast<unsigned long long>(flags.seed + progress->programs - 1));
  return 0;
}

// `result`, if all that was printed arrived.
int Finish(int result) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return result;
  std::fprintf(stderr, "cache_driver: cannot write the result: %s\n", std::strerror(errno));
  return 2;
}

int Main(int count, char** arguments) {
  Flags flags;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    bool good = true;
    // A whole number, or a time in seconds; nothing else behind it.
    const auto number = [&](std::string_view name, auto least, auto most, auto& value) {
      if (!argument.starts_with(name)) return false;
      const char* const end = argument.data() + argument.size();
      const auto parsed = std::from_chars(argument.data() + name.size(), end, value);
      good = parsed.ec == std::errc() && parsed.ptr == end && value >= least && value <= most;
      return true;
    };
    if (argument == "--help") {
      std::fputs(kHelp, stdout);
      return Finish(0);
    }
    if (!number("--seconds=", 0.001, 1e9, flags.seconds) &&
        !number("--seed=", uint64_t{0}, ~uint64_t{0}, flags.seed) &&
        !number("--length=", size_t{1}, size_t{1'000'000}, flags.length)) {
      std::fprintf(stderr, "cache_driver: unknown argument %s; see --help\n", arguments[i]);
      return 2;
    }
    if (!good) {
      std::fprintf(stderr, "cache_driver: %s is no number that it takes; see --help\n",
                   arguments[i]);
      return 2;
    }
  }
  return Finish(Drive(flags));
}

}  // namespace
}  // namespace ebcache::operations

int main(int count, char** arguments) { return ebcache::operations::Main(count, arguments); }
