// Every allocator at every page size, for parametrised suites; and owners for tests.

#ifndef EBCACHE_TESTS_MM_ALLOCATOR_CASES_H_
#define EBCACHE_TESTS_MM_ALLOCATOR_CASES_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/movable_region.h"
#include "ebcache/testing/fault_injection.h"
#include "tests/support/scattered_pages.h"

namespace ebcache {

// A heap of an embedder's: the C library's.
class LibcHeap final : public HeapMemory {
 public:
  std::string_view name() const override { return "libc heap"; }
  void* Allocate(size_t bytes, size_t alignment, AllocFlags) override {
    return std::aligned_alloc(alignment, bytes);
  }
  void Free(void* address, size_t) override { std::free(address); }
  size_t Trim() override { return 0; }
};

struct AllocatorCase {
  const char* name;
  size_t page_bytes;
  int max_order;
  // With small arenas: how many pages there are. 0: no such limit.
  size_t pages = 0;
  // Whether pages may be free and yet not fit.
  bool may_fragment = false;

  std::shared_ptr<PageAllocator> Make() const {
    const std::string_view kind = name;
    if (kind == "heap") return HeapAllocator({.page_bytes = page_bytes});
    if (kind == "libc heap") {
      return HeapAllocator({.page_bytes = page_bytes, .memory = std::make_shared<LibcHeap>()});
    }
    if (kind == "movable-region") return MakeRegion();
    if (kind == "high") return HighOrderAllocator({.pages = MakeRegion()});
    if (kind == "vmap") {
      return VmapAllocator({.page_bytes = page_bytes, .arena_bytes = pages * page_bytes});
    }
    auto order0 = Order0Allocator({.page_bytes = page_bytes, .arena_bytes = pages * page_bytes});
    if (kind == "order0") return order0;
    return FaultInjectingAllocator(order0, FaultOptions{.probability = 0, .min_order = 0});
  }

  std::shared_ptr<MovableRegion> MakeRegion() const {
    return MovableRegion::Create({.page_bytes = page_bytes,
                                  .arena_bytes = pages * page_bytes,
                                  .superpageblock_bytes = size_t{4} << 20});
  }
};

inline std::vector<AllocatorCase> AllAllocatorCases() {
  std::vector<AllocatorCase> cases;
  for (size_t page_bytes : {4096, 16384, 65536}) {
    for (const char* name : {"heap", "libc heap"}) {
      cases.push_back({.name = name, .page_bytes = page_bytes, .max_order = kMaxFolioOrder});
    }
    for (const char* name : {"order0", "vmap", "failing order0"}) {
      cases.push_back({.name = name,
                       .page_bytes = page_bytes,
                       .max_order = 0,
                       .pages = (size_t{16} << 20) / page_bytes});
    }
    const int superpageblock_order = std::countr_zero((size_t{4} << 20) / page_bytes);
    for (const char* name : {"movable-region", "high"}) {
      cases.push_back({.name = name,
                       .page_bytes = page_bytes,
                       .max_order = std::min(kMaxFolioOrder, superpageblock_order),
                       .pages = (size_t{64} << 20) / page_bytes});
    }
  }
  return cases;
}

inline void PrintTo(const AllocatorCase& c, std::ostream* out) {
  *out << c.name << " of " << c.page_bytes;
}

inline std::string AllocatorCaseName(const testing::TestParamInfo<AllocatorCase>& info) {
  std::string name = std::string(info.param.name) + "_" + std::to_string(info.param.page_bytes);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == ' '; }, '_');
  return name;
}

// An owner who keeps the migrability contract, or does not.
class TestOwner final : public FolioOwner {
 public:
  explicit TestOwner(bool movable) : movable_(movable) {}
  std::string_view name() const override { return movable_ ? "mover" : "squatter"; }
  bool movable() const override { return movable_; }

 private:
  const bool movable_;
};

}  // namespace ebcache

#endif  // EBCACHE_TESTS_MM_ALLOCATOR_CASES_H_
