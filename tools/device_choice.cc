#include "tools/device_choice.h"

#include <absl/strings/str_cat.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "ebcache/device_use.h"
#include "tools/program.h"

namespace ebcache::tools {
namespace {

bool IsBlockDevice(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISBLK(info.st_mode);
}

}  // namespace

void DeviceChoice::AddOptions(Command& command) {
  command.AddFlag("force", "read devices that are mounted, too", &force);
}

absl::StatusOr<std::unique_ptr<Filesystem>> DeviceChoice::Open(
    const Command& command, const std::vector<std::string>& paths,
    FilesystemOptions options) const {
  for (const std::string& path : paths) {
    const std::optional<std::string> use = FindDeviceUse(path);
    if (!use) continue;
    if (!force) {
      return absl::UnavailableError(
          absl::StrCat(path, " ", *use,
                       ": what is written meanwhile would look like damage; --force "
                       "reads it all the same"));
    }
    command.Complain(absl::StrCat("warning: ", path, " ", *use,
                                  ": what is written meanwhile looks like damage"));
    options.device.direct |= IsBlockDevice(path);
  }
  return Filesystem::Open(paths, std::move(options));
}

absl::Status DeviceChoice::CheckStillUnused(const std::vector<std::string>& paths) const {
  for (const std::string& path : paths) {
    const std::optional<std::string> use = force ? std::nullopt : FindDeviceUse(path);
    if (!use) continue;
    return absl::UnavailableError(
        absl::StrCat(path, " ", *use, " now: what was found may be what was written meanwhile"));
  }
  return absl::OkStatus();
}

void ReadingChoice::AddOptions(Command& command) {
  command.AddNumber("threads", "threads that read and verify (default 0: one for each processor)",
                    64, &threads);
  command.AddNumber("queue-depth",
                    "reads under way at once for each thread (default 64; 1: none ahead)", 4096,
                    &queue_depth);
  command.AddFlag("direct", "read past the page cache (O_DIRECT)", &direct);
}

FileDeviceOptions ReadingChoice::device() const {
  return {.direct = direct,
          .queue_depth = static_cast<uint32_t>(std::max<uint64_t>(1, queue_depth))};
}

std::unique_ptr<Readahead> ReadingChoice::MakeReadahead(BufferCache& cache) const {
  if (threads == 1) return nullptr;
  ReadaheadOptions options{.threads = static_cast<uint32_t>(threads == 0 ? 0 : threads - 1)};
  // Out of the page cache, small batches stay in the processor's cache until they are verified. A
  // disk wants all that it can take.
  if (direct) options.batch = device().queue_depth;
  return std::make_unique<Readahead>(&cache, options);
}

int ComplainOfOpening(const Command& command, const absl::Status& why) {
  const bool memory = absl::IsResourceExhausted(why);
  command.Complain(memory ? absl::StrCat(why.message(), ": ", kMemoryAdvice)
                          : std::string(why.message()));
  return kCannotTell;
}

void ComplainOfVolume(const Command& command, const Volume& volume) {
  for (const std::string& warning : volume.superblock_warnings()) command.Complain(warning);
  ComplainOfNotices(command, volume);
}

void ComplainOfNotices(const Command& command, const Volume& volume) {
  for (const std::string& notice : volume.notices()) command.Complain(notice);
  for (const MissingDevice& device : volume.missing_devices()) command.Complain(device.ToString());
}

void ComplainOfDamage(const Command& command, const std::vector<BlockDamage>& blocks,
                      uint64_t count, absl::string_view what) {
  constexpr size_t kMostLines = 100;
  const size_t lines = std::min(blocks.size(), kMostLines);
  for (size_t i = 0; i < lines; ++i) command.Complain(blocks[i].ToString());
  if (count > lines) command.Complain(absl::StrCat("... and ", count - lines, " more ", what));
}

void ComplainOfUnread(const Command& command, const LostBlocks& lost) {
  if (const uint64_t count = lost.count(Cause::kMissingDevice); count > 0) {
    command.Complain(absl::StrCat(count,
                                  count == 1 ? " block cannot be read, nor what is below it, "
                                             : " blocks cannot be read, nor what is below them, ",
                                  "without the missing devices"));
  }
  if (const uint64_t count = lost.count(Cause::kNoMemory); count > 0) {
    command.Complain(absl::StrCat(count,
                                  count == 1 ? " block was not read, nor what is below it, "
                                             : " blocks were not read, nor what is below them, ",
                                  "for want of memory: ", kMemoryAdvice));
  }
}

void ComplainOfUnreadCopies(const Command& command, uint64_t count) {
  if (count == 0) return;
  command.Complain(absl::StrCat(count, count == 1 ? " copy was" : " copies were",
                                " not read for want of memory: ", kMemoryAdvice));
}

}  // namespace ebcache::tools
