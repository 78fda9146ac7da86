// ebcache verify: an offline scrub of the metadata of a btrfs filesystem.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>

#include "ebcache/filesystem.h"
#include "tools/command.h"
#include "tools/device_choice.h"
#include "tools/json_output.h"
#include "tools/program.h"
#include "tools/progress.h"
#include "tools/recording.h"
#include "tools/subcommands.h"
#include "tools/verify/report.h"
#include "tools/verify/scrub.h"

namespace ebcache::tools {
namespace {

constexpr char kAbout[] =
    R"(Reads and verifies every copy of every block: an offline scrub of metadata

Reads the metadata of the btrfs filesystem on the devices (image files or block devices, all of one
filesystem, not mounted): every copy of every block of every tree, on every device, and every copy
of the superblock. Prints each copy that is damaged, with its address, where it is, what is wrong
with it, and whether another copy is good. Writes nothing to the devices.

Exit code: 0 clean; 1 damage; 2 cannot tell: the filesystem cannot be opened or is mounted, or
nothing is wrong with what could be read but a device is missing or memory is short, or the result
cannot be written, or the command line is wrong.)";

enum ExitCode { kClean = 0, kDamage = 1 };

struct Options {
  bool json = false;
  uint64_t cache_mib = 64;
  DeviceChoice devices;
  ReadingChoice reading;
  std::shared_ptr<Recording> recording = std::make_shared<Recording>();
};

int Judge(const Command& command, const Options& options, const ScrubReport& report) {
  if (!report.damage()) return report.incomplete() ? kCannotTell : kClean;
  const absl::Status unused = options.devices.CheckStillUnused(command.operands());
  if (unused.ok()) return kDamage;
  command.Complain(unused.message());
  return kCannotTell;
}

int Run(const Command& command, const Options& options) {
  LostCopies lost;
  Progress progress;
  if (const absl::Status begun = options.recording->Begin(); !begun.ok()) {
    command.Complain(begun.message());
    return kCannotTell;
  }
  const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      options.devices.Open(command, command.operands(),
                           {.cache = {.budget_bytes = options.cache_mib << 20,
                                      .on_access = options.recording->on_access()},
                            .on_damage = [&](const MirrorDamage& copy) { lost.Note(copy); },
                            .device = options.reading.device()});
  if (!filesystem.ok()) return ComplainOfOpening(command, filesystem.status());
  const std::unique_ptr<Readahead> readahead =
      options.reading.MakeReadahead((*filesystem)->cache());
  const ScrubReport report = Scrub(**filesystem, lost, progress, readahead.get());
  const absl::Status recorded = options.recording->End();
  options.json ? PrintScrubJson(report) : PrintScrubText(report);
  ComplainOfNotices(command, (*filesystem)->volume());
  ComplainOfUnread(command, report.lost);
  ComplainOfUnreadCopies(command, report.totals.no_memory);
  if (!recorded.ok()) command.Complain(recorded.message());
  return recorded.ok() ? Judge(command, options, report) : kCannotTell;
}

Subcommand::Work Prepare(Command& command) {
  const auto options = std::make_shared<Options>();
  command.AddJson("print JSON", JsonSchema("verify"), &options->json);
  command.AddNumber("cache-mib", "budget of the cache in MiB, 0 for none (default 64)", 1 << 20,
                    &options->cache_mib);
  options->devices.AddOptions(command);
  options->reading.AddOptions(command);
  options->recording->AddOptions(command);
  return [options](const Command& parsed) {
    if (parsed.operands().empty()) return parsed.UsageError("no device given");
    EnterDirectoryOfCaller();
    return Run(parsed, *options);
  };
}

}  // namespace

Subcommand Verify() {
  return {.name = "verify",
          .summary = "read and verify every copy of every block",
          .synopsis = "[options] <device> [<device> ...]",
          .about = kAbout,
          .prepare = Prepare};
}

}  // namespace ebcache::tools
