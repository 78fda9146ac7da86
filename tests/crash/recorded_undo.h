// An undo of several commits, recorded.

#ifndef EBCACHE_TESTS_CRASH_RECORDED_UNDO_H_
#define EBCACHE_TESTS_CRASH_RECORDED_UNDO_H_

#include <absl/status/status.h>

#include <memory>
#include <string>

#include "tests/crash/disk_state.h"
#include "tests/crash/disks.h"
#include "tests/device/device_log.h"

namespace ebcache::testing {

class RecordedUndo {
 public:
  // Changes `disks` in a session of three commits with an undo file at `path`, and undoes them. Check
  // that status() is OK before anything else.
  RecordedUndo(const Disks& disks, const std::string& path);

  const absl::Status& status() const { return status_; }
  // Of the undo alone.
  const DeviceLog& log() const { return *log_; }
  // The states that a crash may leave, and the items of the tree of files in each.
  const DiskState& begin() const { return begin_; }
  const DiskState& changed() const { return changed_; }
  const ItemMap& begin_items() const { return begin_items_; }
  const ItemMap& changed_items() const { return changed_items_; }

  // Nothing where the crash leaves one of the two states.
  std::string ComplaintOf(const Crash& crash) const;

 private:
  absl::Status status_;
  std::unique_ptr<DeviceLog> log_;
  DiskState begin_;
  DiskState changed_;
  ItemMap begin_items_;
  ItemMap changed_items_;
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_CRASH_RECORDED_UNDO_H_
