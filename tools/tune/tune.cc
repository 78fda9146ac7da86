// ebcache tune: what a filesystem is set to.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/filesystem.h"
#include "ebcache/transaction.h"
#include "ebcache/uuid.h"
#include "tools/command.h"
#include "tools/device_choice.h"
#include "tools/json_output.h"
#include "tools/progress.h"
#include "tools/subcommands.h"
#include "tools/tune/uuid_choice.h"
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
  // "on", "off"; empty: stays as it is.
  std::string free_space_tree;
  std::string block_group_tree;
  std::string uuid_text;  // "random", or one; none: it stays
  std::optional<Uuid> uuid;
  WriteChoice writing;

  bool changes() const {
    return label || uuid || !free_space_tree.empty() || !block_group_tree.empty();
  }
};

// What there is to be set, as a superblock has it.
struct Settings {
  std::string label;
  std::string uuid;
  std::string metadata_uuid;    // the blocks'; the same but where it was changed
  std::string free_space_tree;  // "on", "off", "not valid"
  std::string block_group_tree;

  static Settings Of(const Superblock& superblock) {
    const bool is_there = superblock.has(CompatRoFlag::kFreeSpaceTree);
    const bool valid = superblock.has(CompatRoFlag::kFreeSpaceTreeValid);
    return {.label = superblock.label,
            .uuid = UuidString(superblock.fsid),
            .metadata_uuid = UuidString(superblock.header_fsid()),
            .free_space_tree = !is_there ? "off"
                               : valid   ? "on"
                                         : "not valid",
            .block_group_tree = superblock.has(CompatRoFlag::kBlockGroupTree) ? "on" : "off"};
  }

  Settings With(const Options& options) const {
    Settings wanted = *this;
    if (options.label) wanted.label = *options.label;
    if (options.uuid) wanted.uuid = UuidString(*options.uuid);
    if (!options.free_space_tree.empty()) wanted.free_space_tree = options.free_space_tree;
    if (!options.block_group_tree.empty()) wanted.block_group_tree = options.block_group_tree;
    return wanted;
  }
};

// What is to be done, in the order of the options; empty: nothing, all is so already.
std::vector<std::string> WhatChanges(const Settings& now, const Settings& wanted) {
  std::vector<std::string> changes;
  if (wanted.label != now.label) {
    changes.push_back(absl::StrCat("change the label to '", wanted.label, "'"));
  }
  if (wanted.uuid != now.uuid) {
    changes.push_back(absl::StrCat("change the UUID to ", wanted.uuid));
  }
  const auto compare = [&changes](const char* name, const std::string& from,
                                  const std::string& to) {
    if (from == to) return;
    const char* verb = to == "off" ? "remove" : from == "not valid" ? "make anew" : "make";
    changes.push_back(absl::StrCat(verb, " the ", name, " tree"));
  };
  compare("free space", now.free_space_tree, wanted.free_space_tree);
  compare("block group", now.block_group_tree, wanted.block_group_tree);
  return changes;
}

void Print(const Options& options, const WriteReport* report, const Superblock& superblock,
           const Settings& settings) {
  const bool preview = options.writing.wants_preview();
  const Settings old = Settings::Of(superblock);
  if (options.json) {
    Json json;
    json["label"] = settings.label;
    json["old_label"] = old.label;
    json["uuid"] = settings.uuid;
    json["metadata_uuid"] = settings.metadata_uuid;
    json["free_space_tree"] = settings.free_space_tree;
    json["old_free_space_tree"] = old.free_space_tree;
    json["block_group_tree"] = settings.block_group_tree;
    json["old_block_group_tree"] = old.block_group_tree;
    AddWriteReport(report == nullptr ? WriteReport{} : *report, preview, superblock, json);
    PrintJson(json);
    return;
  }
  std::printf("label: %s\nuuid: %s\n", settings.label.c_str(), settings.uuid.c_str());
  if (settings.metadata_uuid != settings.uuid) {
    std::printf("metadata uuid: %s\n", settings.metadata_uuid.c_str());
  }
  std::printf("free space tree: %s\nblock group tree: %s\n", settings.free_space_tree.c_str(),
              settings.block_group_tree.c_str());
  if (report != nullptr) PrintWriteReport(*report, preview, superblock);
}

int Show(const Command& command, const Options& options) {
  const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = DeviceChoice{}.Open(
      command, command.operands(), {.cache = {.budget_bytes = options.writing.cache_bytes()}});
  if (!filesystem.ok()) return ComplainOfOpening(command, filesystem.status());
  ComplainOfVolume(command, (*filesystem)->volume());
  const Superblock superblock = (*filesystem)->superblock();
  if (options.changes() && !options.json) std::printf("nothing is to be changed\n");
  Print(options, nullptr, superblock, Settings::Of(superblock));
  return kWritten;
}

