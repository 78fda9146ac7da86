// interleave: runs small programs on the real cache through their interleavings. See docs/races.md,
// and --help.

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/model/canaries.h"
#include "tests/model/programs.h"
#include "tests/model/runner.h"
#include "tests/model/weakening_sweep.h"

namespace ebcache::model {

std::vector<Program> AllPrograms() {
  std::vector<Program> programs;
  AddScenarios(programs);
  AddWritePrograms(programs);
  AddTransactionPrograms(programs);
  AddPortPrograms(programs);
  AddSourcePrograms(programs);
  AddOwnScenarios(programs);
  AddAllocatorPrograms(programs);
  AddRegionPrograms(programs);
  AddBackgroundPrograms(programs);
  AddReadaheadPrograms(programs);
  AddCombinations(programs);
  return programs;
}

namespace {

constexpr const char* kHelp =
    "Runs small programs on the real cache through their interleavings.\n"
    "  --quick            the selection that belongs to the tests (the default)\n"
    "  --all              every program, with the table\n"
    "  --canaries         every planted bug must be caught (//tests/model:mutants)\n"
    "  --list             names of programs and of planted bugs\n"
    "  --program=NAME     one program\n"
    "  --weak             loads may read older stores, as far as the memory orders allow\n"
    "  --weaken           each memory order of the library made weaker by a step, one at a time: a program must\n"
    "                     notice; with --all all programs are asked\n"
    "  --weaken=PART      those whose name has that in it\n"
    "  --sites            where memory orders stand that programs come by\n"
    "  --plant=BUG        with a planted bug (//tests/model:mutants)\n"
    "  --replay=NAME:0012 one order, and what happens in it\n"
    "  --seed=N           first seed of the random orders (1)\n"
    "  --unreduced        without the reduction: bounded and random orders only\n"
    "  --processes=N      at a time: 1 to 1024 (2)\n"
    "  --effort=N         N times as many orders where programs are cut short: 1 to 1000000 (1)\n"
    "  --help             print this and exit\n"
    "Exit code: 0 all is well, 1 something was found (or a canary survived), 2 asked for what is "
    "not\n"
    "known, or the result could not be written.\n";

bool IsCanary(const std::string& bug) {
  for (const Canary& canary : Canaries()) {
    if (bug == canary.bug) return true;
  }
  return false;
}

struct Flags {
  bool all = false;
  bool canaries = false;
  bool help = false;
  bool list = false;
  bool unreduced = false;
  bool weak = false;
  bool weaken = false;
  bool sites = false;
  std::string weaken_only;
  std::string program;
  std::string replay;
  std::string plant;
  uint64_t seed = 1;
  uint64_t effort = 1;
  uint64_t processes = 2;
};

// A whole number of this range, or nothing, which is said.
std::optional<uint64_t> ParseNumber(std::string_view option, std::string_view text, uint64_t least,
                                    uint64_t most) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= least &&
      number <= most) {
    return number;
  }
  std::fprintf(stderr, "interleave: %.*s wants a number from %llu to %llu\n",
               static_cast<int>(option.size() - 1), option.data(),
               static_cast<unsigned long long>(least), static_cast<unsigned long long>(most));
  return std::nullopt;
}

// Whether what was asked for can be had together; if not, that is said.
bool GoTogether(const Flags& flags) {
  const int ways =
      flags.all + flags.canaries + flags.list + !flags.program.empty() + !flags.replay.empty();
  if (ways > 1) {
    std::fprintf(
        stderr, "interleave: one of --all, --canaries, --list, --program and --replay at a time\n");
    return false;
  }
  if (flags.canaries && !flags.plant.empty()) {
    std::fprintf(stderr, "interleave: --canaries plants each bug by itself\n");
    return false;
  }
  if (!flags.plant.empty() && !IsCanary(flags.plant)) {
    std::fprintf(stderr, "interleave: no bug of the name \"%s\" to plant; see --list\n",
                 flags.plant.c_str());
    return false;
  }
  if (flags.weaken && !flags.plant.empty()) {
    std::fprintf(stderr, "interleave: --weaken has no planted bugs\n");
    return false;
  }
  return true;
}

