// ebcache repair-copies: writes good copies of blocks over bad ones.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/filesystem.h"
#include "tools/command.h"
#include "tools/device_choice.h"
#include "tools/json_output.h"
#include "tools/memory_report.h"
#include "tools/program.h"
#include "tools/progress.h"
#include "tools/repair_copies/repairer.h"
#include "tools/subcommands.h"
#include "tools/verify/scrub.h"
#include "tools/writing/interrupts.h"
#include "tools/writing/write_choice.h"

namespace ebcache::tools {
namespace {

constexpr char kAbout[] =
    R"(Writes good copies of blocks over bad ones, on filesystems that keep several

Reads every copy of every block, as verify does, and then, after a question, writes to the btrfs
filesystem on the devices (image files or block devices, all of one filesystem, not mounted): a good
copy over each that is bad. Blocks of which no copy is good, and superblocks, stay as they are. Nothing
is written with --preview.

Exit code: 0 every copy is good, now or before; 1 some are not, or with --preview some are bad; 2
cannot tell, it cannot be done, or the command line is wrong.)";

struct Options {
  bool json = false;
  WriteChoice writing;
};

struct Report {
  Superblock superblock;
  uint64_t blocks = 0;
  uint64_t read_copies = 0;
  uint64_t bad_copies = 0;
  uint64_t lost_blocks = 0;
  uint64_t not_read = 0;
  std::vector<RepairedCopy> copies;  // bad ones, as many as are remembered
  std::vector<std::string> superblocks;
  bool interrupted = false;
  absl::Status status;
  double elapsed_s = 0;

