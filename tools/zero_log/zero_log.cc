// ebcache zero-log: drops the log of a filesystem.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "ebcache/filesystem.h"
#include "ebcache/transaction.h"
#include "tools/command.h"
#include "tools/device_choice.h"
#include "tools/json_output.h"
#include "tools/progress.h"
#include "tools/subcommands.h"
#include "tools/writing/interrupts.h"
#include "tools/writing/write_choice.h"
#include "tools/writing/write_report.h"

namespace ebcache::tools {
namespace {

constexpr char kAbout[] =
    R"(Drops the log of a filesystem, for one that cannot be mounted because its log is damaged

Writes to the btrfs filesystem on the devices (image files or block devices, all of one filesystem,
not mounted), after a question. What programs have synced since the last commit, a few seconds before
the filesystem went down, is lost with it; mounting a filesystem whose log is good replays that. The
log is dropped as a whole or not at all, whatever ends the program. Where there is none nothing is
changed.

Exit code: 0 there is no log any more, or would be none; 1 copies or superblocks were not written, or
a preview's result is not clean; 2 it cannot be done, or the command line is wrong.)";

constexpr char kNoLog[] = "there is no log";

struct Options {
  bool json = false;
  WriteChoice writing;
};

void Print(const Options& options, const WriteReport& report, const Superblock& superblock) {
  const bool preview = options.writing.wants_preview();
  if (options.json) {
    Json json;
    json["log_root"] = superblock.log_root;
    AddWriteReport(report, preview, superblock, json);
    PrintJson(json);
    return;
  }
  if (superblock.log_root == 0) {
    std::printf("%s\n", kNoLog);
    return;
  }
  std::printf("%sthe log at %llu is dropped\n", preview ? "preview: " : "",
              static_cast<unsigned long long>(superblock.log_root));
  PrintWriteReport(report, preview, superblock);
}

absl::Status Drop(Session& session, WriteReport& report) {
  const absl::StatusOr<std::unique_ptr<Transaction>> transaction = session.Begin();
  return transaction.ok() ? report.Commit(**transaction) : transaction.status();
}

int ZeroLog(const Command& command, const Options& options) {
  std::optional<HeldInterrupts> interrupts(std::in_place);  // before any thread there is
  std::optional<Superblock> without_log;
  const auto plan = [&](Filesystem& filesystem) -> absl::StatusOr<std::string> {
    const Superblock superblock = filesystem.superblock();
    if (superblock.log_root != 0) return "drop the log, what was synced since the last commit,";
    without_log = superblock;
    return absl::NotFoundError(kNoLog);
  };
  const absl::StatusOr<std::unique_ptr<WriteTarget>> target =
      options.writing.Open(command.operands(), plan);
  if (without_log) {
    Print(options, {}, *without_log);
    return kWritten;
  }
  if (!target.ok()) return ComplainOfOpening(command, target.status());
  Filesystem& filesystem = (*target)->filesystem();
  ComplainOfVolume(command, filesystem.volume());
  const Superblock superblock = filesystem.superblock();
  Progress progress;
  WriteReport report;
  if (superblock.log_root != 0) {
    SessionOptions session_options;
    session_options.drop_log = true;
    session_options.undo_file = options.writing.undo_file;
    absl::StatusOr<std::unique_ptr<Session>> session = Session::Open(&filesystem, session_options);
    if (!session.ok()) return ComplainOfOpening(command, session.status());
    report.way_back = options.writing.way_back(command.operands());
    report.status = Drop(**session, report);
    interrupts.reset();  // from here on nothing is changed
    FinishWriting(**target, *std::move(session), progress, report);
    progress.Clear();
  }
  if (report.status.ok()) Print(options, report, superblock);
  return JudgeWriting(command, report, (*target)->copies());
}

Subcommand::Work Prepare(Command& command) {
  const auto options = std::make_shared<Options>();
  options->writing.AddOptions(command);
  options->writing.AddUndo(command);
  command.AddJson("print JSON", JsonSchema("zero-log"), &options->json);
  return [options](const Command& parsed) {
    if (parsed.operands().empty()) return parsed.UsageError("no device given");
    if (const auto problem = options->writing.UsageProblem()) return parsed.UsageError(*problem);
    EnterDirectoryOfCaller();
    return ZeroLog(parsed, *options);
  };
}

}  // namespace

Subcommand ZeroLog() {
  return {.name = "zero-log",
          .summary = "drop the log, for a filesystem that cannot be mounted with it",
          .synopsis = "[options] <device> [<device> ...]",
          .about = kAbout,
          .prepare = Prepare};
}

}  // namespace ebcache::tools
