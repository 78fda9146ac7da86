// Which devices a program reads, and how; and that it does not read those that are in use.

#ifndef EBCACHE_TOOLS_DEVICE_CHOICE_H_
#define EBCACHE_TOOLS_DEVICE_CHOICE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/filesystem.h"
#include "ebcache/readahead.h"
#include "ebcache/volume.h"
#include "tools/command.h"
#include "tools/damage.h"

namespace ebcache::tools {

struct DeviceChoice {
  bool force = false;

  void AddOptions(Command& command);

  // Opens the devices unless one is in use: Unavailable then, with what to tell the user. With
  // --force it says so on stderr, and reads block devices past the page cache, which has what was
  // there before. `options.device` is how they are read otherwise.
  absl::StatusOr<std::unique_ptr<Filesystem>> Open(const Command& command,
                                                   const std::vector<std::string>& paths,
                                                   FilesystemOptions options) const;

  // For a program that has found damage: whether a device has come into use meanwhile, which may be
  // all that was found. OK with --force.
  absl::Status CheckStillUnused(const std::vector<std::string>& paths) const;
};

// How blocks are read.
struct ReadingChoice {
  uint64_t threads = 0;  // 0: one for each processor
  uint64_t queue_depth = 64;
  bool direct = false;

  void AddOptions(Command& command);
  FileDeviceOptions device() const;
  // What reads ahead of the program's own thread; null when one thread is to do all.
  std::unique_ptr<Readahead> MakeReadahead(BufferCache& cache) const;
};

// Says why a filesystem cannot be opened, and what may help. Returns kCannotTell.
int ComplainOfOpening(const Command& command, const absl::Status& why);

// On stderr: what there is to know of the filesystem that is no damage, and a line for each missing
// device.
void ComplainOfNotices(const Command& command, const Volume& volume);
// The same, and superblocks that could not be used or are old.
void ComplainOfVolume(const Command& command, const Volume& volume);

// On stderr: a line for each of `blocks`, the first hundred; then how many of `count` are left, by
// this word.
void ComplainOfDamage(const Command& command, const std::vector<BlockDamage>& blocks,
                      uint64_t count, absl::string_view what);

// On stderr: how many blocks nothing can be told of, and what may help; nothing when none.
void ComplainOfUnread(const Command& command, const LostBlocks& lost);
// The same for `count` copies that there was no memory for; nothing for 0.
void ComplainOfUnreadCopies(const Command& command, uint64_t count);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_DEVICE_CHOICE_H_
