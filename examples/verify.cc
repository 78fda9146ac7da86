// verify: an offline scrub of the metadata of a btrfs filesystem.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "ebcache/filesystem.h"
#include "examples/command_line.h"
#include "examples/device_choice.h"
#include "examples/program.h"
#include "examples/progress.h"
#include "examples/reading_choice.h"
#include "examples/scrub.h"
#include "examples/scrub_output.h"

namespace ebcache::examples {
namespace {

constexpr char kAbout[] =
    "Reads and verifies the metadata of the btrfs filesystem on the devices (image files or block\n"
    "devices, all of one filesystem, not mounted): every copy of every block of every tree, on\n"
    "every device, and every copy of the superblock. Prints each copy that is damaged, with its\n"
    "address, where it is, what is wrong with it, and whether another copy is good. Writes "
    "nothing\n"
    "to the devices.\n"
    "\n"
    "Exit code: 0 clean; 1 damage; 2 cannot tell: the filesystem cannot be opened or is mounted, "
    "or\n"
    "nothing is wrong with what could be read but a device is missing or memory is short, or the\n"
    "result cannot be written, or the command line is wrong.";

enum ExitCode { kClean = 0, kDamage = 1 };

struct Flags {
  bool json = false;
  uint64_t cache_mib = 64;
  DeviceChoice devices;
  ReadingChoice reading;
};

int Judge(const CommandLine& line, const Flags& flags, const ScrubReport& report) {
  if (!report.damage()) return report.incomplete() ? kCannotTell : kClean;
  const absl::Status unused = flags.devices.CheckStillUnused(line.operands());
  if (unused.ok()) return kDamage;
  line.Complain(unused.message());
  return kCannotTell;
}

int Run(const CommandLine& line, const Flags& flags) {
  LostCopies lost;
  Progress progress;
  const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      flags.devices.Open(line, line.operands(),
                         {.cache = {.budget_bytes = flags.cache_mib << 20},
                          .on_damage = [&](const MirrorDamage& copy) { lost.Note(copy); },
                          .device = flags.reading.device()});
  if (!filesystem.ok()) return ComplainOfOpening(line, filesystem.status());
  const std::unique_ptr<Readahead> readahead = flags.reading.MakeReadahead((*filesystem)->cache());
  const ScrubReport report = Scrub(**filesystem, lost, progress, readahead.get());
  flags.json ? PrintScrubJson(report) : PrintScrubText(report);
  ComplainOfNotices(line, (*filesystem)->volume());
  ComplainOfUnread(line, report.lost);
  ComplainOfUnreadCopies(line, report.totals.no_memory);
  return Judge(line, flags, report);
}

int Main(int argc, char** argv) {
  Flags flags;
  CommandLine line("verify", "[options] <device> [<device> ...]", kAbout);
  line.AddFlag("json", "print JSON", &flags.json);
  line.AddFlag("cache-mib", "budget of the cache in MiB, 0 for none (default 64)", 1 << 20,
               &flags.cache_mib);
  flags.devices.AddFlags(line);
  flags.reading.AddFlags(line);
  return RunProgram(line, [&] {
    if (std::optional<int> exit_code = line.Parse(argc, argv)) return *exit_code;
    if (line.operands().empty()) return line.UsageError("no device given");
    EnterDirectoryOfCaller();
    return Run(line, flags);
  });
}

}  // namespace
}  // namespace ebcache::examples

int main(int argc, char** argv) { return ebcache::examples::Main(argc, argv); }
