// LeastOf: numbered places with a key each, and which of them has the least.
//
// A tournament: each key plays its neighbour, the winners play each other. Setting a key plays its
// games anew, which are as many as the logarithm of the number of places; asking for the least is
// a walk down the winners. Of equal keys the lower place wins.
//
// Thread safety: none; its owner has a lock.

#ifndef EBCACHE_LIB_CACHE_LEAST_OF_H_
#define EBCACHE_LIB_CACHE_LEAST_OF_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>

namespace ebcache {

template <typename Key, size_t kPlaces>
class LeastOf {
 public:
  static_assert((kPlaces & (kPlaces - 1)) == 0, "a power of two");
  static constexpr Key kNone = std::numeric_limits<Key>::max();

  LeastOf() { keys_.fill(kNone); }

  // REQUIRES: place < kPlaces. kNone: the place takes no part.
  void Set(size_t place, Key key) {
    size_t at = kPlaces + place;
    keys_[at] = key;
    while (at > 1) {
      at /= 2;
      const Key winner = std::min(keys_[2 * at], keys_[2 * at + 1]);
      if (keys_[at] == winner) return;
      keys_[at] = winner;
    }
  }
  Key least() const { return keys_[1]; }
  // The place of the least key. REQUIRES: least() != kNone.
  size_t place() const {
    size_t at = 1;
    while (at < kPlaces) at = keys_[2 * at] == keys_[at] ? 2 * at : 2 * at + 1;
    return at - kPlaces;
  }

 private:
  // The winner of all is at 1, those of the games below `at` at 2 * at and the place behind it.
  std::array<Key, 2 * kPlaces> keys_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_LEAST_OF_H_