// The block group tree stands on the free space tree: it goes before that, and comes behind it.
absl::Status Convert(Transaction& transaction, const Options& options) {
  absl::StatusOr<bool> done = false;
  if (options.block_group_tree == "off") done = transaction.RemoveBlockGroupTree();
  if (done.ok() && options.free_space_tree == "off") done = transaction.RemoveFreeSpaceTree();
  if (done.ok() && options.free_space_tree == "on") done = transaction.MakeFreeSpaceTree();
  if (done.ok() && options.block_group_tree == "on") done = transaction.MakeBlockGroupTree();
  return done.status();
}

absl::Status Change(Session& session, const Options& options, WriteReport& report) {
  const absl::StatusOr<std::unique_ptr<Transaction>> transaction = session.Begin();
  if (!transaction.ok()) return transaction.status();
  absl::Status set = options.label ? (*transaction)->SetLabel(*options.label) : absl::OkStatus();
  if (set.ok() && options.uuid) set = (*transaction)->SetFsid(*options.uuid);
  if (set.ok()) set = Convert(**transaction, options);
  return set.ok() ? report.Commit(**transaction) : set;
}

// Whether all is so already, as far as that can be read.
bool NothingToDo(const Command& command, const Options& options) {
  if (!options.changes()) return true;
  const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = Filesystem::Open(
      command.operands(), {.cache = {.budget_bytes = options.writing.cache_bytes()}});
  if (!filesystem.ok()) return false;
  const Settings now = Settings::Of((*filesystem)->superblock());
  return WhatChanges(now, now.With(options)).empty();
}

int Tune(const Command& command, const Options& options) {
  if (NothingToDo(command, options)) return Show(command, options);
  std::optional<HeldInterrupts> interrupts(std::in_place);  // before any thread there is
  const auto plan = [&](Filesystem& filesystem) -> absl::StatusOr<std::string> {
    const Settings now = Settings::Of(filesystem.superblock());
    return absl::StrJoin(WhatChanges(now, now.With(options)), " and ");
  };
  const absl::StatusOr<std::unique_ptr<WriteTarget>> target =
      options.writing.Open(command.operands(), plan);
  if (!target.ok()) return ComplainOfOpening(command, target.status());
  Filesystem& filesystem = (*target)->filesystem();
  ComplainOfVolume(command, filesystem.volume());
  absl::StatusOr<std::unique_ptr<Session>> session =
      Session::Open(&filesystem, {.undo_file = options.writing.undo_file});
  if (!session.ok()) return ComplainOfOpening(command, session.status());
  const Superblock superblock = filesystem.superblock();
  Progress progress;
  WriteReport report{.way_back = options.writing.way_back(command.operands())};
  report.status = Change(**session, options, report);
  const Settings after = Settings::Of(filesystem.superblock());
  interrupts.reset();  // from here on nothing is changed
  FinishWriting(**target, *std::move(session), progress, report);
  progress.Clear();
  if (report.commits > 0) Print(options, &report, superblock, after);
  return JudgeWriting(command, report, (*target)->copies());
}

Subcommand::Work Prepare(Command& command) {
  const auto options = std::make_shared<Options>();
  command.AddAnyText("label", "change the label; up to 255 bytes, none to have no label",
                     &options->label, "TEXT");
  command.AddChoice(
      "free-space-tree",
      "make the free space tree (space_cache=v2), or remove it; one that is not valid "
      "is made anew",
      {"on", "off"}, &options->free_space_tree);
  command.AddChoice("block-group-tree",
                    "move block groups to a tree of their own, or back to the extent tree; takes a "
                    "free space tree and no-holes",
                    {"on", "off"}, &options->block_group_tree);
  command.AddText("metadata-uuid", "change the UUID, in superblocks alone; random: to a new one",
                  &options->uuid_text, "UUID");
  options->writing.AddOptions(command);
  options->writing.AddUndo(command);
  command.AddJson("print JSON", JsonSchema("tune"), &options->json);
  return [options](const Command& parsed) {
    if (parsed.operands().empty()) return parsed.UsageError("no device given");
    if (!options->uuid_text.empty()) {
      const absl::StatusOr<Uuid> uuid = ChooseUuid(options->uuid_text);
      if (!uuid.ok()) return parsed.UsageError(std::string(uuid.status().message()));
      options->uuid = *uuid;
    }
    if (!options->changes() && !options->writing.undo_file.empty()) {
      return parsed.UsageError("--undo is for a change, and none was given");
    }
    if (const auto problem = options->writing.UsageProblem()) return parsed.UsageError(*problem);
    EnterDirectoryOfCaller();
    return Tune(parsed, *options);
  };
}

}  // namespace

Subcommand Tune() {
  return {.name = "tune",
          .summary = "change what a filesystem is set to: its label, its UUID, how it keeps space",
          .synopsis = "[options] <device> [<device> ...]",
          .about = kAbout,
          .prepare = Prepare};
}

}  // namespace ebcache::tools
