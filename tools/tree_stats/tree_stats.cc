// ebcache tree-stats: walks and verifies every tree of a btrfs filesystem, and counts.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "ebcache/filesystem.h"
#include "tools/allocator_choice.h"
#include "tools/command.h"
#include "tools/damage.h"
#include "tools/device_choice.h"
#include "tools/json_output.h"
#include "tools/memory_report.h"
#include "tools/program.h"
#include "tools/progress.h"
#include "tools/recording.h"
#include "tools/subcommands.h"
#include "tools/tree_counts.h"
#include "tools/tree_stats/report.h"

namespace ebcache::tools {
namespace {

constexpr char kAbout[] =
    R"(Counts and verifies every tree of a btrfs filesystem

Reads the metadata of the filesystem on the devices (image files or block devices, all of one
filesystem) through an extent buffer cache, verifies every block, and prints how many blocks and
items each tree has.

Exit code: 0 all blocks are good, or were recovered through another copy; 1 blocks are lost;
2 cannot tell: the filesystem cannot be opened, is mounted, or has blocks that cannot be read
because a device is missing or memory is short; or the result cannot be written, or the command
line is wrong.)";

enum ExitCode { kAllGood = 0, kBlocksLost = 1 };

struct Options {
  bool json = false;
  uint64_t cache_mib = 256;
  DeviceChoice devices;
  std::unique_ptr<AllocatorChoice> allocator;
  ReadingChoice reading;
  std::shared_ptr<Recording> recording = std::make_shared<Recording>();

  uint64_t budget_bytes() const { return cache_mib << 20; }
};

int Judge(const Command& command, const Options& options, const DamageLog& damage) {
  if (damage.lost_count() == 0) return damage.lost().unread_count() == 0 ? kAllGood : kCannotTell;
  const absl::Status unused = options.devices.CheckStillUnused(command.operands());
  if (unused.ok()) return kBlocksLost;
  command.Complain(unused.message());
  return kCannotTell;
}

int Run(const Command& command, const Options& options) {
  const absl::StatusOr<ChosenAllocator> allocator = options.allocator->Make();
  if (!allocator.ok()) return command.UsageError(allocator.status().message());
  DamageLog damage;
  Progress progress;
  if (const absl::Status begun = options.recording->Begin(); !begun.ok()) {
    command.Complain(begun.message());
    return kCannotTell;
  }
  const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = options.devices.Open(
      command, command.operands(),
      {.cache = {.budget_bytes = options.budget_bytes(),
                 .on_access = options.recording->on_access(),
                 .allocator = allocator->pages},
       .on_damage = [&](const MirrorDamage& mirror) { damage.NoteMirror(mirror); },
       .device = options.reading.device()});
  if (!filesystem.ok()) return ComplainOfOpening(command, filesystem.status());

  const std::unique_ptr<Readahead> readahead =
      options.reading.MakeReadahead((*filesystem)->cache());
  TreeStatsReport report{.filesystem = **filesystem, .damage = damage};
  report.counts = CountTrees(**filesystem, damage, progress, readahead.get());
  report.cache_budget_bytes = options.budget_bytes();
  report.elapsed_s = progress.elapsed_s();
  report.peak_rss_bytes = PeakRssBytes();
  progress.Clear();
  const absl::Status recorded = options.recording->End();

  options.json ? PrintStatsJson(report) : PrintStatsText(report);
  ComplainOfVolume(command, (*filesystem)->volume());
  ComplainOfDamage(command, damage.recovered(), damage.recovered_count(), "recovered blocks");
  ComplainOfDamage(command, damage.lost().kept(Cause::kDamage), damage.lost_count(), "lost blocks");
  ComplainOfUnread(command, damage.lost());
  if (!recorded.ok()) command.Complain(recorded.message());
  return recorded.ok() ? Judge(command, options, damage) : kCannotTell;
}

Subcommand::Work Prepare(Command& command, std::unique_ptr<AllocatorChoice> allocator) {
  const auto options = std::make_shared<Options>();
  options->allocator = std::move(allocator);
  command.AddJson("print JSON", JsonSchema("tree-stats"), &options->json);
  command.AddNumber("cache-mib", "budget of the cache in MiB, 0 for none (default 256)", 1 << 20,
                    &options->cache_mib);
  options->devices.AddOptions(command);
  options->reading.AddOptions(command);
  options->recording->AddOptions(command);
  options->allocator->AddOptions(command);
  return [options](const Command& parsed) {
    if (parsed.operands().empty()) return parsed.UsageError("no device given");
    EnterDirectoryOfCaller();
    return Run(parsed, *options);
  };
}

}  // namespace

Subcommand TreeStats(const AllocatorChoiceMaker& make_allocator_choice) {
  return {.name = "tree-stats",
          .summary = "count and verify every tree",
          .synopsis = "[options] <device> [<device> ...]",
          .about = kAbout,
          .prepare = [=](Command& command) { return Prepare(command, make_allocator_choice()); }};
}

}  // namespace ebcache::tools
