// Commits, recorded: what the disks held before and after each, and what was written in between.

#ifndef EBCACHE_TESTS_CRASH_RECORDED_COMMITS_H_
#define EBCACHE_TESTS_CRASH_RECORDED_COMMITS_H_

#include <absl/status/status.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "tests/crash/commit_kinds.h"
#include "tests/crash/disk_state.h"
#include "tests/crash/disks.h"
#include "tests/device/device_log.h"

namespace ebcache::testing {

// What `disks` hold after these steps, of which each has committed. REQUIRES: they can be done.
Disks AfterSteps(const Disks& disks, const std::vector<Step>& steps, ItemMap* items);

class RecordedCommits {
 public:
  // Does the kind's steps. Check that status() is OK before anything else.
  RecordedCommits(const Disks& disks, const CommitKind& kind);

  const absl::Status& status() const { return status_; }
  const DeviceLog& log() const { return *log_; }
  // Of the state before the commits, and after each.
  size_t states() const { return states_.size(); }
  const DiskState& state(size_t i) const { return states_[i]; }
  // The items of the tree of files in it.
  const ItemMap& items(size_t i) const { return items_[i]; }

  // Nothing where each commit leaves what it was asked for, whole, with nothing that could be lost.
  std::string Complaint() const;
  // Nothing where the crash leaves one of the states that it may leave, and no part of another.
  std::string ComplaintOf(const Crash& crash) const;

 private:
  // Where superblocks are written for a commit.
  struct Turn {
    size_t first = 0;          // entry that writes a superblock
    size_t first_primary = 0;  // entry that writes a primary one
  };
  void FindTurns();
  std::string ComplaintOfEnd(size_t commit) const;
  std::string SuperblockComplaint(const Disks& disks, size_t newest_mirror) const;

  absl::Status status_;
  std::unique_ptr<DeviceLog> log_;
  std::vector<size_t> ends_;  // size of the log at the begin, and when each commit had ended
  std::vector<Turn> turns_;   // of each commit
  std::vector<DiskState> states_;
  std::vector<ItemMap> items_;
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_CRASH_RECORDED_COMMITS_H_