  uint64_t repaired() const {
    return static_cast<uint64_t>(std::count_if(
        copies.begin(), copies.end(), [](const RepairedCopy& copy) { return copy.repaired; }));
  }
  uint64_t repairable() const {
    return static_cast<uint64_t>(std::count_if(
        copies.begin(), copies.end(),
        [](const RepairedCopy& copy) { return copy.damaged.good_mirror.has_value(); }));
  }
};

absl::StatusOr<Report> Look(const Command& command, const Options& options, Progress& progress) {
  LostCopies lost;
  FilesystemOptions opening;
  opening.cache.budget_bytes = options.writing.cache_bytes();
  opening.on_damage = [&lost](const MirrorDamage& copy) { lost.Note(copy); };
  const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      DeviceChoice{}.Open(command, command.operands(), std::move(opening));
  if (!filesystem.ok()) return filesystem.status();
  const ScrubReport scrub = Scrub(**filesystem, lost, progress);
  ComplainOfNotices(command, (*filesystem)->volume());
  Report report;
  report.superblock = (*filesystem)->superblock();
  report.blocks = scrub.blocks;
  report.read_copies = scrub.totals.read;
  report.bad_copies = scrub.totals.damaged;
  report.lost_blocks = scrub.lost_count();
  report.not_read = scrub.totals.missing + scrub.totals.no_memory + scrub.lost.unread_count();
  report.superblocks = scrub.superblocks;
  for (const DamagedCopy& copy : scrub.damaged) report.copies.push_back({.damaged = copy});
  return report;
}

// Between the look and the lock another program may have written.
bool IsStillThat(const Superblock& now, const Superblock& before) {
  return now.fsid == before.fsid && now.generation == before.generation &&
         now.log_root == before.log_root;
}

absl::Status Repair(const Command& command, const Options& options, Progress& progress,
                    Report& report) {
  std::optional<HeldInterrupts> interrupts(std::in_place);  // before any thread there is
  const auto plan = [&](Filesystem&) -> absl::StatusOr<std::string> {
    const uint64_t count = report.repairable();
    return absl::StrCat("write good copies over ", count, count == 1 ? " bad one" : " bad ones");
  };
  const absl::StatusOr<std::unique_ptr<WriteTarget>> target =
      options.writing.Open(command.operands(), plan);
  if (!target.ok()) return target.status();
  Filesystem& filesystem = (*target)->filesystem();
  if (!IsStillThat(filesystem.superblock(), report.superblock)) {
    return absl::FailedPreconditionError(
        "nothing was repaired: another program has written to the filesystem meanwhile");
  }
  return RepairCopies(
      filesystem,
      [&](uint64_t done) {
        progress.Update(done, "copies", "repairing");
        report.interrupted = interrupts->pending();
        return report.interrupted;
      },
      report.copies);
}

Json CopiesJson(const Report& report) {
  Json copies = Json::array();
  for (const RepairedCopy& one : report.copies) {
    const DamagedCopy& damaged = one.damaged;
    copies.push_back({{"logical", damaged.copy.logical},
                      {"mirror", damaged.copy.mirror},
                      {"device_id", damaged.copy.place.device_id},
                      {"device", damaged.copy.device},
                      {"physical", damaged.copy.place.offset},
                      {"tree", damaged.tree},
                      {"level", damaged.level},
                      {"reason", damaged.copy.reason},
                      {"good_mirror", damaged.good_mirror.value_or(0)},
                      {"repaired", one.repaired},
                      {"error", one.why_not.empty() ? Json(nullptr) : Json(one.why_not)}});
  }
  return copies;
}

void PrintJsonReport(const Report& report, bool preview) {
  const bool ok = report.status.ok();
  PrintJson({{"preview", preview},
             {"fsid", UuidString(report.superblock.fsid)},
             {"node_bytes", report.superblock.node_bytes},
             {"interrupted", report.interrupted},
             {"error", ok ? Json(nullptr) : Json(std::string(report.status.message()))},
             {"blocks", report.blocks},
             {"read_copies", report.read_copies},
             {"bad_copies", report.bad_copies},
             {"repairable_copies", report.repairable()},
             {"repaired_copies", report.repaired()},
             {"lost_blocks", report.lost_blocks},
             {"not_read", report.not_read},
             {"elapsed_s", report.elapsed_s},
             {"peak_rss_bytes", PeakRssBytes()},
             {"copies", CopiesJson(report)},
             {"superblocks", report.superblocks}});
}

void PrintText(const Report& report, bool preview) {
  for (const RepairedCopy& one : report.copies) {
    const char* const fate = one.repaired                     ? "repaired"
                             : !one.damaged.good_mirror       ? "lost"
                             : preview || one.why_not.empty() ? "repairable"
                                                              : "not repaired";
    std::printf("%s: %s%s%s\n", fate, one.damaged.ToString().c_str(),
                one.why_not.empty() ? "" : ": ", one.why_not.c_str());
  }
  for (const std::string& line : report.superblocks) std::printf("superblock: %s\n", line.c_str());
  std::printf("%" PRIu64 " blocks, %" PRIu64 " copies of them read: %" PRIu64 " bad, %" PRIu64
              " can be repaired, %" PRIu64 " repaired; %" PRIu64 " blocks lost\n",
              report.blocks, report.read_copies, report.bad_copies, report.repairable(),
              report.repaired(), report.lost_blocks);
}

int Run(const Command& command, const Options& options) {
  Progress progress;
  absl::StatusOr<Report> report = Look(command, options, progress);
  if (!report.ok()) return ComplainOfOpening(command, report.status());
  const bool preview = options.writing.wants_preview();
  if (!preview && report->repairable() > 0) {
    report->status = Repair(command, options, progress, *report);
  }
  progress.Clear();
  report->elapsed_s = progress.elapsed_s();
  if (!report->status.ok() && report->repaired() == 0) {
    return ComplainOfOpening(command, report->status);
  }
  options.json ? PrintJsonReport(*report, preview) : PrintText(*report, preview);
  if (!report->status.ok()) return ComplainOfOpening(command, report->status);
  if (report->interrupted) command.Complain("interrupted: not all was done");
  if (!report->superblocks.empty()) {
    command.Complain("superblocks are not repaired by this: each commit writes all of them");
  }
  const bool good = report->bad_copies == report->repaired() && report->lost_blocks == 0 &&
                    report->superblocks.empty();
  if (!good) return kNotWholly;
  return report->not_read > 0 ? kCannotTell : kWritten;
}

Subcommand::Work Prepare(Command& command) {
  const auto options = std::make_shared<Options>();
  command.AddFlag("preview", "say what is bad, and change nothing", &options->writing.preview);
  command.AddFlag("yes", "go on without asking", &options->writing.yes);
  command.AddNumber("cache-mib", "budget of the cache in MiB (default 64)", 1 << 20,
                    &options->writing.cache_mib);
  command.AddText("undo", "is refused: a bad copy that was written over is gone",
                  &options->writing.undo_file);
  command.AddJson("print JSON", JsonSchema("repair-copies"), &options->json);
  return [options](const Command& parsed) {
    if (parsed.operands().empty()) return parsed.UsageError("no device given");
    if (!options->writing.undo_file.empty()) {
      return parsed.UsageError("bad copies are written over in their places: there is no --undo");
    }
    EnterDirectoryOfCaller();
    return Run(parsed, *options);
  };
}

}  // namespace

Subcommand RepairCopies() {
  return {.name = "repair-copies",
          .summary = "write good copies of blocks over bad ones",
          .synopsis = "[options] <device> [<device> ...]",
          .about = kAbout,
          .prepare = Prepare};
}

}  // namespace ebcache::tools
