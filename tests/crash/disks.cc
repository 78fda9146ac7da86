#include "tests/crash/disks.h"

#include <absl/strings/str_cat.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "ebcache/allocators.h"
#include "tests/device/recording_device.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::testing {
namespace {

constexpr uint64_t kBudgetBytes = uint64_t{8} << 20;
// The least that has room for the mirror of a superblock, without which one that is torn is all that
// there is; the space for blocks is soon used once.
constexpr uint64_t kSmall = uint64_t{66} << 20;

}  // namespace

const std::vector<DiskKind> kDiskKinds = {
    {"Dup", "-n 4096", 1},
    {"DupNoTree", "-n 4096 --csum xxhash -R ^free-space-tree", 1},
    {"MixedFat", "--mixed -n 4096 -O ^skinny-metadata,^no-holes", 1, kSmall},
    {"Raid1", "-n 4096 --csum sha256 -m raid1 -d raid1", 2},
    {"Raid0", "-n 4096 --csum xxhash -m raid0 -d raid0", 2},
    {"Raid1c3", "-n 4096 -m raid1c3 -d single", 3},
    {"Raid10", "-n 4096 --csum blake2 -m raid10 -d raid10", 4},
};

Disks MakeDisks(const DiskKind& kind) {
  Disks disks;
  for (const std::string& path : MakeImages(kind.options, kind.devices, kind.device_bytes)) {
    const std::shared_ptr<const BaseImage> base = BaseImage::OfFile(path);
    unlink(path.c_str());
    if (base == nullptr) return {};
    disks.emplace_back(base);
  }
  return disks;
}

absl::StatusOr<std::unique_ptr<Filesystem>> OpenDisks(const Disks& disks,
                                                      OpenDisksOptions options) {
  static const std::shared_ptr<PageAllocator> allocator = HeapAllocator();
  std::vector<std::unique_ptr<BlockDevice>> devices;
  for (size_t i = 0; i < disks.size(); ++i) {
    devices.push_back(
        std::make_unique<RecordingDevice>(absl::StrCat("disk", i), disks[i], options.log));
  }
  FilesystemOptions open;
  open.writable = options.writable;
  open.on_damage = std::move(options.on_damage);
  open.cache.budget_bytes = kBudgetBytes;
  open.cache.allocator = allocator;
  return Filesystem::OpenDevices(std::move(devices), std::move(open));
}

}  // namespace ebcache::testing
