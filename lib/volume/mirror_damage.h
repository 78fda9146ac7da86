// The making of MirrorDamage, and of the error when no copy is left.

#ifndef EBCACHE_LIB_VOLUME_MIRROR_DAMAGE_H_
#define EBCACHE_LIB_VOLUME_MIRROR_DAMAGE_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ebcache/volume.h"

namespace ebcache {

// `copy` is the mirror number - 1.
MirrorDamage MakeDamage(uint64_t logical, size_t copy, const PhysicalExtent& extent,
                        const absl::Status& reason);

// "block 30408704: WHAT: mirror 1 on disk0.img at 38797312: REASON; mirror 2 ..."
// ResourceExhausted, whatever `code` is, where one of them had no memory.
absl::Status AllCopiesFailed(absl::StatusCode code, const char* what, uint64_t logical,
                             const std::vector<MirrorDamage>& failures);

// What there is to say of a copy on a device that is missing.
absl::Status MissingDeviceError();

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_MIRROR_DAMAGE_H_
