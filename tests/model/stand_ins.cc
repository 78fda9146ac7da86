// What the model build has in place of lib/base/check.cc and os_calls.cc.

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "ebcache/allocators.h"
#include "lib/base/check.h"
#include "tests/model/scheduler.h"

namespace ebcache {

void CheckFailed(const char* file, int line, const char* condition, const char* message) {
  model::Scheduler::Get().Fail(std::string(file) + ":" + std::to_string(line) +
                               ": check failed: " + condition + ": " + message);
}

namespace {

// Memory is kept from run to run: asking the OS each time would take longer than the run.
class PooledOs final : public OsCalls {
 public:
  void* Map(size_t bytes, size_t alignment) override {
    std::vector<void*>& pool = pools_[bytes];
    void* memory = nullptr;
    if (pool.empty()) {
      memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    } else {
      memory = pool.back();
      pool.pop_back();
    }
    // Whoever asks for as much as a chunk of descriptors sets up what it uses.
    if (bytes <= kZeroed) std::memset(memory, 0, bytes);
    return memory;
  }
  void Unmap(void* address, size_t bytes) override { pools_[bytes].push_back(address); }
  bool Purge(void*, size_t) override { return false; }
  bool AdviseHugePages(void*, size_t) override { return false; }

 private:
  static constexpr size_t kZeroed = size_t{64} << 10;
  std::map<size_t, std::vector<void*>> pools_;
};

}  // namespace

size_t OsCalls::PageBytes() { return 4096; }

OsCalls* OsCalls::Real() {
  static auto* const os = new PooledOs;
  return os;
}

}  // namespace ebcache
