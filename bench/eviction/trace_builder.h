// TraceBuilder: makes an AccessTrace of addresses in the order in which they are touched.

#ifndef EBCACHE_BENCH_EVICTION_TRACE_BUILDER_H_
#define EBCACHE_BENCH_EVICTION_TRACE_BUILDER_H_

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <string>
#include <utility>

#include "bench/eviction/access_trace.h"

namespace ebcache::eviction {

// Gives blocks their numbers, and keeps the counts right.
class TraceBuilder {
 public:
  explicit TraceBuilder(std::string name) { trace_.name = std::move(name); }

  void Touch(uint64_t address) { Add(Access::Kind::kTouch, address); }
  void Add(Access::Kind kind, uint64_t address) {
    const auto [it, added] = numbers_.try_emplace(address, trace_.blocks);
    if (added) ++trace_.blocks;
    trace_.accesses.push_back({.kind = kind, .block = it->second});
    if (kind == Access::Kind::kTouch) ++trace_.touches;
  }
  AccessTrace Take() { return std::move(trace_); }

 private:
  AccessTrace trace_;
  absl::flat_hash_map<uint64_t, uint32_t> numbers_;
};

}  // namespace ebcache::eviction

#endif  // EBCACHE_BENCH_EVICTION_TRACE_BUILDER_H_
