// Reads nothing, successfully: phantom frames have no place for it.

#ifndef EBCACHE_BENCH_LAB_NULL_SOURCE_H_
#define EBCACHE_BENCH_LAB_NULL_SOURCE_H_

#include "bench/lab/machine.h"

namespace ebcache::lab {

class Machine::NullSource final : public BlockSource {
 public:
  void Read(absl::Span<BlockRead> reads) override {
    for (BlockRead& read : reads) read.status = absl::OkStatus();
  }
  absl::Status CheckParent(const ExtentBuffer&, const ParentCheck&) override {
    return absl::OkStatus();
  }
  void Write(absl::Span<BlockWrite> writes) override {
    for (BlockWrite& write : writes) write.status = absl::OkStatus();
  }
};

}  // namespace ebcache::lab

#endif  // EBCACHE_BENCH_LAB_NULL_SOURCE_H_
