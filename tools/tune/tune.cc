// ebcache tune: what a filesystem is set to.

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
    R"(Changes what a filesystem is set to; without anything to change, prints it

Writes to the btrfs filesystem on the devices (image files or block devices, all of one filesystem,
not mounted), after a question. What is changed happens as a whole or not at all, whatever ends the
program.

Exit code: 0 it is changed, or would be, or was printed; 1 copies or superblocks were not written, or
a preview's result is not clean; 2 it cannot be done, or the command line is wrong.)";

struct Options {
  bool json = false;
  std::optional<std::string> label;
  WriteChoice writing;
};

void Print(const Options& options, const WriteReport* report, const Superblock& superblock,
           const std::string& label) {
  const bool preview = options.writing.wants_preview();
  if (options.json) {
    Json json;
    json["label"] = label;
    json["old_label"] = superblock.label;
    AddWriteReport(report == nullptr ? WriteReport{} : *report, preview, superblock, json);
    PrintJson(json);
    return;
  }
  std::printf("label: %s\n", label.c_str());
  if (report != nullptr) PrintWriteReport(*report, preview, superblock);
}

int Show(const Command& command, const Options& options) {
  const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = DeviceChoice{}.Open(
      command, command.operands(), {.cache = {.budget_bytes = options.writing.cache_bytes()}});
  if (!filesystem.ok()) return ComplainOfOpening(command, filesystem.status());
  ComplainOfVolume(command, (*filesystem)->volume());
  const Superblock superblock = (*filesystem)->superblock();
  Print(options, nullptr, superblock, superblock.label);
  return kWritten;
}

absl::Status Change(Session& session, const Options& options, WriteReport& report) {
  const absl::StatusOr<std::unique_ptr<Transaction>> transaction = session.Begin();
  if (!transaction.ok()) return transaction.status();
  absl::Status set = (*transaction)->SetLabel(*options.label);
  return set.ok() ? report.Commit(**transaction) : set;
}

int Tune(const Command& command, const Options& options) {
  if (!options.label) return Show(command, options);
  std::optional<HeldInterrupts> interrupts(std::in_place);  // before any thread there is
  const auto plan = [&](Filesystem&) -> absl::StatusOr<std::string> {
    return absl::StrCat("change the label to '", *options.label, "'");
  };
  const absl::StatusOr<std::unique_ptr<WriteTarget>> target =
      options.writing.Open(command.operands(), plan);
  if (!target.ok()) return ComplainOfOpening(command, target.status());
  Filesystem& filesystem = (*target)->filesystem();
  ComplainOfVolume(command, filesystem.volume());
  absl::StatusOr<std::unique_ptr<Session>> session = Session::Open(&filesystem);
  if (!session.ok()) return ComplainOfOpening(command, session.status());
  const Superblock superblock = filesystem.superblock();
  Progress progress;
  WriteReport report;
  report.status = Change(**session, options, report);
  interrupts.reset();  // from here on nothing is changed
  FinishWriting(**target, *std::move(session), progress, report);
  progress.Clear();
  if (report.commits > 0) Print(options, &report, superblock, *options.label);
  return JudgeWriting(command, report, (*target)->copies());
}

Subcommand::Work Prepare(Command& command) {
  const auto options = std::make_shared<Options>();
  command.AddAnyText("label", "change the label; up to 255 bytes, none to have no label",
                     &options->label, "TEXT");
  options->writing.AddOptions(command);
  command.AddJson("print JSON", JsonSchema("tune"), &options->json);
  return [options](const Command& parsed) {
    if (parsed.operands().empty()) return parsed.UsageError("no device given");
    EnterDirectoryOfCaller();
    return Tune(parsed, *options);
  };
}

}  // namespace

Subcommand Tune() {
  return {.name = "tune",
          .summary = "change what a filesystem is set to: its label",
          .synopsis = "[options] <device> [<device> ...]",
          .about = kAbout,
          .prepare = Prepare};
}

}  // namespace ebcache::tools
