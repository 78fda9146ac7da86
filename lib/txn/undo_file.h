// UndoFile: what it takes to bring back the state that a session began with.
//
// It has every copy of every device's superblock as they were, and then a record of each state that
// the session was about to commit. From these an undo knows whether what it finds is the session's, or
// whether something else has written since, and nothing must be put back.
//
// A record is on disk before the superblock that it tells of is written. A record that was not
// written to its end is none: that commit has not happened.
//
// Thread safety: one thread at a time.

#ifndef EBCACHE_LIB_TXN_UNDO_FILE_H_
#define EBCACHE_LIB_TXN_UNDO_FILE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/unique_fd.h"
#include "lib/volume/superblock_images.h"

namespace ebcache::txn {

// A state of the filesystem.
struct UndoRecord {
  uint64_t generation = 0;
  uint64_t state_hash = 0;  // SuperblockStateHash
  friend bool operator==(const UndoRecord&, const UndoRecord&) = default;
};

struct UndoContents {
  std::vector<SuperblockImage> images;
  std::vector<UndoRecord> records;  // the first is the state that the session began with
};

class UndoFile {
 public:
  // Makes the file, and has it on disk, with its name, when it returns. Errors: AlreadyExists (a
  // session that was neither settled nor undone has left it), else the OS's, with the path.
  static absl::StatusOr<UndoFile> Create(const std::string& path,
                                         absl::Span<const SuperblockImage> images,
                                         const UndoRecord& start);
  // Errors: DataLoss, this is no such file, or it is damaged.
  static absl::StatusOr<UndoContents> Load(const std::string& path);

  // Has a record on disk when it returns. After an error the file is as good as it was.
  absl::Status Append(const UndoRecord& record);
  const std::string& path() const { return path_; }

 private:
  UndoFile(std::string path, UniqueFd fd, uint64_t bytes)
      : path_(std::move(path)), fd_(std::move(fd)), bytes_(bytes) {}

  std::string path_;
  UniqueFd fd_;
  uint64_t bytes_;  // of what is whole
};

// The folder that the file is in, or is to be in.
std::string FolderOf(const std::string& path);

// Removes the file: there is no way back any more. OK when there is none.
absl::Status RemoveUndoFile(const std::string& path);

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_UNDO_FILE_H_
