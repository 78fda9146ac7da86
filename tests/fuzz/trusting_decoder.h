// A reader of items that checks nothing.

#ifndef EBCACHE_TESTS_FUZZ_TRUSTING_DECODER_H_
#define EBCACHE_TESTS_FUZZ_TRUSTING_DECODER_H_

#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>

#include "ebcache/on_disk.h"

namespace ebcache::fuzz {

// Decodes an item the way a tool does that relies on the checker: follows each length, loads each
// field, adds up each range. Aborts where that leads out of the item, past 2^64 or to a division by
// zero. Returns a number made of all it saw, for nothing to be optimised away.
//
// REQUIRES: the item is of a leaf that passed the checker. That is what is being tested.
uint64_t DecodeTrustingly(const Key& key, absl::Span<const std::byte> item);

}  // namespace ebcache::fuzz

#endif  // EBCACHE_TESTS_FUZZ_TRUSTING_DECODER_H_
