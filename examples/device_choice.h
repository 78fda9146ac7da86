// Which devices a program reads, and that it does not read those that are in use.

#ifndef EBCACHE_EXAMPLES_DEVICE_CHOICE_H_
#define EBCACHE_EXAMPLES_DEVICE_CHOICE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <vector>

#include "ebcache/filesystem.h"
#include "ebcache/volume.h"
#include "examples/command_line.h"
#include "examples/lost_blocks.h"

namespace ebcache::examples {

struct DeviceChoice {
  bool force = false;

  void AddFlags(CommandLine& line);

  // Opens the devices unless one is in use: Unavailable then, with what to tell the user. With
  // --force it says so on stderr, and reads block devices past the page cache, which has what was
  // there before. `options.device` is how they are read otherwise.
  absl::StatusOr<std::unique_ptr<Filesystem>> Open(const CommandLine& line,
                                                   const std::vector<std::string>& paths,
                                                   FilesystemOptions options) const;

  // For who has found damage: whether a device has come into use meanwhile, which may be all that
  // was found. OK with --force.
  absl::Status CheckStillUnused(const std::vector<std::string>& paths) const;
};

// Says why a filesystem cannot be opened, and what may help. Returns kCannotTell.
int ComplainOfOpening(const CommandLine& line, const absl::Status& why);

// On stderr: what there is to know of the filesystem that is no damage, and a line for each missing
// device.
void ComplainOfNotices(const CommandLine& line, const Volume& volume);
// The same, and superblocks that could not be used or are old.
void ComplainOfVolume(const CommandLine& line, const Volume& volume);

// On stderr: a line for each of `blocks`, the first hundred; then how many of `count` are left, by
// this word.
void ComplainOfDamage(const CommandLine& line, const std::vector<BlockDamage>& blocks,
                      uint64_t count, absl::string_view what);

// On stderr: how many blocks nobody can tell anything of, and what may help; nothing when none.
void ComplainOfUnread(const CommandLine& line, const LostBlocks& lost);
// The same for `count` copies that there was no memory for; nothing for 0.
void ComplainOfUnreadCopies(const CommandLine& line, uint64_t count);

}  // namespace ebcache::examples

#endif  // EBCACHE_EXAMPLES_DEVICE_CHOICE_H_
