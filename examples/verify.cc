// verify: an offline scrub of the metadata of a btrfs filesystem.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>

#include "ebcache/filesystem.h"
#include "examples/command_line.h"
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
    "Exit code: 0 clean; 1 damage; 2 cannot tell: the filesystem cannot be opened, or nothing is\n"
    "wrong with what could be read but a device is missing, or the command line is wrong.";

enum ExitCode { kClean = 0, kDamage = 1, kCannotTell = 2 };

struct Flags {
  bool json = false;
  uint64_t cache_mib = 64;
  ReadingChoice reading;
};

int Run(const CommandLine& line, const Flags& flags) {
  LostCopies lost;
  Progress progress;
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = Filesystem::Open(
      line.operands(), {.cache = {.budget_bytes = flags.cache_mib << 20},
                        .on_damage = [&](const MirrorDamage& copy) { lost.Note(copy); },
                        .device = flags.reading.device()});
  if (!filesystem.ok()) {
    line.Complain(filesystem.status().message());
    return kCannotTell;
  }
  const std::unique_ptr<Readahead> readahead = flags.reading.MakeReadahead((*filesystem)->cache());
  const ScrubReport report = Scrub(**filesystem, lost, progress, readahead.get());
  flags.json ? PrintScrubJson(report) : PrintScrubText(report);
  if (std::fflush(stdout) != 0) {
    line.Complain("cannot write the result");
    return kCannotTell;
  }
  for (const std::string& notice : (*filesystem)->volume().notices()) line.Complain(notice);
  for (const MissingDevice& device : (*filesystem)->volume().missing_devices()) {
    line.Complain(device.ToString());
  }
  if (report.damage()) return kDamage;
  return report.incomplete() ? kCannotTell : kClean;
}

int Main(int argc, char** argv) {
  Flags flags;
  CommandLine line("verify", "[options] <device> [<device> ...]", kAbout);
  line.AddFlag("json", "print JSON", &flags.json);
  line.AddFlag("cache-mib", "budget of the cache in MiB, 0 for none (default 64)", 1 << 20,
               &flags.cache_mib);
  flags.reading.AddFlags(line);
  if (std::optional<int> exit_code = line.Parse(argc, argv)) return *exit_code;
  if (line.operands().empty()) return line.UsageError("no device given");
  EnterDirectoryOfCaller();
  return Run(line, flags);
}

}  // namespace
}  // namespace ebcache::examples

int main(int argc, char** argv) { return ebcache::examples::Main(argc, argv); }
