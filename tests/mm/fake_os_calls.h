// OS calls that fail when told to, and count what they were asked for.

#ifndef EBCACHE_TESTS_MM_FAKE_OS_CALLS_H_
#define EBCACHE_TESTS_MM_FAKE_OS_CALLS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "ebcache/allocators.h"

namespace ebcache {

class FakeOsCalls final : public OsCalls {
 public:
  struct Range {
    std::byte* address;
    size_t bytes;
  };

  // The n-th Map from now on (1 is the next) returns null, and no other.
  void FailMap(int nth) { maps_until_failure_ = nth; }
  void set_purge_works(bool works) { purge_works_ = works; }
  void set_advice_works(bool works) { advice_works_ = works; }

  void* Map(size_t bytes, size_t alignment) override {
    if (maps_until_failure_ > 0 && --maps_until_failure_ == 0) return nullptr;
    void* const address = real_->Map(bytes, alignment);
    if (address != nullptr) mapped_bytes_ += bytes;
    return address;
  }
  void Unmap(void* address, size_t bytes) override {
    mapped_bytes_ -= bytes;
    real_->Unmap(address, bytes);
  }
  bool Purge(void* address, size_t bytes) override {
    if (!purge_works_) return false;
    std::lock_guard lock(mutex_);
    purged_.push_back({static_cast<std::byte*>(address), bytes});
    return real_->Purge(address, bytes);
  }
  bool AdviseHugePages(void* address, size_t bytes) override {
    std::lock_guard lock(mutex_);
    advised_.push_back({static_cast<std::byte*>(address), bytes});
    return advice_works_ && real_->AdviseHugePages(address, bytes);
  }

  int CreateMemory(size_t bytes) override {
    if (!memory_works_) return kNoMemory;
    ++memories_;
    return real_->CreateMemory(bytes);
  }
  void CloseMemory(int memory) override {
    --memories_;
    real_->CloseMemory(memory);
  }
  void* MapMemory(int memory, size_t bytes, size_t alignment) override {
    if (maps_until_failure_ > 0 && --maps_until_failure_ == 0) return nullptr;
    void* const address = real_->MapMemory(memory, bytes, alignment);
    if (address != nullptr) mapped_bytes_ += bytes;
    return address;
  }
  bool PurgeMemory(int memory, size_t offset, size_t bytes) override {
    return purge_works_ && real_->PurgeMemory(memory, offset, bytes);
  }
  void* ReserveAddresses(size_t bytes) override {
    if (!reserve_works_) return nullptr;
    if (on_reserve_) on_reserve_();
    void* const address = real_->ReserveAddresses(bytes);
    if (address != nullptr) mapped_bytes_ += bytes;
    return address;
  }
  // A window that fails is half mapped, as when mappings run out in the middle.
  bool MapWindow(void* address, int memory, absl::Span<const WindowPiece> pieces) override {
    ++window_calls_;
    if (const std::function<void()> call = on_map_window_) call();
    if (windows_work_) return real_->MapWindow(address, memory, pieces);
    (void)real_->MapWindow(address, memory, pieces.first(pieces.size() / 2));
    return false;
  }
  bool UnmapWindows(void* address, size_t bytes) override {
    ++window_calls_;
    return unmap_works_ && real_->UnmapWindows(address, bytes);
  }
  size_t MaxMappings() override { return max_mappings_; }

  void set_memory_works(bool works) { memory_works_ = works; }
  void set_reserve_works(bool works) { reserve_works_ = works; }
  void set_windows_work(bool work) { windows_work_ = work; }
  void set_unmap_works(bool works) { unmap_works_ = works; }
  // Called in the middle of MapWindow, of ReserveAddresses. Not to be set while other threads call.
  void set_on_map_window(std::function<void()> call) { on_map_window_ = std::move(call); }
  void set_on_reserve(std::function<void()> call) { on_reserve_ = std::move(call); }
  void set_max_mappings(size_t most) { max_mappings_ = most; }
  int memories() const { return memories_; }
  // Calls that map or unmap windows, since the start.
  int window_calls() const { return window_calls_; }

  size_t mapped_bytes() const { return mapped_bytes_; }
  // What was asked for since the last call.
  std::vector<Range> TakePurged() { return Take(purged_); }
  std::vector<Range> TakeAdvised() { return Take(advised_); }

 private:
  std::vector<Range> Take(std::vector<Range>& ranges) {
    std::lock_guard lock(mutex_);
    return std::exchange(ranges, {});
  }

  OsCalls* const real_ = OsCalls::Real();
  std::atomic<int> maps_until_failure_{0};
  std::atomic<bool> purge_works_{true};
  std::atomic<bool> advice_works_{true};
  std::atomic<size_t> mapped_bytes_{0};
  std::atomic<bool> memory_works_{true};
  std::atomic<bool> reserve_works_{true};
  std::atomic<bool> windows_work_{true};
  std::atomic<bool> unmap_works_{true};
  std::atomic<size_t> max_mappings_{1000};
  std::atomic<int> memories_{0};
  std::atomic<int> window_calls_{0};
  std::function<void()> on_map_window_;
  std::function<void()> on_reserve_;
  std::mutex mutex_;
  std::vector<Range> purged_;
  std::vector<Range> advised_;
};

}  // namespace ebcache

#endif  // EBCACHE_TESTS_MM_FAKE_OS_CALLS_H_
