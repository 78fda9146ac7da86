#include "lib/device/system_devices.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/strings/string_view.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <utility>

#include "lib/base/unique_fd.h"

namespace ebcache {
namespace {

namespace fs = std::filesystem;

// Not by std::filesystem's iterator: where memory is out, that ends the process.
std::vector<fs::path> EntriesOf(const fs::path& directory) {
  std::vector<fs::path> entries;
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(opendir(directory.c_str()), &closedir);
  // Devices come and go: a directory that is gone has no entries.
  if (opened == nullptr && errno == ENOMEM) throw std::bad_alloc();
  if (opened == nullptr) return entries;
  while (const dirent* entry = readdir(opened.get())) {
    const absl::string_view name = entry->d_name;
    if (name != "." && name != "..") entries.push_back(directory / entry->d_name);
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

// Without the end of the last line. Names of files may have ends of lines of their own. Nothing where
// it cannot be read: devices go while they are looked at, and a read of what is said of them fails
// then, which an iterator over the stream would throw.
std::string TextOf(const fs::path& path) {
  std::ifstream file(path);
  std::string text;
  std::getline(file, text, '\0');
  if (file.bad()) text.clear();
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// 0 where there is none.
uint64_t NumberIn(const fs::path& path) {
  uint64_t number = 0;
  return absl::SimpleAtoi(TextOf(path), &number) ? number : 0;
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

// The device that has this directory in sysfs.
std::optional<SystemDevice> DeviceOf(const fs::path& directory, const SystemPaths& system) {
  const std::optional<dev_t> number = ParseNumber(TextOf(directory / "dev"));
  if (!number) return std::nullopt;
  std::string name = directory.filename();
  // "cciss!c0d0" is /dev/cciss/c0d0.
  std::replace(name.begin(), name.end(), '!', '/');
  return SystemDevice{*number, absl::StrCat(system.dev, "/", name)};
}

fs::path DirectoryOf(dev_t number, const SystemPaths& system) {
  return fs::path(system.sys) / "dev/block" / absl::StrCat(major(number), ":", minor(number));
}

std::optional<dev_t> NumberOfDevice(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0 || !S_ISBLK(info.st_mode)) return std::nullopt;
  return info.st_rdev;
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

// Asks the loop device. Nothing where that is not allowed, or where there is another device, or
// none, at its path.
std::optional<LoopSource> AskLoop(const std::string& path, dev_t number) {
  // Only what is the device is opened: opening other things may do something.
  if (NumberOfDevice(path) != number) return std::nullopt;
  const UniqueFd loop(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct loop_info64 told = {};
  if (!loop.ok() || ioctl(loop.get(), LOOP_GET_STATUS64, &told) != 0) return std::nullopt;
  return LoopSource{.filesystem = static_cast<dev_t>(told.lo_device),
                    .inode = static_cast<ino_t>(told.lo_inode),
                    .device = static_cast<dev_t>(told.lo_rdevice)};
}

// Opens a block device for this process alone, and closes it again, which changes nothing on it.
// The errno of that, 0 when it could be opened.
int OpenAlone(const std::string& path, dev_t number) {
  if (NumberOfDevice(path) != number) return ENODEV;
  const UniqueFd device(open(path.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK));
  return device.ok() ? 0 : errno;
}

}  // namespace

std::vector<MountedDevice> MountedDevices(const SystemPaths& system) {
  std::vector<MountedDevice> devices;
  for (const fs::path& filesystem : EntriesOf(fs::path(system.sys) / "fs/btrfs")) {
    for (const fs::path& directory : EntriesOf(filesystem / "devices")) {
      std::optional<SystemDevice> device = DeviceOf(directory, system);
      if (device) devices.push_back({*std::move(device), filesystem.filename()});
    }
  }
  return devices;
}

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
    for (const MountedDevice& mounted : devices) {
      const bool same = number ? *number == mounted.device.number : source == mounted.device.path;
      if (mounted.fsid == fsid && same) return Unescaped(mount[4]);
    }
  }
  return {};
}

bool LoopDevice::ReadsFile(const struct stat& info) const {
  if (source) return source->filesystem == info.st_dev && source->inode == info.st_ino;
  struct stat named;
  return stat(source_name.c_str(), &named) == 0 && named.st_dev == info.st_dev &&
         named.st_ino == info.st_ino;
}

bool LoopDevice::ReadsDevice(dev_t number) const {
  return source ? source->device == number : NumberOfDevice(source_name) == number;
}

bool LoopDevice::ReadsSameAs(const LoopDevice& other) const {
  const bool same = source && other.source ? source->filesystem == other.source->filesystem &&
                                                 source->inode == other.source->inode &&
                                                 source->device == other.source->device
                                           : source_name == other.source_name;
  return same && begin < other.end && other.begin < end;
}

std::vector<LoopDevice> LoopDevices(const SystemPaths& system) {
  std::vector<LoopDevice> loops;
  for (const fs::path& directory : EntriesOf(fs::path(system.sys) / "block")) {
    std::string name = TextOf(directory / "loop/backing_file");
    if (name.empty()) continue;
    std::optional<SystemDevice> device = DeviceOf(directory, system);
    if (!device) continue;
    std::optional<LoopSource> source = system.loop_source
                                           ? system.loop_source(device->path, device->number)
                                           : AskLoop(device->path, device->number);
    const uint64_t begin = NumberIn(directory / "loop/offset");
    const uint64_t limit = NumberIn(directory / "loop/sizelimit");  // 0: there is none
    const uint64_t end = limit == 0 || limit > ~uint64_t{0} - begin ? ~uint64_t{0} : begin + limit;
    loops.push_back({*std::move(device), source, std::move(name), begin, end});
  }
  return loops;
}

std::vector<SystemDevice> PartitionsOf(dev_t number, const SystemPaths& system) {
  std::vector<SystemDevice> partitions;
  for (const fs::path& directory : EntriesOf(DirectoryOf(number, system))) {
    if (TextOf(directory / "partition").empty()) continue;
    std::optional<SystemDevice> partition = DeviceOf(directory, system);
    if (partition) partitions.push_back(*std::move(partition));
  }
  return partitions;
}

std::vector<SystemDevice> HoldersOf(dev_t number, const SystemPaths& system) {
  std::vector<SystemDevice> holders;
  for (const fs::path& directory : EntriesOf(DirectoryOf(number, system) / "holders")) {
    std::optional<SystemDevice> holder = DeviceOf(directory, system);
    if (holder) holders.push_back(*std::move(holder));
  }
  return holders;
}

bool HeldByAnother(const SystemDevice& device, const SystemPaths& system) {
  const int error = system.open_alone ? system.open_alone(device.path, device.number)
                                      : OpenAlone(device.path, device.number);
  return error == EBUSY;
}

}  // namespace ebcache
