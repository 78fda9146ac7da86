// HashMultiplier: by what an index multiplies the numbers of blocks to spread them.
//
// Multiplying and taking the topmost bits of the product spreads numbers that follow each other,
// which most do, more evenly than chance would, if the multiplier is to 2^64 as a fraction that is
// hard to approximate: one whose continued fraction has small terms only. The golden ratio has the
// smallest, and is the usual multiplier; so the maker of an image can choose addresses that all go
// to one place. So each index has a multiplier of its own, of those whose terms are ones and twos
// in an order that chance decides (about 2^37 of them): neighbours lie as well as with the golden
// ratio, or nearly, and no image can know where anything goes.

#include <sys/random.h>

#include <chrono>

#include "ebcache/internal/sync.h"
#include "lib/cache/buffer_index.h"

namespace ebcache {

uint64_t MultiplierOf(uint64_t choices) {
  // The fraction so far, and the one before. Beyond 2^32 further terms would change nothing for any
  // table that fits into memory.
  uint64_t above = 0, below = 1;
  uint64_t above_before = 1, below_before = 0;
  while (below < uint64_t{1} << 32) {
    const uint64_t term = 1 + (choices & 1);
    choices >>= 1;
    const uint64_t above_next = term * above + above_before;
    const uint64_t below_next = term * below + below_before;
    above_before = above;
    below_before = below;
    above = above_next;
    below = below_next;
  }
  // Odd, so that no two numbers have one product.
  __extension__ using uint128 = unsigned __int128;
  return static_cast<uint64_t>((uint128{above} << 64) / below) | 1;
}

uint64_t RandomMultiplier() {
  if (sync::ModelOr<bool>(true, false)) return MultiplierOf(0);
  uint64_t choices = 0;
  if (getrandom(&choices, sizeof choices, GRND_NONBLOCK) != sizeof choices) {
    // Early in the life of the system, or in a sandbox. Where the stack lies is chance as well.
    choices = reinterpret_cast<uintptr_t>(&choices) >> 4;
    choices ^= static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count())
               << 20;
  }
  return MultiplierOf(choices);
}

}  // namespace ebcache
