// Devices: chunks against the extents of devices, and what devices, superblock and system chunks say.

#ifndef EBCACHE_TOOLS_CHECK_DEVICES_H_
#define EBCACHE_TOOLS_CHECK_DEVICES_H_

#include "tools/check/state.h"

namespace ebcache::tools {

// All of it is in memory: chunks are few.
void CheckDevices(CheckState& state);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_DEVICES_H_
