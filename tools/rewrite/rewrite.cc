// ebcache rewrite: copies all blocks of trees to new places.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/filesystem.h"
#include "ebcache/transaction.h"
#include "tools/command.h"
#include "tools/device_choice.h"
#include "tools/json_output.h"
#include "tools/progress.h"
#include "tools/rewrite/rewriter.h"
#include "tools/subcommands.h"
#include "tools/writing/interrupts.h"
#include "tools/writing/write_choice.h"
#include "tools/writing/write_report.h"

namespace ebcache::tools {
namespace {

constexpr char kAbout[] =
    R"(Copies every block of every tree to a new place, in the order of keys: defragments metadata

Writes to the btrfs filesystem on the devices (image files or block devices, all of one filesystem,
not mounted), after a question. What it has is the same afterwards; blocks that follow each other in
a tree lie side by side where there is room. It goes by commits, each of which happens as a whole or
not at all, whatever ends the program. SIGINT and SIGTERM have it commit and end.

Exit code: 0 all was rewritten, or would be; 1 not all: interrupted, copies or superblocks were not
written, or a preview's result is not clean; 2 it cannot be done, and stderr says how much was, or
the command line is wrong.)";

// Changed blocks that wait in memory: the device begins with them while the next ones are copied.
// Each time the ways down to what follows are copied once more.
constexpr uint64_t kBlocksAtOnce = 256;

// That read what is rewritten next: one is a fifth of the time of a rewrite where reading costs no more than
// copying and checking, and more keep no more ahead than one does.
constexpr uint32_t kThreads = 1;

struct Options {
  bool json = false;
  std::vector<std::string> trees;
  uint64_t blocks_per_commit = 2048;
  WriteChoice writing;
};

uint64_t DoneCount(const RewriteReport& report) {
  return static_cast<uint64_t>(std::count_if(report.trees.begin(), report.trees.end(),
                                             [](const RewrittenTree& tree) { return tree.done; }));
}

void Print(const RewriteReport& report, const Options& options, const Superblock& superblock) {
  const bool preview = options.writing.wants_preview();
  if (!options.json) {
    std::printf("%s%" PRIu64 " of %zu trees rewritten\n", preview ? "preview: " : "",
                DoneCount(report), report.trees.size());
    PrintWriteReport(report.writing, preview, superblock);
    return;
  }
  Json json;
  AddWriteReport(report.writing, preview, superblock, json);
  json["stale_blocks"] = report.stale_blocks;
  json["trees"] = Json::array();
  for (const RewrittenTree& tree : report.trees) {
    json["trees"].push_back({{"id", tree.id}, {"name", tree.name}, {"done", tree.done}});
  }
  PrintJson(json);
}

int Rewrite(const Command& command, const Options& options) {
  std::optional<HeldInterrupts> interrupts(std::in_place);  // before any thread there is
  const auto plan = [&](Filesystem& filesystem) -> absl::StatusOr<std::string> {
    const auto trees = TreesToRewrite(filesystem, options.trees);
    if (!trees.ok()) return trees.status();
    return absl::StrCat("rewrite ", trees->size(), trees->size() == 1 ? " tree" : " trees");
  };
  const absl::StatusOr<std::unique_ptr<WriteTarget>> target =
      options.writing.Open(command.operands(), plan);
  if (!target.ok()) return ComplainOfOpening(command, target.status());
  Filesystem& filesystem = (*target)->filesystem();
  ComplainOfVolume(command, filesystem.volume());
  absl::StatusOr<std::vector<RewrittenTree>> trees = TreesToRewrite(filesystem, options.trees);
  if (!trees.ok()) return ComplainOfOpening(command, trees.status());
  const Superblock superblock = filesystem.superblock();
  absl::StatusOr<std::unique_ptr<Session>> session =
      Session::Open(&filesystem, {.undo_file = options.writing.undo_file,
                                  .most_unwritten_bytes = kBlocksAtOnce * superblock.node_bytes,
                                  .rewrite_threads = kThreads});
  if (!session.ok()) return ComplainOfOpening(command, session.status());
  Progress progress;
  RewriteReport report{.trees = *std::move(trees),
                       .writing = {.way_back = options.writing.way_back(command.operands())}};
  RewriteTrees(
      **session, std::max<uint64_t>(1, options.blocks_per_commit),
      [&](uint64_t copied, const std::string& tree) {
        progress.Update(copied, "blocks", tree);
        return interrupts->pending();
      },
      report);
  interrupts.reset();  // from here on nothing is changed
  report.stale_blocks = filesystem.cache().stats().stale_frees;
  FinishWriting(**target, *std::move(session), progress, report.writing);
  progress.Clear();
  Print(report, options, superblock);
  return JudgeWriting(command, report.writing, (*target)->copies());
}

Subcommand::Work Prepare(Command& command) {
  const auto options = std::make_shared<Options>();
  command.AddTexts('t', "tree", "rewrite this one alone; may be given several times",
                   &options->trees, "TREE");
  command.AddNumber("blocks-per-commit", "blocks copied between two commits (default 2048)",
                    uint64_t{1} << 32, &options->blocks_per_commit);
  options->writing.AddOptions(command);
  options->writing.AddUndo(command);
  command.AddJson("print JSON", JsonSchema("rewrite"), &options->json);
  return [options](const Command& parsed) {
    if (parsed.operands().empty()) return parsed.UsageError("no device given");
    if (const auto problem = options->writing.UsageProblem()) return parsed.UsageError(*problem);
    EnterDirectoryOfCaller();
    return Rewrite(parsed, *options);
  };
}

}  // namespace

Subcommand Rewrite() {
  return {.name = "rewrite",
          .summary = "copy every block of trees to a new place",
          .synopsis = "[options] <device> [<device> ...]",
          .about = kAbout,
          .prepare = Prepare};
}

}  // namespace ebcache::tools
