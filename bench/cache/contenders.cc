#include "bench/cache/contender.h"

namespace ebcache::bench {

const std::vector<ContenderKind>& ContenderKinds() {
  static const std::vector<ContenderKind> kinds = {
    {kEbcache, true, MakeEbcache},
#if defined(EBCACHE_BENCH_PEERS)
    {kHyperClock, true, MakeRocksHyperClock},
    {kRocksLru, true, MakeRocksLru},
    {kTbbMap, true, MakeTbbMap},
#endif
    {kLockedMap, true, MakeLockedMap},
    {kTreeAndList, false, MakeTreeAndList},
  };
  return kinds;
}

const ContenderKind* FindContenderKind(std::string_view name) {
  for (const ContenderKind& kind : ContenderKinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

}  // namespace ebcache::bench
