// Where things are in a superblock, for those who look before they parse.

#ifndef EBCACHE_LIB_FORMAT_SUPERBLOCK_FORMAT_H_
#define EBCACHE_LIB_FORMAT_SUPERBLOCK_FORMAT_H_

#include <absl/types/span.h>

#include <cstddef>

#include "lib/format/layout_superblock.h"

namespace ebcache {

inline constexpr size_t kSuperblockMagicOffset = format::kOffsetOf<&Superblock::magic>;
using format::kSystemChunkArrayOffset;

// Whether there is a btrfs superblock at all, sound or not.
bool HasSuperblockMagic(absl::Span<const std::byte> bytes);

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_SUPERBLOCK_FORMAT_H_
