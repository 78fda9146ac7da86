#include "tests/crash/recorded_undo.h"

#include <absl/strings/str_cat.h>

#include <utility>
#include <vector>

#include "ebcache/transaction.h"
#include "tests/crash/commit_kinds.h"
#include "tests/crash/recorded_commits.h"
#include "tests/device/recording_device.h"

namespace ebcache::testing {
namespace {

absl::Status Insert(Editor& editor) { return editor.Insert(0, 200); }
absl::Status RewriteAndInsert(Editor& editor) {
  absl::Status status = editor.Rewrite(kFsTreeId);
  return status.ok() ? editor.Insert(300, 150) : status;
}
absl::Status RemoveSome(Editor& editor) { return editor.Remove(20, 100); }
absl::Status RewriteAndInsertMore(Editor& editor) {
  absl::Status status = editor.Rewrite(kFsTreeId);
  return status.ok() ? editor.Insert(600, 50) : status;
}

}  // namespace

RecordedUndo::RecordedUndo(const Disks& disks, const std::string& path)
    : log_(std::make_unique<DeviceLog>()), begin_items_(FileItemsOf(disks)) {
  const Disks begin = AfterSteps(disks, {{Insert}}, &begin_items_);
  const SessionOptions options{.undo_file = path};
  changed_items_ = begin_items_;
  const Disks changed = AfterSteps(begin,
                                   {{RewriteAndInsert, options},
                                    {RemoveSome, options, /*same_session=*/true},
                                    {RewriteAndInsertMore, options, /*same_session=*/true}},
                                   &changed_items_);
  begin_ = LookAt(begin);
  changed_ = LookAt(changed);
  std::vector<std::unique_ptr<BlockDevice>> devices;
  for (size_t i = 0; i < changed.size(); ++i) {
    devices.push_back(
        std::make_unique<RecordingDevice>(absl::StrCat("disk", i), changed[i], log_.get()));
  }
  status_ = UndoSession(devices, path);
}

std::string RecordedUndo::ComplaintOf(const Crash& crash) const {
  const DiskState found = LookAt(log_->After(crash));
  if (!found.complaint.empty()) return found.complaint;
  const DiskState& expected = found.generation == begin_.generation ? begin_ : changed_;
  return found.digest == expected.digest ? "" : "neither state";
}

}  // namespace ebcache::testing
