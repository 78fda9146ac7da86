#include "tests/mutation/switch.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "tests/mutation/reached.h"

namespace {

constexpr int kNone = -1;
constexpr int kNotRead = -2;

// Relaxed throughout: the value is the same whichever thread reads the environment, and the bytes
// are looked at when the threads that set them have ended.
constinit std::atomic<int> active{kNotRead};
constinit std::atomic<unsigned char*> reached{nullptr};
constinit std::atomic<size_t> reached_bytes{0};

int ReadEnvironment() {
  if (const char* path = std::getenv("EBCACHE_MUTANTS_REACHED"); path != nullptr) {
    const int file = open(path, O_RDWR | O_CLOEXEC);
    struct stat status = {};
    if (file < 0 || fstat(file, &status) != 0) std::abort();
    void* map = mmap(nullptr, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) std::abort();
    close(file);  // a program may count those it has, or have none of its own where stdout was
    reached_bytes.store(status.st_size, std::memory_order_relaxed);
    reached.store(static_cast<unsigned char*>(map), std::memory_order_release);
  }
  const char* text = std::getenv("EBCACHE_MUTANT");
  const int number = text != nullptr ? std::atoi(text) : kNone;
  active.store(number, std::memory_order_relaxed);
  return number;
}

}  // namespace

bool EbcacheMutantIsActive(unsigned number) noexcept {
  int now = active.load(std::memory_order_relaxed);
  if (now == kNotRead) now = ReadEnvironment();
  // Acquire: the size belongs to the map.
  unsigned char* bytes = reached.load(std::memory_order_acquire);
  if (bytes != nullptr && number < reached_bytes.load(std::memory_order_relaxed)) bytes[number] = 1;
  return now == static_cast<int>(number);
}

std::span<unsigned char> ReachedMutants() {
  if (active.load(std::memory_order_relaxed) == kNotRead) ReadEnvironment();
  return {reached.load(std::memory_order_acquire), reached_bytes.load(std::memory_order_relaxed)};
}
