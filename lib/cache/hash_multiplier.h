// HashMultiplier: by what an index multiplies the numbers of blocks to spread them.
//
// Multiplying and taking the topmost bits of the product spreads numbers that follow each other,
// which most do, more evenly than chance would, if the multiplier is to 2^64 as a fraction that is
// hard to approximate: one whose continued fraction has small terms only. The golden ratio has the
// smallest, and is the usual multiplier; so the maker of an image can choose addresses that all go
// to one place. So each index has a multiplier of its own, of those whose terms are ones and twos
// in an order that chance decides (about 2^37 of them): neighbours lie as well as with the golden
// ratio, or nearly, and no image can know where anything goes.

#ifndef EBCACHE_LIB_CACHE_HASH_MULTIPLIER_H_
#define EBCACHE_LIB_CACHE_HASH_MULTIPLIER_H_

#include <cstdint>

namespace ebcache {

// The multiplier for these choices, a bit for each term: 0 a one, 1 a two. All ones: the golden
// ratio's.
uint64_t MultiplierOf(uint64_t choices);

// A multiplier that others cannot guess. In the model build it is always the golden ratio's: there
// every run must be as the one before.
uint64_t RandomMultiplier();

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_HASH_MULTIPLIER_H_
