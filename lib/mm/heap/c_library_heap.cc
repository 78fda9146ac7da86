#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <string_view>

#include "lib/mm/heap/mimalloc_heap.h"

namespace ebcache {
namespace {

class CLibrary final : public HeapMemory {
 public:
  std::string_view name() const override { return "heap"; }

  void* Allocate(size_t bytes, size_t alignment, AllocFlags) override {
    return std::aligned_alloc(alignment, bytes);
  }

  void Free(void* address, size_t) override { std::free(address); }

  size_t Trim() override {
    const size_t before = HeldBytes();
    malloc_trim(0);
    const size_t after = HeldBytes();
    return before > after ? before - after : 0;
  }

 private:
  // Of free memory: the top of the heap is what goes back for sure.
  static size_t HeldBytes() { return mallinfo2().arena; }
};

}  // namespace

std::shared_ptr<HeapMemory> CLibraryHeap() { return std::make_shared<CLibrary>(); }

}  // namespace ebcache