std::optional<Flags> Parse(int count, char** arguments) {
  Flags flags;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    const auto value = [&](std::string_view name) -> const char* {
      return argument.starts_with(name) ? arguments[i] + name.size() : nullptr;
    };
    if (argument == "--quick") continue;
    if (argument == "--help") {
      flags.help = true;
    } else if (argument == "--all") {
      flags.all = true;
    } else if (argument == "--canaries") {
      flags.canaries = true;
    } else if (argument == "--unreduced") {
      flags.unreduced = true;
    } else if (argument == "--sites") {
      flags.sites = true;
    } else if (argument == "--weaken") {
      flags.weaken = true;
    } else if (const char* part = value("--weaken=")) {
      flags.weaken = true;
      flags.weaken_only = part;
    } else if (argument == "--weak") {
      flags.weak = true;
    } else if (argument == "--list") {
      flags.list = true;
    } else if (const char* name = value("--program=")) {
      flags.program = name;
    } else if (const char* schedule = value("--replay=")) {
      flags.replay = schedule;
    } else if (const char* bug = value("--plant=")) {
      flags.plant = bug;
    } else if (const char* seed = value("--seed=")) {
      const std::optional<uint64_t> number = ParseNumber("--seed=", seed, 0, ~uint64_t{0});
      if (!number) return std::nullopt;
      flags.seed = *number;
    } else if (const char* effort = value("--effort=")) {
      const std::optional<uint64_t> number = ParseNumber("--effort=", effort, 1, 1'000'000);
      if (!number) return std::nullopt;
      flags.effort = *number;
    } else if (const char* processes = value("--processes=")) {
      const std::optional<uint64_t> number = ParseNumber("--processes=", processes, 1, 1024);
      if (!number) return std::nullopt;
      flags.processes = *number;
    } else {
      std::fprintf(stderr, "interleave: unknown argument %s; see --help\n", arguments[i]);
      return std::nullopt;
    }
  }
  if (!GoTogether(flags)) return std::nullopt;
  return flags;
}

const Program* Named(const std::vector<Program>& programs, const std::string& name) {
  for (const Program& program : programs) {
    if (program.name == name) return &program;
  }
  std::fprintf(stderr, "interleave: no program of the name \"%s\"\n", name.c_str());
  return nullptr;
}

void PrintFailure(const Program& program, const Outcome& outcome, const Flags& flags) {
  const std::string& plant = flags.plant;
  std::printf("%s: FAILED after %llu interleavings: %s\n%s  --replay='%s:%s'%s%s%s\n",
              program.name.c_str(), static_cast<unsigned long long>(outcome.interleavings),
              outcome.message.c_str(), outcome.trace.c_str(), program.name.c_str(),
              outcome.schedule.c_str(), flags.weak ? " --weak" : "", plant.empty() ? "" : " --plant=",
              plant.c_str());
}

void Progress(size_t done, size_t all, uint64_t interleavings) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::fprintf(stderr, "\r%zu of %zu, %llu interleavings%s", done, all,
               static_cast<unsigned long long>(interleavings), done == all ? "\n" : "");
}

// The table of what was explored.
int RunPrograms(const std::vector<const Program*>& programs, const Effort& effort,
                const Flags& flags) {
  const std::string& plant = flags.plant;
  std::vector<Job> jobs;
  for (const Program* program : programs) {
    jobs.push_back({.program = program,
                    .planted_bug = plant.empty() ? 0 : HashOf(plant.c_str()),
                    .effort = effort,
                    .weak = flags.weak});
  }
  uint64_t interleavings = 0;
  size_t failures = 0;
  size_t done = 0;
  size_t complete = 0;
  uint64_t stale_reads = 0;
  double seconds = 0;
  std::printf("%-46s %7s %13s %8s  %-6s  %s\n", "program", "threads", "interleavings", "time_s",
              "result", "bound");
  RunJobs(jobs, static_cast<int>(flags.processes), [&](size_t job, const Outcome& outcome) {
    const Program& program = *jobs[job].program;
    interleavings += outcome.interleavings;
    seconds += outcome.seconds;
    failures += outcome.failed;
    complete += outcome.complete;
    stale_reads += outcome.stale_reads;
    std::printf("%-46s %7zu %13llu %8.2f  %-6s  %s\n", program.name.c_str(), program.threads.size(),
                static_cast<unsigned long long>(outcome.interleavings), outcome.seconds,
                outcome.failed ? "FAILED" : "ok", outcome.bound.c_str());
    if (outcome.failed) PrintFailure(program, outcome, flags);
    Progress(++done, jobs.size(), interleavings);
  });
  std::printf(
      "%zu programs, %zu of them to the end, %llu interleavings, %.1f s of work, %zu failed\n",
      jobs.size(), complete, static_cast<unsigned long long>(interleavings), seconds, failures);
  if (flags.weak) {
    std::printf("%llu loads did not read the newest store\n", static_cast<unsigned long long>(stale_reads));
  }
  return failures == 0 ? 0 : 1;
}

