// The way back from what a session has done, in steps: what an undo file leads back to, whether that
// may be done, and the doing. UndoSession (transaction.h) is all of them.
//
//   auto undo = ebcache::Undo::Open({"disk.img"}, "before.undo", {.writable = true});
//   if (!undo.ok()) return Fail(undo.status());
//   absl::Status status = (*undo)->Check();
//   if (status.ok()) status = (*undo)->Write();
//
// Thread safety: belongs to one thread at a time.

#ifndef EBCACHE_UNDO_H_
#define EBCACHE_UNDO_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/on_disk.h"

namespace ebcache {

// What an undo file says.
struct UndoFileSummary {
  Superblock old_state;  // as the session has found it: what the file leads back to
  // How many states the session was about to commit. The last of them may not have come about.
  uint64_t commits = 0;
};
// Errors: NotFound; DataLoss (not an undo file, or damaged); the OS's.
absl::StatusOr<UndoFileSummary> ReadUndoFile(const std::string& undo_file);

// How an undo opens its devices.
struct UndoOptions {
  // Opens the devices for writing, one writer's alone; without it Write is refused.
  bool writable = false;
};

// What reading the old state came to.
struct UndoCounts {
  uint64_t blocks = 0;          // that were read, each once
  uint64_t damaged_blocks = 0;  // that are good in no copy: they may have been so before
};

// An undo file and the devices that it is about.
class Undo {
 public:
  // Reads the undo file and the superblocks of the devices that it is about. Errors: NotFound; DataLoss
  // (not an undo file, or damaged); InvalidArgument (not the devices that it is about, all of them);
  // those of OpenFileDevice, and of superblocks that cannot be read.
  static absl::StatusOr<std::unique_ptr<Undo>> Open(const std::vector<std::string>& paths,
                                                    const std::string& undo_file,
                                                    UndoOptions options = {});
  // The same with devices of the caller's, which outlive it and can be written to if Write is called.
  static absl::StatusOr<std::unique_ptr<Undo>> OpenDevices(
      absl::Span<const std::unique_ptr<BlockDevice>> devices, const std::string& undo_file);
  ~Undo();
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;

  const UndoFileSummary& file() const;
  // Of the newest superblock that the devices have now.
  uint64_t found_generation() const;

  // Told of how many blocks were read so far, and of which tree. False ends the check.
  using Progress = std::function<bool(uint64_t blocks, const std::string& tree)>;
  // Whether it may be done. Reads all blocks of the old state, and writes nothing. Errors:
  // FailedPrecondition, something else has written since, superblocks or over blocks of the old state;
  // Cancelled, `progress` has ended it; ResourceExhausted; else those of opening the old state.
  absl::Status Check(const Progress& progress = {});
  UndoCounts counts() const;

  // Writes every copy of every superblock, and removes the undo file. Errors: FailedPrecondition, and
  // nothing was written: Check has not said OK, or it is open for reading only. Else some may be
  // written, each copy as it was or as it is to be, and it is to be done again: from Open on.
  // Also where all of them are, and the file alone cannot be removed.
  absl::Status Write();

 private:
  struct Impl;
  explicit Undo(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Gives the way back up: removes the file, so that later sessions use the space of the old state. What
// the session has done stays. For sessions that have ended; one that goes on does it by
// Session::Settle. Errors, and the file stays: NotFound; DataLoss (not an undo file, or damaged); the
// OS's.
absl::Status SettleUndoFile(const std::string& undo_file);

}  // namespace ebcache

#endif  // EBCACHE_UNDO_H_
