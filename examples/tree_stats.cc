// tree_stats: walks and verifies every tree of a btrfs filesystem, and counts.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/filesystem.h"
#include "examples/allocator_choice.h"
#include "examples/command_line.h"
#include "examples/damage_log.h"
#include "examples/device_choice.h"
#include "examples/lost_blocks.h"
#include "examples/peak_memory.h"
#include "examples/program.h"
#include "examples/progress.h"
#include "examples/reading_choice.h"
#include "examples/tree_counts.h"
#include "examples/tree_stats_report.h"

namespace ebcache::examples {
namespace {

constexpr char kAbout[] =
    "Reads the metadata of the btrfs filesystem on the devices (image files or block devices, all "
    "of\n"
    "one filesystem) through an extent buffer cache, verifies every block, and prints how many\n"
    "blocks and items each tree has.\n"
    "\n"
    "Exit code: 0 all blocks are good, or were recovered through another copy; 1 blocks are lost;\n"
    "2 cannot tell: the filesystem cannot be opened, is mounted, or has blocks that cannot be "
    "read\n"
    "because a device is missing or memory is short; or the result cannot be written, or the "
    "command\n"
    "line is wrong.";

enum ExitCode { kAllGood = 0, kBlocksLost = 1 };

struct Flags {
  bool json = false;
  uint64_t cache_mib = 256;
  DeviceChoice devices;
  AllocatorChoice allocator;
  ReadingChoice reading;

  uint64_t budget_bytes() const { return cache_mib << 20; }
};

int Judge(const CommandLine& line, const Flags& flags, const DamageLog& damage) {
  if (damage.lost_count() == 0) return damage.lost().unread_count() == 0 ? kAllGood : kCannotTell;
  const absl::Status unused = flags.devices.CheckStillUnused(line.operands());
  if (unused.ok()) return kBlocksLost;
  line.Complain(unused.message());
  return kCannotTell;
}

int Run(const CommandLine& line, const Flags& flags) {
  const absl::StatusOr<ChosenAllocator> allocator = MakeAllocator(flags.allocator);
  if (!allocator.ok()) return line.UsageError(allocator.status().message());
  DamageLog damage;
  Progress progress;
  const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = flags.devices.Open(
      line, line.operands(),
      {.cache = {.budget_bytes = flags.budget_bytes(), .allocator = allocator->pages},
       .on_damage = [&](const MirrorDamage& mirror) { damage.NoteMirror(mirror); },
       .device = flags.reading.device()});
  if (!filesystem.ok()) return ComplainOfOpening(line, filesystem.status());

  const std::unique_ptr<Readahead> readahead = flags.reading.MakeReadahead((*filesystem)->cache());
  TreeStatsReport report{.filesystem = **filesystem, .damage = damage};
  report.counts = CountTrees(**filesystem, damage, progress, readahead.get());
  report.cache_budget_bytes = flags.budget_bytes();
  report.elapsed_s = progress.elapsed_s();
  report.peak_rss_bytes = PeakRssBytes();
  progress.Clear();

  flags.json ? PrintJson(report) : PrintText(report);
  ComplainOfVolume(line, (*filesystem)->volume());
  ComplainOfDamage(line, damage.recovered(), damage.recovered_count(), "recovered blocks");
  ComplainOfDamage(line, damage.lost().kept(Cause::kDamage), damage.lost_count(), "lost blocks");
  ComplainOfUnread(line, damage.lost());
  return Judge(line, flags, damage);
}

int Main(int argc, char** argv) {
  Flags flags;
  CommandLine line("tree_stats", "[options] <device> [<device> ...]", kAbout);
  line.AddFlag("json", "print JSON", &flags.json);
  line.AddFlag("cache-mib", "budget of the cache in MiB, 0 for none (default 256)", 1 << 20,
               &flags.cache_mib);
  flags.devices.AddFlags(line);
  flags.reading.AddFlags(line);
  flags.allocator.AddFlags(line);
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
