// What the system tells of block devices and of what btrfs has mounted: in sysfs, in mountinfo, and
// by the devices themselves. Each function looks anew. Devices come and go meanwhile: what is gone
// is left out. Nothing is written.
//
// Thread safety: any thread.

#ifndef EBCACHE_LIB_DEVICE_SYSTEM_DEVICES_H_
#define EBCACHE_LIB_DEVICE_SYSTEM_DEVICES_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/device_use.h"

namespace ebcache {

struct SystemDevice {
  dev_t number;
  std::string path;  // "/dev/loop0", where it should be found
};

// A device of a filesystem that btrfs has mounted, in whichever mount namespace.
struct MountedDevice {
  SystemDevice device;
  std::string fsid;
};

std::vector<MountedDevice> MountedDevices(const SystemPaths& system);

// Where this process sees the filesystem mounted, by any of its devices. Empty: nowhere.
std::string MountPointOf(const std::string& fsid, const std::vector<MountedDevice>& devices,
                         const SystemPaths& system);

// A loop device that has a file or a device to read.
struct LoopDevice {
  // The file that `info` tells of, which is no device.
  bool ReadsFile(const struct stat& info) const;
  bool ReadsDevice(dev_t number) const;
  // Whether both read one file or device, and some of the same bytes of it.
  bool ReadsSameAs(const LoopDevice& other) const;
  // All of what it reads.
  bool ReadsWhole() const { return begin == 0 && end == ~uint64_t{0}; }

  SystemDevice device;
  // Nothing where the loop device cannot be asked: then there is only the name.
  std::optional<LoopSource> source;
  // In whichever mount namespace it was opened; with " (deleted)" behind it when it was removed.
  std::string source_name;
  // Of the bytes of its source. Sources are not asked how long they are.
  uint64_t begin = 0;
  uint64_t end = ~uint64_t{0};
};

std::vector<LoopDevice> LoopDevices(const SystemPaths& system);

std::vector<SystemDevice> PartitionsOf(dev_t number, const SystemPaths& system);

// The devices of device mapper, md and their like that have this one for themselves.
std::vector<SystemDevice> HoldersOf(dev_t number, const SystemPaths& system);

// Whether the device is mounted, or part of something else that is in use. False also where the
// device may not be opened or is not at its path: then it is not known.
bool HeldByAnother(const SystemDevice& device, const SystemPaths& system);

}  // namespace ebcache

#endif  // EBCACHE_LIB_DEVICE_SYSTEM_DEVICES_H_
