// Whether a device or an image file is in use: its blocks change while they are read then, and what
// looks like damage is a moment between two writes.

#ifndef EBCACHE_DEVICE_USE_H_
#define EBCACHE_DEVICE_USE_H_

#include <optional>
#include <string>

namespace ebcache {

// Where the system tells of itself. Tests have files of their own.
struct SystemPaths {
  std::string proc = "/proc";
  std::string sys = "/sys";
  std::string dev = "/dev";
};

// Who uses the device or image file at `path`, as the end of a sentence that begins with its name:
// "is mounted at /mnt", "is what /dev/loop0 reads, which is mounted at /mnt", "belongs to a
// filesystem that is mounted (UUID)", "is in use by the kernel or by another program". Nothing when
// it is not in use, or is not there.
//
// Found are: mounts by btrfs, in every mount namespace and by any of the filesystem's devices;
// block devices that are open for one user alone (device mapper, md, swap, mkfs); and image files
// of which loop devices are made that are one of these. Not found are image files that a
// virtual machine has opened, and devices that another machine uses. Writes nothing. It is a look
// at one moment: a mount may come afterwards.
//
// Thread safety: any thread.
std::optional<std::string> FindDeviceUse(const std::string& path, const SystemPaths& system = {});

}  // namespace ebcache

#endif  // EBCACHE_DEVICE_USE_H_
