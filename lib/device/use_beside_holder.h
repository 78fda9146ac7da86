// What uses a device or an image file besides the caller, who has it open for itself alone.

#ifndef EBCACHE_LIB_DEVICE_USE_BESIDE_HOLDER_H_
#define EBCACHE_LIB_DEVICE_USE_BESIDE_HOLDER_H_

#include <sys/stat.h>

#include <optional>
#include <string>

#include "ebcache/device_use.h"

namespace ebcache {

// As FindDeviceUse, of the file that `info` tells of, which `path` names in messages. That the
// device, or a partition of it, is open for one user alone is no use: that user is the caller.
//
// Thread safety: any thread. Throws bad_alloc.
std::optional<std::string> FindUseBesideHolder(const std::string& path, const struct stat& info,
                                               const SystemPaths& system);

}  // namespace ebcache

#endif  // EBCACHE_LIB_DEVICE_USE_BESIDE_HOLDER_H_
