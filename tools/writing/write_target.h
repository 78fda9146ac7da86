// WriteTarget: a filesystem that a program changes: the one on the devices or, for a preview, one
// over them that is thrown away.

#ifndef EBCACHE_TOOLS_WRITING_WRITE_TARGET_H_
#define EBCACHE_TOOLS_WRITING_WRITE_TARGET_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/filesystem.h"
#include "ebcache/preview.h"
#include "tools/command.h"
#include "tools/mutex.h"
#include "tools/progress.h"

namespace ebcache::tools {

// What a volume tells of copies while a program writes.
//
// Thread safety: all methods from any thread.
class CopyLog {
 public:
  // For FilesystemOptions::on_damage.
  void Note(const MirrorDamage& damage);
  // On stderr: a line for each, the first hundred; then how many are left.
  void Complain(const Command& command) const;
  // Copies that are bad, or were not written; those that were repaired are not among them.
  uint64_t bad() const;

 private:
  mutable Mutex mutex_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
  uint64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t bad_ ABSL_GUARDED_BY(mutex_) = 0;
};

// What reading all of a preview's result came to.
struct PreviewCheck {
  uint64_t blocks = 0;  // good in at least one copy
  uint64_t copies = 0;
  uint64_t damaged_copies = 0;
  uint64_t lost_blocks = 0;
  uint64_t damaged_superblocks = 0;
  uint64_t not_read = 0;       // blocks and copies; devices are missing, or memory was
  uint64_t changed_bytes = 0;  // of all devices, in blocks of 4096
  bool clean() const { return damaged_copies + lost_blocks + damaged_superblocks + not_read == 0; }
};

// Thread safety: belongs to one thread.
class WriteTarget {
 public:
  // Opens the devices for writing. Errors: those of Filesystem::Open.
  static absl::StatusOr<std::unique_ptr<WriteTarget>> OpenDevices(
      const std::vector<std::string>& paths, uint64_t cache_bytes);
  // Opens them for reading, and keeps what is written in memory or, with a path, in new files there
  // (PreviewOptions::file). Errors: those of Preview.
  static absl::StatusOr<std::unique_ptr<WriteTarget>> OpenPreview(
      const std::vector<std::string>& paths, const std::string& kept_in, uint64_t cache_bytes);

  // REQUIRES: Check was not called.
  Filesystem& filesystem() { return *filesystem_; }
  CopyLog& copies() { return *copies_; }
  bool preview() const { return preview_ != nullptr; }

  // Of a preview: closes the filesystem, opens what has become of it for reading, and reads all.
  // REQUIRES: preview(); no session, tree or block of the filesystem is left.
  absl::StatusOr<PreviewCheck> Check(Progress& progress);

 private:
  explicit WriteTarget(uint64_t cache_bytes)
      : cache_bytes_(cache_bytes), copies_(std::make_unique<CopyLog>()) {}
  FilesystemOptions Options();

  const uint64_t cache_bytes_;
  std::unique_ptr<CopyLog> copies_;
  std::unique_ptr<Preview> preview_;        // null: the devices themselves
  std::unique_ptr<Filesystem> filesystem_;  // behind what it stands on
};

// Unavailable, with what to tell the user, where one of the devices is in use; else OK.
absl::Status CheckUnused(const std::vector<std::string>& paths);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_WRITING_WRITE_TARGET_H_
