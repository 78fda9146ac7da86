// Where things are in a superblock, for code that looks before it parses.

#ifndef EBCACHE_LIB_FORMAT_SUPERBLOCK_FORMAT_H_
#define EBCACHE_LIB_FORMAT_SUPERBLOCK_FORMAT_H_

#include <absl/types/span.h>

#include <cstddef>

namespace ebcache {

inline constexpr size_t kSuperblockMagicOffset = 64;
inline constexpr size_t kSystemChunkArrayOffset = 811;

// Whether there is a btrfs superblock at all, sound or not.
bool HasSuperblockMagic(absl::Span<const std::byte> bytes);

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_SUPERBLOCK_FORMAT_H_
