// Filesystems on devices made of memory, as mkfs.btrfs has made them.

#ifndef EBCACHE_TESTS_CRASH_DISKS_H_
#define EBCACHE_TESTS_CRASH_DISKS_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/filesystem.h"
#include "tests/device/cow_image.h"
#include "tests/device/device_log.h"

namespace ebcache::testing {

// What every device of a filesystem holds.
using Disks = std::vector<CowImage>;

// A way to make a filesystem.
struct DiskKind {
  const char* name;     // letters and digits
  const char* options;  // of mkfs.btrfs
  int devices;
  uint64_t device_bytes = uint64_t{128} << 20;
};
extern const std::vector<DiskKind> kDiskKinds;

// Empty when mkfs.btrfs failed. The files are gone when this returns.
Disks MakeDisks(const DiskKind& kind);

struct OpenDisksOptions {
  bool writable = false;
  DeviceLog* log = nullptr;  // borrowed; gets the devices
  std::function<void(const MirrorDamage&)> on_damage = {};
};
// Disks that are written to are copies: what is written is in the log, or lost with the filesystem.
absl::StatusOr<std::unique_ptr<Filesystem>> OpenDisks(const Disks& disks,
                                                      OpenDisksOptions options = {});

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_CRASH_DISKS_H_
