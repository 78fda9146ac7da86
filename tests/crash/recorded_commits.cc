#include "tests/crash/recorded_commits.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

namespace ebcache::testing {
namespace {

bool WritesSuperblock(const LogEntry& entry) {
  return entry.IsWrite() && std::find(kSuperblockOffsets.begin(), kSuperblockOffsets.end(),
                                      entry.offset) != kSuperblockOffsets.end();
}

}  // namespace

Disks AfterSteps(const Disks& disks, const std::vector<Step>& steps, ItemMap* items) {
  DeviceLog log;
  const auto filesystem = OpenDisks(disks, {.writable = true, .log = &log});
  EXPECT_TRUE(filesystem.ok()) << filesystem.status();
  if (!filesystem.ok()) return {};
  const absl::Status done = RunSteps(**filesystem, steps, items, [](size_t) {});
  EXPECT_TRUE(done.ok()) << done;
  return log.After({.entries = log.size()});
}

RecordedCommits::RecordedCommits(const Disks& disks, const CommitKind& kind)
    : log_(std::make_unique<DeviceLog>()) {
  ItemMap items = FileItemsOf(disks);
  const Disks begin = AfterSteps(disks, kind.before, &items);
  const auto filesystem = OpenDisks(begin, {.writable = true, .log = log_.get()});
  if (!filesystem.ok()) {
    status_ = filesystem.status();
    return;
  }
  ends_.push_back(log_->size());
  items_.push_back(items);
  status_ = RunSteps(**filesystem, kind.recorded, &items, [&](size_t) {
    ends_.push_back(log_->size());
    items_.push_back(items);
  });
  if (!status_.ok()) return;
  FindTurns();
  for (const size_t end : ends_) states_.push_back(LookAt(log_->After({.entries = end})));
}

void RecordedCommits::FindTurns() {
  for (size_t commit = 1; commit < ends_.size(); ++commit) {
    Turn turn{.first = ends_[commit], .first_primary = ends_[commit]};
    for (size_t i = ends_[commit]; i-- > ends_[commit - 1];) {
      const LogEntry entry = log_->entry(i);
      if (!WritesSuperblock(entry)) continue;
      turn.first = i;
      if (entry.offset == kSuperblockOffsets[0]) turn.first_primary = i;
    }
    turns_.push_back(turn);
  }
}

std::string RecordedCommits::Complaint() const {
  for (size_t i = 0; i < states_.size(); ++i) {
    std::string complaint = states_[i].complaint;
    if (complaint.empty()) complaint = ComplaintOfEnd(i);
    if (!complaint.empty()) return absl::StrCat("after commit ", i, ": ", complaint);
  }
  return "";
}

std::string RecordedCommits::ComplaintOfEnd(size_t commit) const {
  const Disks disks = log_->After({.entries = ends_[commit]});
  if (std::string complaint = SpaceComplaintOf(disks); !complaint.empty()) return complaint;
  if (FileItemsOf(disks) != items_[commit]) return "items are others";
  if (!log_->MayBeLost(ends_[commit]).empty()) return "not all of it is durable";
  for (const auto& of_disk : SuperblocksOf(disks)) {
    for (const auto& generation : of_disk) {
      if (generation != states_[commit].generation) return "a superblock is of another commit";
    }
  }
  if (commit == 0) return "";
  if (states_[commit].generation != states_[commit - 1].generation + 1) return "its generation";
  const Disks before = log_->After({.entries = ends_[commit - 1]});
  return BackupComplaintOf(before, disks);
}

std::string RecordedCommits::ComplaintOf(const Crash& crash) const {
  size_t least = 0;
  size_t most = 0;
  for (size_t commit = 1; commit < states_.size(); ++commit) {
    // A primary is durable before anything else is written.
    if (crash.entries > turns_[commit - 1].first_primary + 1) least = commit;
    if (crash.entries > turns_[commit - 1].first) most = commit;
  }
  const Disks disks = log_->After(crash);
  const DiskState found = LookAt(disks);
  if (!found.complaint.empty()) return found.complaint;
  const uint64_t commit = found.generation - states_[0].generation;
  if (commit < least || commit > most) {
    return absl::StrCat("state ", commit, ", where it may be from ", least, " to ", most);
  }
  if (found.digest != states_[commit].digest) {
    return absl::StrCat("neither state ", commit, " nor another");
  }
  return SuperblockComplaint(disks, least);
}

// Mirrors come after all primaries.
std::string RecordedCommits::SuperblockComplaint(const Disks& disks, size_t newest_mirror) const {
  for (const auto& of_disk : SuperblocksOf(disks)) {
    for (size_t copy = 1; copy < of_disk.size(); ++copy) {
      if (of_disk[copy] && *of_disk[copy] > states_[newest_mirror].generation) {
        return "the mirror of a superblock is newer than any primary";
      }
    }
  }
  return "";
}

}  // namespace ebcache::testing