int RunCanaries(const std::vector<Program>& programs, uint64_t processes) {
  std::vector<Job> jobs;
  std::vector<const Canary*> canaries;
  for (const Canary& canary : Canaries()) {
    const Program* program = Named(programs, canary.program);
    if (program == nullptr) return 2;
    Effort effort;
    effort.reduced = 10000;
    jobs.push_back(
        {.program = program, .planted_bug = HashOf(canary.bug), .effort = effort, .weak = canary.weak});
    canaries.push_back(&canary);
  }
  size_t survivors = 0;
  std::printf("%-34s %-34s %13s  %s\n", "planted bug", "program", "interleavings", "caught by");
  RunJobs(jobs, static_cast<int>(processes), [&](size_t job, const Outcome& outcome) {
    const bool caught = outcome.ended && outcome.failed;
    survivors += !caught;
    // Runs that came to their end, and the one that did not.
    std::printf("%-34s %-34s %13llu  %s\n", canaries[job]->bug, canaries[job]->program,
                static_cast<unsigned long long>(outcome.interleavings + 1),
                caught ? outcome.message.c_str() : "NOBODY: IT SURVIVED");
  });
  std::printf("%zu planted bugs, %zu survived\n", jobs.size(), survivors);
  return survivors == 0 ? 0 : 1;
}

int RunReplay(const std::vector<Program>& programs, const std::string& replay, bool weak) {
  WeakMemory::Get().on = weak;
  const size_t colon = replay.rfind(':');
  if (colon == std::string::npos) {
    std::fprintf(stderr, "interleave: --replay=NAME:SCHEDULE\n");
    return 2;
  }
  const Program* program = Named(programs, replay.substr(0, colon));
  if (program == nullptr) return 2;
  Scheduler::Get().on_failure = [&](const std::string& message) {
    std::printf("%s%s: %s\n", Scheduler::Get().Trace().c_str(), program->name.c_str(),
                message.c_str());
    std::fflush(stdout);
    _exit(1);
  };
  const Outcome outcome = Replay(*program, replay.substr(colon + 1));
  std::printf("%s%s: nothing wrong\n", outcome.trace.c_str(), program->name.c_str());
  return 0;
}

int Run(int count, char** arguments) {
  const std::optional<Flags> flags = Parse(count, arguments);
  if (!flags.has_value()) return 2;
  if (flags->help) {
    std::fputs(kHelp, stdout);
    return 0;
  }
  const std::vector<Program> programs = AllPrograms();
  if (flags->list) {
    for (const Program& program : programs) std::printf("%s\n", program.name.c_str());
    for (const Canary& canary : Canaries()) std::printf("--plant=%s\n", canary.bug);
    return 0;
  }
  if (!kArePlanted && (flags->canaries || !flags->plant.empty())) {
    std::fprintf(stderr,
                 "interleave: no bugs are planted in this program; ./bazelw run "
                 "//tests/model:mutants -- has them\n");
    return 2;
  }
  if (!flags->plant.empty()) planted_bug = HashOf(flags->plant.c_str());
  if (!flags->replay.empty()) return RunReplay(programs, flags->replay, flags->weak);
  if (flags->canaries) return RunCanaries(programs, flags->processes);
  Effort effort;
  std::vector<const Program*> chosen;
  if (!flags->program.empty()) {
    const Program* program = Named(programs, flags->program);
    if (program == nullptr) return 2;
    chosen.push_back(program);
  } else {
    for (const Program& program : programs) {
      if (flags->all || program.quick) chosen.push_back(&program);
    }
  }
  if (!flags->all && flags->program.empty()) {
    effort.reduced = 200;
    effort.bounded = 0;
    effort.random = 50;
    effort.also_random = 20;
  }
  effort.seed = flags->seed;
  effort.reduced *= flags->effort;
  effort.bounded *= flags->effort;
  effort.random *= flags->effort;
  effort.also_random *= flags->effort;
  if (flags->unreduced) effort.reduced = 0;
  if (flags->sites || flags->weaken) {
    effort.reduced = 2000 * flags->effort;
    effort.bounded = 0;
    effort.random = effort.also_random = 500 * flags->effort;
    const SweepOptions sweep{effort, static_cast<int>(flags->processes), flags->weaken_only};
    return flags->sites ? ListSites(chosen, sweep) : SweepWeakerOrders(chosen, sweep);
  }
  return RunPrograms(chosen, effort, *flags);
}

}  // namespace
}  // namespace ebcache::model

int main(int count, char** arguments) {
  const int result = ebcache::model::Run(count, arguments);
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return result;
  std::fprintf(stderr, "interleave: cannot write the result: %s\n", std::strerror(errno));
  return 2;
}
