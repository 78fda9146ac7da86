#include "tools/writing/write_report.h"

#include <absl/strings/str_cat.h>

#include <cinttypes>
#include <cstdio>
#include <utility>

#include "tools/device_choice.h"
#include "tools/memory_report.h"
#include "tools/program.h"
#include "tools/table.h"
#include "tools/writing/write_choice.h"

namespace ebcache::tools {
namespace {

std::string Line(const SuperblockFailure& failure) {
  return absl::StrCat("the superblock at ", failure.offset, " on ", failure.device,
                      " was not written: ", failure.status.message());
}

Json CheckJson(const std::optional<PreviewCheck>& check) {
  if (!check) return nullptr;
  return {{"blocks", check->blocks},
          {"read_copies", check->copies},
          {"damaged_copies", check->damaged_copies},
          {"lost_blocks", check->lost_blocks},
          {"damaged_superblocks", check->damaged_superblocks},
          {"not_read", check->not_read},
          {"changed_bytes", check->changed_bytes},
          {"clean", check->clean()}};
}

}  // namespace

absl::Status WriteReport::Commit(Transaction& transaction) {
  std::vector<SuperblockFailure> failed;
  absl::Status committed = transaction.Commit(&failed);
  unknown = transaction.stage() == TransactionStage::kUnknown;
  if (!committed.ok()) return committed;
  ++commits;
  generation = transaction.generation();
  const TransactionCounts more = transaction.counts();
  counts.blocks_copied += more.blocks_copied;
  counts.blocks_made += more.blocks_made;
  counts.blocks_freed += more.blocks_freed;
  counts.blocks_written += more.blocks_written;
  failures = std::move(failed);  // a later commit writes all of them again
  return absl::OkStatus();
}

void FinishWriting(WriteTarget& target, std::unique_ptr<Session> session, Progress& progress,
                   WriteReport& report) {
  report.elapsed_s = progress.elapsed_s();
  if (report.way_back && report.commits == 0 && !report.unknown) {
    const absl::Status settled = session->Settle();
    if (report.status.ok()) report.status = settled;
    if (settled.ok()) report.way_back.reset();
  }
  session.reset();
  if (!target.preview() || !report.status.ok() || report.interrupted) return;
  const absl::StatusOr<PreviewCheck> check = target.Check(progress);
  if (check.ok()) {
    report.check = *check;
  } else {
    report.status = check.status();
  }
}

void AddWriteReport(const WriteReport& report, bool preview, const Superblock& superblock,
                    Json& json) {
  json["preview"] = preview;
  json["fsid"] = UuidString(superblock.fsid);
  json["node_bytes"] = superblock.node_bytes;
  json["interrupted"] = report.interrupted;
  json["error"] = report.status.ok() ? Json(nullptr) : Json(std::string(report.status.message()));
  json["commits"] = report.commits;
  json["generation"] = report.commits > 0 ? report.generation : superblock.generation;
  json["copied_blocks"] = report.counts.blocks_copied;
  json["new_blocks"] = report.counts.blocks_made;
  json["freed_blocks"] = report.counts.blocks_freed;
  json["written_blocks"] = report.counts.blocks_written;
  json["written_bytes"] = report.counts.blocks_written * superblock.node_bytes;
  json["elapsed_s"] = report.elapsed_s;
  json["peak_rss_bytes"] = PeakRssBytes();
  json["superblocks"] = Json::array();
  for (const SuperblockFailure& failure : report.failures)
    json["superblocks"].push_back(Line(failure));
  json["undo_file"] = report.way_back ? Json(report.way_back->undo_file) : Json(nullptr);
  json["check"] = CheckJson(report.check);
}

void PrintWriteReport(const WriteReport& report, bool preview, const Superblock& superblock) {
  std::printf("%s%" PRIu64 " %s in %.2f s: %" PRIu64 " blocks copied, %" PRIu64
              " written (%s, each of their copies)\n",
              preview ? "preview: " : "", report.commits,
              report.commits == 1 ? "commit" : "commits", report.elapsed_s,
              report.counts.blocks_copied, report.counts.blocks_written,
              HumanBytes(report.counts.blocks_written * superblock.node_bytes).c_str());
  if (report.way_back) {
    std::printf("back to generation %" PRIu64 ": %s\n", superblock.generation,
                report.way_back->UndoCommand().c_str());
    std::printf("to keep this, and give the way back up: %s\n",
                report.way_back->SettleCommand().c_str());
  }
  if (!report.check) return;
  const PreviewCheck& check = *report.check;
  std::printf("preview: %s of the devices would change\n", HumanBytes(check.changed_bytes).c_str());
  std::printf("preview: all trees read afterwards, %" PRIu64 " blocks in %" PRIu64 " copies: %s\n",
              check.blocks, check.copies, check.clean() ? "clean" : "not clean");
}

int JudgeWriting(const Command& command, const WriteReport& report, const CopyLog& copies) {
  copies.Complain(command);
  for (const SuperblockFailure& failure : report.failures) command.Complain(Line(failure));
  if (!report.status.ok()) {
    ComplainOfOpening(command, report.status);
    if (report.commits > 0) {
      command.Complain(absl::StrCat("commits that stand: ", report.commits));
    }
    if (report.way_back) {
      command.Complain(absl::StrCat("back to what was: ", report.way_back->UndoCommand()));
    }
    return kCannotTell;
  }
  if (report.interrupted) command.Complain("interrupted: not all was done; what was, is committed");
  const bool unclean = report.check && !report.check->clean();
  if (unclean) command.Complain("what this leads to is not clean: see ebcache verify");
  return report.interrupted || unclean || !report.failures.empty() || copies.bad() > 0 ? kNotWholly
                                                                                       : kWritten;
}

}  // namespace ebcache::tools
