// Whether a device or an image file is in use: its blocks change while they are read then, and what
// looks like damage is a moment between two writes.

#ifndef EBCACHE_DEVICE_USE_H_
#define EBCACHE_DEVICE_USE_H_

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

namespace ebcache {

// What a loop device reads, by the numbers that stat() has for it.
struct LoopSource {
  dev_t filesystem;  // st_dev
  ino_t inode;
  dev_t device;  // st_rdev; 0 where it is no device
};

// Where the system tells of itself. Tests have files of their own.
struct SystemPaths {
  std::string proc = "/proc";
  std::string sys = "/sys";
  std::string dev = "/dev";

  // Answers in place of those of block devices, which tests cannot make. Empty: the devices are
  // asked. Both are called on the thread that asks for a use, with the path at which the device
  // should be and the number that it has.
  //
  // What a loop device reads; nothing where it cannot be asked.
  std::function<std::optional<LoopSource>(const std::string& path, dev_t number)> loop_source = {};
  // The errno of opening the device for one user alone, 0 when that is possible.
  std::function<int(const std::string& path, dev_t number)> open_alone = {};
};

// What uses the device or image file at `path`, as the end of a sentence that begins with its name:
// "is mounted at /mnt", "is what /dev/loop0 reads, which is mounted at /mnt", "belongs to a
// filesystem that is mounted (UUID)", "is part of /dev/dm-0", "has the partition /dev/sda1, which
// is mounted at /mnt", "reads the same as /dev/loop0, which is mounted at /mnt", "is in use by the
// kernel or by another program". Nothing when it is not in use, or is not there.
//
// Found are: mounts by btrfs, in every mount namespace and by any of the filesystem's devices;
// block devices that are open for one user alone (device mapper, md, swap, mkfs); and image files
// and devices that are below one of these: read by a loop device, under whatever name and in
// whatever mount namespace it was made; divided into partitions; or part of another device; and so
// on, through as many devices as there are. With a loop device go others that read the same bytes,
// and the device of which it reads all.
//
// A process that may not open a loop device (mostly those not of root) knows what it reads only by
// the name that the file or device had when the loop device was made: it is not found where it has
// lost that name, or has another one in the process's own mount namespace. Nor can such a process
// tell that a device is open for one user alone, unless it is part of another device.
//
// Not found at all are image files that a virtual machine has opened, devices that another machine
// uses, and what has the disk that a partition is on, or a device that device mapper's are made of,
// without being open for one user alone. Writes nothing. It is a look at one moment: a mount may come afterwards.
//
// Thread safety: any thread.
std::optional<std::string> FindDeviceUse(const std::string& path, const SystemPaths& system = {});

}  // namespace ebcache

#endif  // EBCACHE_DEVICE_USE_H_
