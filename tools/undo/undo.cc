// ebcache undo: goes back to what a session began with.

#include "ebcache/undo.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <cinttypes>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tools/command.h"
#include "tools/device_choice.h"
#include "tools/json_output.h"
#include "tools/memory_report.h"
#include "tools/program.h"
#include "tools/progress.h"
#include "tools/subcommands.h"
#include "tools/writing/interrupts.h"
#include "tools/writing/question.h"
#include "tools/writing/write_choice.h"
#include "tools/writing/write_target.h"

namespace ebcache::tools {
namespace {

constexpr char kAbout[] =
    R"(Goes back to what a filesystem was before a program changed it that was run with --undo

Writes to the btrfs filesystem on the devices (image files or block devices, all of one filesystem,
not mounted), after a question: the superblocks as the undo file has them, all of whose blocks are
read first. That is refused where anything else has written since, a kernel that has mounted the
filesystem among them. Whatever ends the program on the way leaves the one state or the other, and
the undo file, so that it can be done again. The file is removed at the end. With --settle the way
back is given up: the undo file is removed, and the filesystem stays as it is.

Exit code: 0 it is done, or would be; 1 it is not, or not wholly, and can be done again; 2 it cannot
be done, or the command line is wrong.)";

struct Options {
  bool json = false;
  bool settle = false;
  bool preview = false;
  bool yes = false;
  std::string file;
};

struct Report {
  UndoFileSummary file;
  std::optional<uint64_t> found_generation;  // none of --settle, which looks at no device
  UndoCounts counts;
  bool done = false;
  bool interrupted = false;
  bool begun = false;  // superblocks may be written
  absl::Status status;
  double elapsed_s = 0;
};

void PrintJsonReport(const Report& report, const Options& options) {
  const Superblock& old_state = report.file.old_state;
  const bool ok = report.status.ok();
  PrintJson({{"action", options.settle ? "settle" : "undo"},
             {"preview", options.preview},
             {"done", report.done},
             {"interrupted", report.interrupted},
             {"error", ok ? Json(nullptr) : Json(std::string(report.status.message()))},
             {"undo_file", options.file},
             {"fsid", UuidString(old_state.fsid)},
             {"label", old_state.label},
             {"generation", old_state.generation},
             {"commits", report.file.commits},
             {"found_generation",
              report.found_generation ? Json(*report.found_generation) : Json(nullptr)},
             {"read_blocks", report.counts.blocks},
             {"damaged_blocks", report.counts.damaged_blocks},
             {"elapsed_s", report.elapsed_s},
             {"peak_rss_bytes", PeakRssBytes()}});
}

void PrintText(const Report& report, const Options& options) {
  const uint64_t generation = report.file.old_state.generation;
  if (options.settle) {
    if (report.done) {
      std::printf("there is no way back to generation %" PRIu64 " any more\n", generation);
    }
    return;
  }
  std::printf("%sgeneration %" PRIu64 ", as before %" PRIu64
              " %s; the devices %s generation %" PRIu64 "\n",
              options.preview ? "preview: would go back to " : "back to ", generation,
              report.file.commits, report.file.commits == 1 ? "commit" : "commits",
              options.preview ? "have" : "had", report.found_generation.value_or(0));
  std::printf("%s%" PRIu64 " blocks of that state read in %.2f s, %" PRIu64
              " damaged, which may have been so before\n",
              options.preview ? "preview: " : "", report.counts.blocks, report.elapsed_s,
              report.counts.damaged_blocks);
}

// What is asked.
std::string Plan(const Undo& undo, const Command& command) {
  const UndoFileSummary& file = undo.file();
  return absl::StrCat("go back from generation ", undo.found_generation(), " to generation ",
                      file.old_state.generation, ", as before ", file.commits,
                      file.commits == 1 ? " commit," : " commits,", " of the ",
                      DescribeFilesystem(file.old_state, command.operands()));
}

absl::StatusOr<std::unique_ptr<Undo>> Open(const Command& command, const Options& options) {
  if (options.yes && !options.preview) {
    return Undo::Open(command.operands(), options.file, {.writable = true});
  }
  if (absl::Status unused = CheckUnused(command.operands()); !unused.ok()) return unused;
  absl::StatusOr<std::unique_ptr<Undo>> looked_at = Undo::Open(command.operands(), options.file);
  if (!looked_at.ok() || options.preview) return looked_at;
  if (absl::Status answer = Ask(Plan(**looked_at, command)); !answer.ok()) return answer;
  const uint64_t asked_about = (*looked_at)->found_generation();
  looked_at->reset();
  absl::StatusOr<std::unique_ptr<Undo>> undo =
      Undo::Open(command.operands(), options.file, {.writable = true});
  if (undo.ok() && (*undo)->found_generation() != asked_about) {
    return absl::FailedPreconditionError(
        "nothing was changed: the filesystem was, by another program, since the question");
  }
  return undo;
}

void GoBack(Undo& undo, const Options& options, Report& report) {
  const HeldInterrupts interrupts;  // before any thread there is
  Progress progress;
  report.status = undo.Check([&](uint64_t blocks, const std::string& tree) {
    progress.Update(blocks, "blocks", tree);
    report.interrupted = interrupts.pending();
    return !report.interrupted;
  });
  report.counts = undo.counts();
  report.begun = report.status.ok() && !options.preview;
  if (report.begun) {
    report.status = undo.Write();
    report.done = report.status.ok();
  }
  report.elapsed_s = progress.elapsed_s();
}

void Settle(const Options& options, Report& report) {
  if (!options.yes) {
    report.status =
        Ask(absl::StrCat("give up the way back to generation ", report.file.old_state.generation,
                         " of the ", DescribeFilesystem(report.file.old_state, {})));
  }
  if (report.status.ok()) report.status = SettleUndoFile(options.file);
  report.done = report.status.ok();
}

int Judge(const Command& command, const Report& report) {
  if (report.status.ok()) return kWritten;
  if (report.interrupted) {
    command.Complain("interrupted: nothing was changed");
    return kNotWholly;
  }
  ComplainOfOpening(command, report.status);
  return report.begun ? kNotWholly : kCannotTell;
}

int Run(const Command& command, const Options& options) {
  Report report;
  if (options.settle) {
    absl::StatusOr<UndoFileSummary> file = ReadUndoFile(options.file);
    if (!file.ok()) return ComplainOfOpening(command, file.status());
    report.file = *std::move(file);
    Settle(options, report);
  } else {
    const absl::StatusOr<std::unique_ptr<Undo>> undo = Open(command, options);
    if (!undo.ok()) return ComplainOfOpening(command, undo.status());
    report.file = (*undo)->file();
    report.found_generation = (*undo)->found_generation();
    GoBack(**undo, options, report);
  }
  if (options.json) {
    PrintJsonReport(report, options);
  } else if (report.status.ok()) {
    PrintText(report, options);
  }
  return Judge(command, report);
}

int CheckAndRun(const Command& command, const Options& options) {
  if (options.file.empty()) return command.UsageError("no undo file given: --file=FILE");
  if (options.settle && options.preview) {
    return command.UsageError("--settle has no --preview");
  }
  if (options.settle && !command.operands().empty()) {
    return command.UsageError("--settle is about the undo file alone, and takes no device");
  }
  if (!options.settle && command.operands().empty()) return command.UsageError("no device given");
  EnterDirectoryOfCaller();
  return Run(command, options);
}

Subcommand::Work Prepare(Command& command) {
  const auto options = std::make_shared<Options>();
  command.AddText("file", "the undo file, as it was given to --undo", &options->file);
  command.AddFlag("preview", "say what it goes back to and whether it may, and change nothing",
                  &options->preview);
  command.AddFlag("settle", "give the way back up; takes no <device>", &options->settle);
  command.AddFlag("yes", "go on without asking", &options->yes);
  command.AddJson("print JSON", JsonSchema("undo"), &options->json);
  return [options](const Command& parsed) { return CheckAndRun(parsed, *options); };
}

}  // namespace

Subcommand UndoSubcommand() {
  return {.name = "undo",
          .summary = "go back to what a filesystem was before it was changed with --undo",
          .synopsis = "[options] --file=FILE [<device> ...]",
          .about = kAbout,
          .prepare = Prepare};
}

}  // namespace ebcache::tools
