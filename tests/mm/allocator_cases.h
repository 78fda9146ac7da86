// Every allocator at every page size, for parametrised suites; and owners for tests.

#ifndef EBCACHE_TESTS_MM_ALLOCATOR_CASES_H_
#define EBCACHE_TESTS_MM_ALLOCATOR_CASES_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "ebcache/allocators.h"

namespace ebcache {

struct AllocatorCase {
  const char* name;
  size_t page_bytes;
  int max_order;
  // Order0 with small arenas: how many pages there are. 0: no such limit.
  size_t pages = 0;

  std::shared_ptr<PageAllocator> Make() const {
    if (std::string_view(name) == "heap") return HeapAllocator({.page_bytes = page_bytes});
    return Order0Allocator({.page_bytes = page_bytes, .arena_bytes = pages * page_bytes});
  }
};

inline std::vector<AllocatorCase> AllAllocatorCases() {
  std::vector<AllocatorCase> cases;
  for (size_t page_bytes : {4096, 16384, 65536}) {
    cases.push_back({.name = "heap", .page_bytes = page_bytes, .max_order = kMaxFolioOrder});
    cases.push_back({.name = "order0",
                     .page_bytes = page_bytes,
                     .max_order = 0,
                     .pages = (size_t{16} << 20) / page_bytes});
  }
  return cases;
}

inline void PrintTo(const AllocatorCase& c, std::ostream* out) {
  *out << c.name << " of " << c.page_bytes;
}

inline std::string AllocatorCaseName(const testing::TestParamInfo<AllocatorCase>& info) {
  return std::string(info.param.name) + "_" + std::to_string(info.param.page_bytes);
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
