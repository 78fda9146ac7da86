// ebcache check: a whole filesystem against itself.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <thread>

#include "ebcache/filesystem.h"
#include "tools/check/checker.h"
#include "tools/check/report.h"
#include "tools/command.h"
#include "tools/device_choice.h"
#include "tools/json_output.h"
#include "tools/program.h"
#include "tools/progress.h"
#include "tools/subcommands.h"

namespace ebcache::tools {
namespace {

constexpr char kAbout[] =
    R"(Checks the metadata of a btrfs filesystem against itself

Reads all trees of the filesystem on the devices (image files or block devices, all of one
filesystem, not mounted) once, and holds what they say against each other: references against the
extent tree, counts against sums, space, checksums, devices, files and their names, subvolumes,
quotas. Takes the memory that it is granted, however large the filesystem is. Writes nothing.

Exit code: 0 sound; 1 something is wrong; 2 cannot tell: the filesystem cannot be opened or is
mounted, or nothing is wrong with what could be read but a device is missing or memory is short, or
the result cannot be written, or the command line is wrong.)";

enum ExitCode { kSound = 0, kDamaged = 1 };
constexpr uint64_t kLeastMemoryMib = 16;

struct Options {
  bool json = false;
  bool progress = false;
  uint64_t memory_mib = 256;
  uint64_t findings = 20;
  DeviceChoice devices;
  ReadingChoice reading;

  CheckOptions check() const {
    const uint32_t processors = std::max(1u, std::thread::hardware_concurrency());
    return {.memory_bytes = memory_mib << 20,
            .threads = reading.threads == 0 ? processors : static_cast<uint32_t>(reading.threads),
            .most_findings = findings};
  }
};

int Judge(const Command& command, const Options& options, const CheckReport& report) {
  if (!report.damaged()) return report.incomplete() ? kCannotTell : kSound;
  const absl::Status unused = options.devices.CheckStillUnused(command.operands());
  if (unused.ok()) return kDamaged;
  command.Complain(unused.message());
  return kCannotTell;
}

int Run(const Command& command, const Options& options) {
  Progress progress(options.progress);
  const CheckOptions check = options.check();
  const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = options.devices.Open(
      command, command.operands(),
      {.cache = {.budget_bytes = check.cache_bytes()}, .device = options.reading.device()});
  if (!filesystem.ok()) return ComplainOfOpening(command, filesystem.status());
  const CheckReport report = CheckFilesystem(**filesystem, check, progress);
  if (options.json) {
    PrintCheckJson(**filesystem, check, report);
  } else {
    PrintCheckText(**filesystem, report);
  }
  ComplainOfVolume(command, (*filesystem)->volume());
  ComplainOfUnread(command, report.lost);
  return Judge(command, options, report);
}

Subcommand::Work Prepare(Command& command) {
  const auto options = std::make_shared<Options>();
  command.AddJson("print JSON", JsonSchema("check"), &options->json);
  command.AddNumber("memory-mib",
                    "memory for the cache and all sums together, in MiB, at least 16 (default 256)",
                    1 << 20, &options->memory_mib);
  command.AddNumber("findings", "findings of each kind that are printed (default 20)", 1000000,
                    &options->findings);
  command.AddFlag("progress", "say how far it is on stderr, also where that is no terminal",
                  &options->progress);
  options->devices.AddOptions(command);
  options->reading.AddOptions(command);
  return [options](const Command& parsed) {
    if (parsed.operands().empty()) return parsed.UsageError("no device given");
    if (options->memory_mib < kLeastMemoryMib) {
      return parsed.UsageError("--memory-mib: at least 16");
    }
    EnterDirectoryOfCaller();
    return Run(parsed, *options);
  };
}

}  // namespace

Subcommand Check() {
  return {.name = "check",
          .summary = "hold the whole filesystem against itself",
          .synopsis = "[options] <device> [<device> ...]",
          .about = kAbout,
          .prepare = Prepare};
}

}  // namespace ebcache::tools
