#include "lib/mm/heap/mimalloc_heap.h"

#include <dlfcn.h>
#include <sys/auxv.h>

#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string_view>

#if defined(__has_include) && __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
extern "C" void AnnotateIgnoreWritesBegin(const char* file, int line);
extern "C" void AnnotateIgnoreWritesEnd(const char* file, int line);
#endif

namespace ebcache {
namespace {

#if defined(__SANITIZE_THREAD__)
// mimalloc is not built for the thread sanitizer, which therefore does not see how memory is handed
// over inside: from the thread that freed it to the one that gets it next. This tells it.
class InsideMimalloc {
 public:
  InsideMimalloc() {
    __tsan_release(&handed_over);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~InsideMimalloc() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    __tsan_acquire(&handed_over);
  }

 private:
  static inline char handed_over;
};
#else
struct InsideMimalloc {
  InsideMimalloc() {}
};
#endif

// What is used of mimalloc.h, whose functions have been these in versions 1 to 3.
struct Functions {
  void* (*malloc_aligned)(size_t bytes, size_t alignment) = nullptr;
  void (*free)(void* address) = nullptr;
  void (*collect)(bool force) = nullptr;
  void (*process_info)(size_t* elapsed_msecs, size_t* user_msecs, size_t* system_msecs,
                       size_t* current_rss, size_t* peak_rss, size_t* current_commit,
                       size_t* peak_commit, size_t* page_faults) = nullptr;
};

template <typename Function>
void Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
}

std::optional<Functions> FunctionsOf(void* library) {
  Functions found;
  Find(library, "mi_malloc_aligned", found.malloc_aligned);
  Find(library, "mi_free", found.free);
  Find(library, "mi_collect", found.collect);
  Find(library, "mi_process_info", found.process_info);
  const bool all = found.malloc_aligned != nullptr && found.free != nullptr &&
                   found.collect != nullptr && found.process_info != nullptr;
  return all ? std::optional<Functions>(found) : std::nullopt;
}

// Whether blocks are to come from the C library's heap all the same: a checker that knows malloc and free sees
// nothing of what mimalloc does inside of its own memory. Under valgrind, or where the environment says so.
bool WantsCLibrary() {
#if defined(RUNNING_ON_VALGRIND)
  if (RUNNING_ON_VALGRIND != 0) return true;
#endif
  const char* const wanted = secure_getenv("EBCACHE_HEAP");
  return wanted != nullptr && std::string_view(wanted) == "c";
}

// Never unloaded: blocks may outlive whatever would count its users.
std::optional<Functions> Load() {
  if (WantsCLibrary()) return std::nullopt;
  // A program without a dynamic linker would get a second C library along with it.
  if (getauxval(AT_BASE) == 0) return std::nullopt;
  if (std::optional<Functions> linked = FunctionsOf(RTLD_DEFAULT)) return linked;
  for (const char* name : {"libmimalloc.so.2", "libmimalloc.so.3", "libmimalloc.so"}) {
    void* const library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) continue;
    if (std::optional<Functions> loaded = FunctionsOf(library)) return loaded;
    dlclose(library);
  }
  return std::nullopt;
}

class Mimalloc final : public HeapMemory {
 public:
  explicit Mimalloc(const Functions& functions) : functions_(functions) {}

  std::string_view name() const override { return "heap"; }

  void* Allocate(size_t bytes, size_t alignment, AllocFlags) override {
    InsideMimalloc inside;
    return functions_.malloc_aligned(bytes, alignment);
  }

  void Free(void* address, size_t) override {
    InsideMimalloc inside;
    functions_.free(address);
  }

  size_t Trim() override {
    // The heap is that of all caches of the process: this is what all of it gave back.
    const size_t before = CommittedBytes();
    functions_.collect(/*force=*/true);
    const size_t after = CommittedBytes();
    return before > after ? before - after : 0;
  }

 private:
  size_t CommittedBytes() const {
    size_t committed = 0;
    functions_.process_info(nullptr, nullptr, nullptr, nullptr, nullptr, &committed, nullptr,
                            nullptr);
    return committed;
  }

  const Functions functions_;
};

}  // namespace

std::shared_ptr<HeapMemory> MimallocHeap() {
  static const std::optional<Functions> functions = Load();
  if (!functions.has_value()) return nullptr;
  return std::make_shared<Mimalloc>(*functions);
}

}  // namespace ebcache
