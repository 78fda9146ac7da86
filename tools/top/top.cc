// ebcache top: a live view of the extent buffer cache while trees are walked through it.

#include <absl/status/statusor.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "ebcache/filesystem.h"
#include "tools/allocator_choice.h"
#include "tools/command.h"
#include "tools/device_choice.h"
#include "tools/json_output.h"
#include "tools/program.h"
#include "tools/subcommands.h"
#include "tools/top/cache_frame.h"
#include "tools/top/cache_sample.h"
#include "tools/top/screen.h"
#include "tools/top/tree_walkers.h"

namespace ebcache::tools {
namespace {

constexpr char kAbout[] =
    R"(Shows a metadata cache at work

Walks all trees of the btrfs filesystem on the devices (image files or block devices, not mounted)
through an extent buffer cache, and shows meanwhile how often a block was there already, how much of
the budget is in use, what keeps buffers from being released, and what memory looks like to the
allocator: free blocks by order, and a map with a character for each page block. On a terminal the
view is redrawn until the walks end or are interrupted; elsewhere there is a line for each interval,
and the view at the end.

Exit code: 0 the walks ended, or were interrupted, without damage; 1 blocks are lost; 2 cannot tell:
the filesystem cannot be opened, is mounted, or has blocks that cannot be read because a device is
missing or memory is short; or the result cannot be written, or the command line is wrong.)";

enum ExitCode { kGood = 0, kBlocksLost = 1 };

// Where there is no terminal, the map has this much at the most.
constexpr ScreenSize kPaper = {.columns = 96, .lines = 64};
// How long an interrupt may go unnoticed.
constexpr std::chrono::milliseconds kPatience{50};

struct Options {
  bool json = false;
  bool once = false;
  bool direct = false;
  uint64_t cache_mib = 64;
  uint64_t interval_ms = 250;
  DeviceChoice devices;
  TreeWalkers::Options walks;
  std::unique_ptr<AllocatorChoice> allocator;
};

size_t MapBlocks(const ScreenSize& size) {
  const size_t lines = size.lines > kFrameLinesAboveMap ? size.lines - kFrameLinesAboveMap : 1;
  return lines * size.columns;
}

// Tells what is going on, in whichever form was asked for.
class View {
 public:
  View(const Options& options, CacheSampler& sampler, const TreeWalkers& walkers)
      : options_(options), sampler_(sampler), walkers_(walkers) {
    if (!options.json && !options.once && StdoutIsScreen()) screen_.emplace();
  }

  void Show(bool ended) {
    if (options_.once && !ended) return;
    const ScreenSize size = screen_ ? screen_->size() : kPaper;
    CacheSample sample = sampler_.Take(walkers_.counts(), MapBlocks(size));
    sample.ended = ended;
    if (options_.json) {
      Print(CacheJsonLine(sample));
    } else if (screen_) {
      screen_->Draw(CacheFrame(sample, size.columns, /*colours=*/true));
    } else if (!ended) {
      Print(CacheLine(sample));
    } else {
      for (const std::string& line : CacheFrame(sample, size.columns, false)) Print(line);
    }
  }

 private:
  static void Print(const std::string& line) {
    std::printf("%s\n", line.c_str());
    (void)FlushStdout();  // which remembers
  }

  const Options& options_;
  CacheSampler& sampler_;
  const TreeWalkers& walkers_;
  std::optional<Screen> screen_;
};

// Until the walks have ended, or are to end: interrupted, or with nowhere to print to.
void Watch(const Options& options, TreeWalkers& walkers, View& view) {
  using Clock = std::chrono::steady_clock;
  const std::chrono::milliseconds interval(options.interval_ms);
  Clock::time_point next = Clock::now() + interval;
  while (!InterruptRequested() && FlushStdout().ok()) {
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(next - Clock::now());
    if (walkers.WaitFor(std::clamp(rest, std::chrono::milliseconds(0), kPatience))) return;
    if (Clock::now() < next) continue;
    view.Show(/*ended=*/false);
    next = Clock::now() + interval;
  }
  walkers.Stop();
  while (!walkers.WaitFor(kPatience)) continue;
}

int Judge(const Command& command, const Options& options, const WalkCounts& counts) {
  if (counts.lost_blocks == 0) return counts.unread_blocks == 0 ? kGood : kCannotTell;
  const absl::Status unused = options.devices.CheckStillUnused(command.operands());
  if (unused.ok()) return kBlocksLost;
  command.Complain(unused.message());
  return kCannotTell;
}

int Run(const Command& command, const Options& options) {
  const absl::StatusOr<ChosenAllocator> allocator = options.allocator->Make();
  if (!allocator.ok()) return command.UsageError(allocator.status().message());
  const uint64_t budget_bytes = options.cache_mib << 20;
  const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      options.devices.Open(command, command.operands(),
                           {.cache = {.budget_bytes = budget_bytes, .allocator = allocator->pages},
                            .device = {.direct = options.direct}});
  if (!filesystem.ok()) return ComplainOfOpening(command, filesystem.status());
  CatchInterrupts();
  TreeWalkers walkers(**filesystem, options.walks);
  CacheSampler sampler((*filesystem)->cache(), allocator->region.get(), budget_bytes);
  {
    View view(options, sampler, walkers);
    walkers.Start();
    Watch(options, walkers, view);
    view.Show(/*ended=*/true);
  }
  ComplainOfVolume(command, (*filesystem)->volume());
  const LostBlocks lost = walkers.lost();
  ComplainOfDamage(command, lost.kept(Cause::kDamage), lost.count(Cause::kDamage), "lost blocks");
  ComplainOfUnread(command, lost);
  return Judge(command, options, walkers.counts());
}

Subcommand::Work Prepare(Command& command, std::unique_ptr<AllocatorChoice> allocator) {
  const auto options = std::make_shared<Options>();
  options->allocator = std::move(allocator);
  options->allocator->kind = "movable";
  options->allocator->memory_mib = 1024;
  command.AddJson("print a JSON object in a line for each interval", JsonSchema("top"),
                  &options->json);
  command.AddFlag("once", "only the view at the end", &options->once);
  command.AddNumber("interval-ms", "milliseconds from one view to the next (default 250)",
                    3600 * 1000, &options->interval_ms);
  command.AddNumber("passes", "how often each thread walks, 0 until interrupted (default 1)",
                    1'000'000'000, &options->walks.passes);
  command.AddNumber("threads", "threads that walk (default 1)", 256, &options->walks.threads);
  command.AddNumber("cache-mib", "budget of the cache in MiB, 0 for none (default 64)", 1 << 20,
                    &options->cache_mib);
  command.AddFlag("direct", "read past the page cache (O_DIRECT)", &options->direct);
  options->devices.AddOptions(command);
  options->allocator->AddOptions(command);
  return [options](const Command& parsed) {
    if (parsed.operands().empty()) return parsed.UsageError("no device given");
    if (options->walks.threads == 0) return parsed.UsageError("--threads needs one at least");
    if (options->interval_ms == 0) return parsed.UsageError("--interval-ms needs one at least");
    EnterDirectoryOfCaller();
    return Run(parsed, *options);
  };
}

}  // namespace

Subcommand Top(const AllocatorChoiceMaker& make_allocator_choice) {
  return {.name = "top",
          .summary = "a live view of the cache during long walks",
          .synopsis = "[options] <device> [<device> ...]",
          .about = kAbout,
          .prepare = [=](Command& command) { return Prepare(command, make_allocator_choice()); }};
}

}  // namespace ebcache::tools
