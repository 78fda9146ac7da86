// cachetop: a live view of the extent buffer cache while trees are walked through it.

#include <absl/status/statusor.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "ebcache/filesystem.h"
#include "examples/allocator_choice.h"
#include "examples/cache_frame.h"
#include "examples/cache_sample.h"
#include "examples/command_line.h"
#include "examples/device_choice.h"
#include "examples/program.h"
#include "examples/screen.h"
#include "examples/tree_walkers.h"

namespace ebcache::examples {
namespace {

constexpr char kAbout[] =
    "Shows a metadata cache at work\n"
    "\n"
    "Walks all trees of the btrfs filesystem on the devices (image files or block devices, not\n"
    "mounted) through an extent buffer cache, and shows meanwhile how often a block was there\n"
    "already, how much of the budget is in use, what keeps buffers from being released, and what\n"
    "memory looks like to the allocator: free blocks by order, and a map with a character for "
    "each\n"
    "page block. On a terminal the view is redrawn until the walks end or are interrupted;\n"
    "elsewhere there is a line for each interval, and the view at the end.\n"
    "\n"
    "Exit code: 0 the walks ended, or were interrupted, without damage; 1 blocks are lost; 2 "
    "cannot\n"
    "tell: the filesystem cannot be opened, is mounted, or has blocks that cannot be read because "
    "a\n"
    "device is missing or memory is short; or the result cannot be written, or the command line "
    "is\n"
    "wrong.";

enum ExitCode { kGood = 0, kBlocksLost = 1 };

// Where nobody watches, the map has this much at the most.
constexpr ScreenSize kPaper = {.columns = 96, .lines = 64};
// How long an interrupt may go unnoticed.
constexpr std::chrono::milliseconds kPatience{50};

struct Flags {
  bool json = false;
  bool once = false;
  bool direct = false;
  uint64_t cache_mib = 64;
  uint64_t interval_ms = 250;
  DeviceChoice devices;
  TreeWalkers::Options walks;
  AllocatorChoice allocator{.kind = "movable", .memory_mib = 1024};
};

size_t MapBlocks(const ScreenSize& size) {
  const size_t lines = size.lines > kFrameLinesAboveMap ? size.lines - kFrameLinesAboveMap : 1;
  return lines * size.columns;
}

// Tells what is going on, in whichever form was asked for.
class View {
 public:
  View(const Flags& flags, CacheSampler& sampler, const TreeWalkers& walkers)
      : flags_(flags), sampler_(sampler), walkers_(walkers) {
    if (!flags.json && !flags.once && StdoutIsScreen()) screen_.emplace();
  }

  void Show(bool ended) {
    if (flags_.once && !ended) return;
    const ScreenSize size = screen_ ? screen_->size() : kPaper;
    CacheSample sample = sampler_.Take(walkers_.counts(), MapBlocks(size));
    sample.ended = ended;
    if (flags_.json) {
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

  const Flags& flags_;
  CacheSampler& sampler_;
  const TreeWalkers& walkers_;
  std::optional<Screen> screen_;
};

// Until the walks have ended, or are to end: interrupted, or with nowhere to print to.
void Watch(const Flags& flags, TreeWalkers& walkers, View& view) {
  using Clock = std::chrono::steady_clock;
  const std::chrono::milliseconds interval(flags.interval_ms);
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

int Judge(const CommandLine& line, const Flags& flags, const WalkCounts& counts) {
  if (counts.lost_blocks == 0) return counts.unread_blocks == 0 ? kGood : kCannotTell;
  const absl::Status unused = flags.devices.CheckStillUnused(line.operands());
  if (unused.ok()) return kBlocksLost;
  line.Complain(unused.message());
  return kCannotTell;
}

int Run(const CommandLine& line, const Flags& flags) {
  const absl::StatusOr<ChosenAllocator> allocator = MakeAllocator(flags.allocator);
  if (!allocator.ok()) return line.UsageError(allocator.status().message());
  const uint64_t budget_bytes = flags.cache_mib << 20;
  const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      flags.devices.Open(line, line.operands(),
                         {.cache = {.budget_bytes = budget_bytes, .allocator = allocator->pages},
                          .device = {.direct = flags.direct}});
  if (!filesystem.ok()) return ComplainOfOpening(line, filesystem.status());
  CatchInterrupts();
  TreeWalkers walkers(**filesystem, flags.walks);
  CacheSampler sampler((*filesystem)->cache(), allocator->region.get(), budget_bytes);
  {
    View view(flags, sampler, walkers);
    walkers.Start();
    Watch(flags, walkers, view);
    view.Show(/*ended=*/true);
  }
  ComplainOfVolume(line, (*filesystem)->volume());
  const LostBlocks lost = walkers.lost();
  ComplainOfDamage(line, lost.kept(Cause::kDamage), lost.count(Cause::kDamage), "lost blocks");
  ComplainOfUnread(line, lost);
  return Judge(line, flags, walkers.counts());
}

int Main(int argc, char** argv) {
  Flags flags;
  CommandLine line("cachetop", "[options] <device> [<device> ...]", kAbout);
  line.AddFlag("json", "print a JSON object in a line for each interval", &flags.json);
  line.AddFlag("once", "only the view at the end", &flags.once);
  line.AddFlag("interval-ms", "milliseconds from one view to the next (default 250)", 3600 * 1000,
               &flags.interval_ms);
  line.AddFlag("passes", "how often each thread walks, 0 until interrupted (default 1)",
               1'000'000'000, &flags.walks.passes);
  line.AddFlag("threads", "threads that walk (default 1)", 256, &flags.walks.threads);
  line.AddFlag("cache-mib", "budget of the cache in MiB, 0 for none (default 64)", 1 << 20,
               &flags.cache_mib);
  line.AddFlag("direct", "read past the page cache (O_DIRECT)", &flags.direct);
  flags.devices.AddFlags(line);
  flags.allocator.AddFlags(line);
  return RunProgram(line, [&] {
    if (std::optional<int> exit_code = line.Parse(argc, argv)) return *exit_code;
    if (line.operands().empty()) return line.UsageError("no device given");
    if (flags.walks.threads == 0) return line.UsageError("--threads needs one at least");
    if (flags.interval_ms == 0) return line.UsageError("--interval-ms needs one at least");
    EnterDirectoryOfCaller();
    return Run(line, flags);
  });
}

}  // namespace
}  // namespace ebcache::examples

int main(int argc, char** argv) { return ebcache::examples::Main(argc, argv); }
