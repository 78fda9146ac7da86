// A whole filesystem in a few blocks, made of memory, for the fuzzer to break.

#ifndef EBCACHE_TESTS_FUZZ_SMALL_IMAGE_H_
#define EBCACHE_TESTS_FUZZ_SMALL_IMAGE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/format/format_bytes.h"

namespace ebcache::fuzz {

inline constexpr uint32_t kImageNodeBytes = 4096;
inline constexpr uint64_t kImageDeviceBytes = uint64_t{32} << 20;

// A block of the image, or its superblock.
struct ImageBlock {
  uint64_t logical = 0;                // of the superblock: where it is
  std::array<uint64_t, 2> physical{};  // its copies; the superblock has the one
  testing::Bytes bytes;
};

// Sound as it is: superblock first, then chunk, root, extent, device, file (three levels), checksum
// and log tree, each block twice.
const std::vector<ImageBlock>& SmallImage();

}  // namespace ebcache::fuzz

#endif  // EBCACHE_TESTS_FUZZ_SMALL_IMAGE_H_
