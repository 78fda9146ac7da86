#include "ebcache/device_use.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/strings/string_view.h>
#include <absl/strings/strip.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace ebcache {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> EntriesOf(const fs::path& directory) {
  std::vector<fs::path> entries;
  std::error_code error;
  // Devices come and go: a directory that is gone has no entries.
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    entries.push_back(at->path());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::string FirstLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// From "7:0".
std::optional<dev_t> ParseNumber(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  unsigned major_number = 0;
  unsigned minor_number = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &major_number) ||
      !absl::SimpleAtoi(parts[1], &minor_number)) {
    return std::nullopt;
  }
  return makedev(major_number, minor_number);
}

std::optional<dev_t> NumberOfDevice(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0 || !S_ISBLK(info.st_mode)) return std::nullopt;
  return info.st_rdev;
}

// A device of a filesystem that btrfs has mounted, in whichever mount namespace.
struct MountedDevice {
  dev_t number;
  std::string name;  // "loop0"
  std::string fsid;
};

std::vector<MountedDevice> MountedDevices(const SystemPaths& system) {
  std::vector<MountedDevice> devices;
  for (const fs::path& filesystem : EntriesOf(fs::path(system.sys) / "fs/btrfs")) {
    for (const fs::path& device : EntriesOf(filesystem / "devices")) {
      const std::optional<dev_t> number = ParseNumber(FirstLine(device / "dev"));
      if (number) devices.push_back({*number, device.filename(), filesystem.filename()});
    }
  }
  return devices;
}

// Spaces and the like stand in mountinfo as \040.
std::string Unescaped(absl::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const absl::string_view digits = text.substr(i, 4);
    const bool escaped =
        digits.size() == 4 && digits[0] == '\\' &&
        std::all_of(digits.begin() + 1, digits.end(), [](char c) { return c >= '0' && c <= '7'; });
    if (escaped) {
      plain += static_cast<char>((digits[1] - '0') * 64 + (digits[2] - '0') * 8 + digits[3] - '0');
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// Where this process sees the filesystem mounted, by any of its devices. Empty: nowhere.
std::string MountPointOf(const std::string& fsid, const std::vector<MountedDevice>& devices,
                         const SystemPaths& system) {
  std::ifstream mounts(system.proc + "/self/mountinfo");
  std::string line;
  while (std::getline(mounts, line)) {
    // "id parent major:minor root mount-point options [fields] - type source options"
    const std::vector<absl::string_view> halves = absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    if (halves.size() != 2) continue;
    const std::vector<absl::string_view> mount = absl::StrSplit(halves[0], ' ');
    const std::vector<absl::string_view> what = absl::StrSplit(halves[1], ' ');
    if (mount.size() < 6 || what.size() < 2 || what[0] != "btrfs") continue;
    const std::string source = Unescaped(what[1]);
    const std::optional<dev_t> number = NumberOfDevice(source);
    for (const MountedDevice& device : devices) {
      const bool same =
          number ? *number == device.number : source == absl::StrCat(system.dev, "/", device.name);
      if (device.fsid == fsid && same) return Unescaped(mount[4]);
    }
  }
  return {};
}

// Opening a block device for oneself alone fails where it is mounted, or part of something else
// that is in use. It changes nothing on it.
bool HeldByAnother(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
  if (fd >= 0) {
    close(fd);
    return false;
  }
  return errno == EBUSY;
}

std::optional<std::string> UseOfNumber(dev_t number, const std::string& path,
                                       const SystemPaths& system) {
  const std::vector<MountedDevice> mounted = MountedDevices(system);
  const auto found = std::find_if(mounted.begin(), mounted.end(), [&](const MountedDevice& device) {
    return device.number == number;
  });
  if (found != mounted.end()) {
    const std::string where = MountPointOf(found->fsid, mounted, system);
    return where.empty()
               ? absl::StrCat("belongs to a filesystem that is mounted (", found->fsid, ")")
               : absl::StrCat("is mounted at ", where);
  }
  const bool there = NumberOfDevice(path) == number;
  if (there && HeldByAnother(path)) return "is in use by the kernel or by another program";
  return std::nullopt;
}

bool SameFile(const std::string& path, const struct stat& info) {
  struct stat other;
  return stat(path.c_str(), &other) == 0 && other.st_dev == info.st_dev &&
         other.st_ino == info.st_ino;
}

std::optional<std::string> UseThroughLoops(const struct stat& info, const SystemPaths& system) {
  for (const fs::path& device : EntriesOf(fs::path(system.sys) / "block")) {
    const std::string backing = FirstLine(device / "loop/backing_file");
    if (backing.empty() || !SameFile(backing, info)) continue;
    const std::optional<dev_t> number = ParseNumber(FirstLine(device / "dev"));
    if (!number) continue;
    const std::string name = absl::StrCat(system.dev, "/", device.filename().string());
    const std::optional<std::string> use = UseOfNumber(*number, name, system);
    if (use) return absl::StrCat("is what ", name, " reads, which ", *use);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> FindDeviceUse(const std::string& path, const SystemPaths& system) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return std::nullopt;
  if (S_ISBLK(info.st_mode)) return UseOfNumber(info.st_rdev, path, system);
  if (S_ISREG(info.st_mode)) return UseThroughLoops(info, system);
  return std::nullopt;
}

}  // namespace ebcache
