#include "bench/cache/system_heap.h"

#include <dlfcn.h>
#include <gnu/lib-names.h>

#include "lib/base/check.h"

namespace ebcache::bench {

const SystemHeap& SystemHeap::Get() {
  static const SystemHeap heap = [] {
    // By its own handle: the names alone lead to whatever was linked in front.
    void* library = dlopen(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD);
    EBCACHE_CHECK(library != nullptr, "the C library is not there by its name");
    const SystemHeap found = {
        .malloc = reinterpret_cast<void* (*)(size_t)>(dlsym(library, "malloc")),
        .calloc = reinterpret_cast<void* (*)(size_t, size_t)>(dlsym(library, "calloc")),
        .free = reinterpret_cast<void (*)(void*)>(dlsym(library, "free"))};
    EBCACHE_CHECK(found.malloc != nullptr && found.calloc != nullptr && found.free != nullptr,
                  "the C library has no heap");
    return found;
  }();
  return heap;
}

}  // namespace ebcache::bench
