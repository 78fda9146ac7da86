#include "examples/device_choice.h"

#include <absl/strings/str_cat.h>
#include <sys/stat.h>

#include <optional>
#include <utility>

#include "ebcache/device_use.h"
#include "examples/program.h"

namespace ebcache::examples {
namespace {

bool IsBlockDevice(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISBLK(info.st_mode);
}

}  // namespace

void DeviceChoice::AddFlags(CommandLine& line) {
  line.AddFlag("force", "read devices that are mounted, too", &force);
}

absl::StatusOr<std::unique_ptr<Filesystem>> DeviceChoice::Open(
    const CommandLine& line, const std::vector<std::string>& paths,
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
    line.Complain(absl::StrCat("warning: ", path, " ", *use,
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

int ComplainOfOpening(const CommandLine& line, const absl::Status& why) {
  const bool memory = absl::IsResourceExhausted(why);
  line.Complain(memory ? absl::StrCat(why.message(), ": ", kMemoryAdvice)
                       : std::string(why.message()));
  return kCannotTell;
}

void ComplainOfVolume(const CommandLine& line, const Volume& volume) {
  for (const std::string& warning : volume.superblock_warnings()) line.Complain(warning);
  ComplainOfNotices(line, volume);
}

void ComplainOfNotices(const CommandLine& line, const Volume& volume) {
  for (const std::string& notice : volume.notices()) line.Complain(notice);
  for (const MissingDevice& device : volume.missing_devices()) line.Complain(device.ToString());
}

void ComplainOfDamage(const CommandLine& line, const std::vector<BlockDamage>& blocks,
                      uint64_t count, absl::string_view what) {
  constexpr size_t kMostLines = 100;
  const size_t lines = std::min(blocks.size(), kMostLines);
  for (size_t i = 0; i < lines; ++i) line.Complain(blocks[i].ToString());
  if (count > lines) line.Complain(absl::StrCat("... and ", count - lines, " more ", what));
}

void ComplainOfUnread(const CommandLine& line, const LostBlocks& lost) {
  if (const uint64_t count = lost.count(Cause::kMissingDevice); count > 0) {
    line.Complain(absl::StrCat(count,
                               count == 1 ? " block cannot be read, nor what is below it, "
                                          : " blocks cannot be read, nor what is below them, ",
                               "without the missing devices"));
  }
  if (const uint64_t count = lost.count(Cause::kNoMemory); count > 0) {
    line.Complain(absl::StrCat(count,
                               count == 1 ? " block was not read, nor what is below it, "
                                          : " blocks were not read, nor what is below them, ",
                               "for want of memory: ", kMemoryAdvice));
  }
}

void ComplainOfUnreadCopies(const CommandLine& line, uint64_t count) {
  if (count == 0) return;
  line.Complain(absl::StrCat(count, count == 1 ? " copy was" : " copies were",
                             " not read for want of memory: ", kMemoryAdvice));
}

}  // namespace ebcache::examples
