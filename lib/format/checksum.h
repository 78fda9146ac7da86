// The four checksums that protect superblocks and tree blocks.

#ifndef EBCACHE_LIB_FORMAT_CHECKSUM_H_
#define EBCACHE_LIB_FORMAT_CHECKSUM_H_

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ebcache/on_disk.h"

namespace ebcache {

// The type that `on_disk` stands for, if any.
std::optional<ChecksumType> ChecksumTypeFromDisk(uint16_t on_disk);

// "crc32c", "xxhash64", "sha256", "blake2b".
std::string_view ChecksumName(ChecksumType type);

// How many bytes of a Checksum are in use.
size_t ChecksumBytes(ChecksumType type);

// The checksum of `pieces`, taken as one run of bytes.
// Errors: Internal (libgcrypt refuses to work, as in FIPS mode it does for blake2b).
absl::StatusOr<Checksum> ComputeChecksum(ChecksumType type,
                                         absl::Span<const absl::Span<const std::byte>> pieces);

// The same for a superblock or a tree block: all but the area in front that holds the checksum.
absl::StatusOr<Checksum> ComputeBlockChecksum(ChecksumType type,
                                              absl::Span<const absl::Span<const std::byte>> pieces);

// OK when `stored` is `computed`; else DataLoss "checksum mismatch (crc32c): wanted 0x.., found
// 0x..", where wanted is what is stored on disk, as the kernel words it.
absl::Status CompareChecksums(ChecksumType type, const Checksum& stored, const Checksum& computed);

// crc32c as it runs: from a crc so far, ~0 at the front, without the inversion at the end.
uint32_t Crc32cOf(uint32_t crc, absl::Span<const std::byte> bytes);

// The crc32c by which directories find a name.
uint32_t NameHash(absl::Span<const std::byte> name);

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_CHECKSUM_H_
