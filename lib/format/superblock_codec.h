// Superblocks between bytes and struct, unchecked: the fields of the layout, the label, and the
// system chunks; and where things are, for code that looks before it parses.

#ifndef EBCACHE_LIB_FORMAT_SUPERBLOCK_CODEC_H_
#define EBCACHE_LIB_FORMAT_SUPERBLOCK_CODEC_H_

#include <absl/types/span.h>

#include <cstddef>

#include "ebcache/on_disk.h"
#include "lib/format/codec.h"
#include "lib/format/layout_superblock.h"

namespace ebcache {

inline constexpr size_t kSuperblockMagicOffset = format::kOffsetOf<&Superblock::magic>;
using format::kSystemChunkArrayOffset;

// Whether there is a btrfs superblock at all, sound or not.
bool HasSuperblockMagic(absl::Span<const std::byte> bytes);

}  // namespace ebcache

namespace ebcache::format {

// The label, and the first `array_bytes` of the system chunk array, and what lies behind both.
// REQUIRES: kSuperblockBytes bytes.
void DecodeVariableParts(absl::Span<const std::byte> bytes, size_t array_bytes,
                         Superblock& superblock);

template <>
struct Codec<Superblock> {
  static constexpr const char* kName = Layout<Superblock>::kName;

  static absl::Status Decode(absl::Span<const std::byte> bytes, Superblock& value, size_t& used);
  static size_t Bytes(const Superblock&) { return kSuperblockBytes; }
  static absl::Status Check(const Superblock& value);
  static void Encode(const Superblock& value, std::byte* out);
};

}  // namespace ebcache::format

#endif  // EBCACHE_LIB_FORMAT_SUPERBLOCK_CODEC_H_
