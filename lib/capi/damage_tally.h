// DamageTally: what a function that goes on beside damage answers in the end.

#ifndef EBCACHE_LIB_CAPI_DAMAGE_TALLY_H_
#define EBCACHE_LIB_CAPI_DAMAGE_TALLY_H_

#include <cstdint>
#include <string>

#include "ebcache/btree.h"

namespace ebcache::capi {

class DamageTally {
 public:
  void Add(const WalkDamage& damage);

  // 0 when nothing was met. Else the words are those of the first, and the number says whether the
  // filesystem is damaged (-EUCLEAN), or may be as it should: then it is the number that they all
  // have (-EIO, -ENOMEM, -ENXIO, that of a callback, ...), or -EIO.
  int Result() const;

 private:
  uint64_t count_ = 0;
  int number_ = 0;
  bool damaged_ = false;
  std::string first_;
};

}  // namespace ebcache::capi

#endif  // EBCACHE_LIB_CAPI_DAMAGE_TALLY_H_
