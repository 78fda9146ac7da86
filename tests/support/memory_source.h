// A BlockSource made of memory, whose every read and write a test can watch, hold up or fail.

#ifndef EBCACHE_TESTS_SUPPORT_MEMORY_SOURCE_H_
#define EBCACHE_TESTS_SUPPORT_MEMORY_SOURCE_H_

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "ebcache/buffer_cache.h"

namespace ebcache {

class MemorySource : public BlockSource {
 public:
  // Called at the beginning of each read or write of a block; an error fails that block.
  std::function<absl::Status(uint64_t start)> on_read;
  std::function<absl::Status(uint64_t start)> on_write;
  // Called for a block that was cached already.
  std::function<absl::Status(const ExtentBuffer&)> on_check;

  void Read(absl::Span<BlockRead> reads) override {
    for (BlockRead& read : reads) {
      reads_.fetch_add(1);
      read.status = on_read ? on_read(read.buffer->start()) : absl::OkStatus();
      if (!read.status.ok()) continue;
      const std::vector<std::byte> bytes = Contents(read.buffer->start(), read.buffer->length());
      read.status = read.buffer->Write(0, bytes);
      read.buffer->set_mirror(1);
    }
  }

  absl::Status CheckParent(const ExtentBuffer& buffer, const ParentCheck&) override {
    return on_check ? on_check(buffer) : absl::OkStatus();
  }

  void Write(absl::Span<BlockWrite> writes) override {
    for (BlockWrite& write : writes) {
      writes_.fetch_add(1);
      write.status = on_write ? on_write(write.buffer->start()) : absl::OkStatus();
      if (!write.status.ok()) continue;
      std::vector<std::byte> bytes(write.buffer->length());
      write.status = write.buffer->Read(0, absl::MakeSpan(bytes));
      std::lock_guard lock(mutex_);
      blocks_[write.buffer->start()] = std::move(bytes);
    }
  }

  // What the device has at `start`: what was written last, else a pattern made of the address.
  std::vector<std::byte> Contents(uint64_t start, size_t length) {
    std::lock_guard lock(mutex_);
    const auto it = blocks_.find(start);
    return it != blocks_.end() ? it->second : Pattern(start, length);
  }

  static std::vector<std::byte> Pattern(uint64_t start, size_t length) {
    std::vector<std::byte> bytes(length);
    for (size_t i = 0; i + 8 <= length; i += 8) {
      const uint64_t word = (start + i) * 0x9e3779b97f4a7c15u;
      std::memcpy(&bytes[i], &word, 8);
    }
    return bytes;
  }

  int reads() const { return reads_.load(); }
  int writes() const { return writes_.load(); }

 private:
  std::atomic<int> reads_{0};  // counters for tests: sequentially consistent for want of a reason
  std::atomic<int> writes_{0};
  std::mutex mutex_;
  std::map<uint64_t, std::vector<std::byte>> blocks_;
};

}  // namespace ebcache

#endif  // EBCACHE_TESTS_SUPPORT_MEMORY_SOURCE_H_
