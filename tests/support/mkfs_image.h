// Images made by mkfs.btrfs, where that is installed.

#ifndef EBCACHE_TESTS_SUPPORT_MKFS_IMAGE_H_
#define EBCACHE_TESTS_SUPPORT_MKFS_IMAGE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace ebcache::testing {

// Whether mkfs.btrfs can be run. A test that needs it is to be skipped, with a reason, when not.
bool HaveMkfs();

// Makes `devices` sparse files of that size and one filesystem on them with the given options
// ("--csum xxhash -n 4096"); returns their paths. Empty when mkfs.btrfs failed.
std::vector<std::string> MakeImages(const std::string& options, int devices = 1,
                                    uint64_t device_bytes = uint64_t{256} << 20);

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_SUPPORT_MKFS_IMAGE_H_
