// Errors that are kept for later, also where there is no memory to keep them: every N-th allocation
// fails, for every N.

#include "lib/cache/kept_errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <optional>
#include <string>

#include "ebcache/buffer_cache.h"
#include "tests/support/memory_source.h"

namespace {

// Allocations of this thread until one fails; negative: none does.
thread_local int until_failure = -1;
thread_local int failures = 0;

void* Allocate(std::size_t bytes) {
  if (until_failure == 0) {
    ++failures;
    throw std::bad_alloc();
  }
  if (until_failure > 0) --until_failure;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}

// Never inlined: gcc would see free() of what the operator new, which it has not inlined, returned,
// and warn of a mismatch (-Wmismatched-new-delete).
[[gnu::noinline]] void Free(void* memory) noexcept { std::free(memory); }

}  // namespace

void* AllocateAligned(std::size_t bytes, std::align_val_t alignment) noexcept {
  void* memory = nullptr;
  return posix_memalign(&memory, static_cast<std::size_t>(alignment), bytes) == 0 ? memory
                                                                                  : nullptr;
}

// All of them, so that what one gives another takes. Those for aligned memory do not fail: nothing
// here that is kept has any.
void* operator new(std::size_t bytes) { return Allocate(bytes); }
void* operator new[](std::size_t bytes) { return Allocate(bytes); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return std::malloc(bytes);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  if (void* memory = AllocateAligned(bytes, alignment)) return memory;
  throw std::bad_alloc();
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return operator new(bytes, alignment);
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return AllocateAligned(bytes, alignment);
}
void* operator new[](std::size_t bytes, std::align_val_t alignment,
                     const std::nothrow_t&) noexcept {
  return AllocateAligned(bytes, alignment);
}
void operator delete(void* memory) noexcept { Free(memory); }
void operator delete[](void* memory) noexcept { Free(memory); }
void operator delete(void* memory, std::size_t) noexcept { Free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { Free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { Free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { Free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { Free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { Free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { Free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { Free(memory); }

namespace ebcache {
namespace {

using ::testing::HasSubstr;

// Longer than what a string has room for in itself.
constexpr const char* kWords = "mirror 1 on disk1.img at 4096: bad sector";
constexpr uint32_t kNode = 16384;

// Runs `work` with every allocation from the n-th on failing, for every n until none has failed.
// Returns how many times one did.
template <typename Work>
int WithoutMemory(Work work) {
  for (int n = 0;; ++n) {
    until_failure = n;
    failures = 0;
    work();
    until_failure = -1;
    if (failures == 0) return n;
  }
}

TEST(KeptErrorsTest, WhatIsKeptIsFoundUntilForgotten) {
  MemorySource source;
  BufferCache cache({.node_bytes = kNode}, &source);
  const ExtentBufferRef a = *cache.Create(0);
  const ExtentBufferRef b = *cache.Create(kNode);
  KeptErrors errors;
  EXPECT_FALSE(errors.Of(a.get()).has_value());
  errors.Keep(a.get(), absl::DataLossError("first"));
  errors.Keep(a.get(), absl::UnavailableError(kWords));
  ParentCheck check;
  check.generation = 9;
  errors.Keep(b.get(), absl::DataLossError("other"), &check);
  EXPECT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors.Of(a.get())->status, absl::UnavailableError(kWords));
  EXPECT_FALSE(errors.Of(a.get())->expected.has_value());
  EXPECT_EQ(errors.Of(b.get())->expected->generation, 9u);
  EXPECT_FALSE(errors.OfWhile(a.get(), [] { return false; }).has_value());
  errors.ForgetIf(a.get(), [] { return false; });
  EXPECT_EQ(errors.size(), 2u);
  errors.Forget(a.get());
  errors.Forget(a.get());
  EXPECT_EQ(errors.size(), 1u);
  EXPECT_FALSE(errors.Of(a.get()).has_value());
}

TEST(KeptErrorsTest, KeepingNeverThrowsAndNeverKeepsWhatIsOld) {
  MemorySource source;
  BufferCache cache({.node_bytes = kNode}, &source);
  const ExtentBufferRef buffer = *cache.Create(0);
  const absl::Status status = absl::UnavailableError(kWords);
  KeptErrors errors;
  const int attempts = WithoutMemory([&] {
    errors.Keep(buffer.get(), status);
    EXPECT_EQ(errors.size(), failures != 0 ? 0u : 1u);
    until_failure = -1;
    if (failures != 0) errors.Keep(buffer.get(), absl::DataLossError("an older one"));
  });
  EXPECT_GT(attempts, 0);
  EXPECT_EQ(errors.Of(buffer.get())->status, status);
}

// A source whose errors need no memory, so that what fails is the cache's own.
struct FailingSource : MemorySource {
  absl::Status error;
  void Read(absl::Span<BlockRead> reads) override {
    for (BlockRead& read : reads) read.status = error;
  }
  void Write(absl::Span<BlockWrite> writes) override {
    for (BlockWrite& write : writes) write.status = error;
  }
};

// Nothing is left READING, whatever cannot be had: the next read makes the block good.
TEST(KeptErrorsTest, AReadThatFailsWithoutMemoryEnds) {
  FailingSource source;
  source.error = absl::UnavailableError(kWords);
  BufferCache cache({.node_bytes = kNode}, &source);
  const ExtentBufferRef buffer = *cache.Create(0);
  const auto attempts = WithoutMemory([&] {
    absl::Status status;
    try {
      status = cache.Read(buffer);
    } catch (const std::bad_alloc&) {
      status = absl::ResourceExhaustedError("");
    }
    EXPECT_FALSE(status.ok());
    EXPECT_FALSE(buffer->state().has(BufferFlag::kReading));
  });
  EXPECT_GT(attempts, 0);
}

// The bytes stay, and every flush reports them, be it without the words.
TEST(KeptErrorsTest, AWriteThatFailsWithoutMemoryStaysReported) {
  FailingSource source;
  source.error = absl::UnavailableError(kWords);
  BufferCache cache({.node_bytes = kNode}, &source);
  ExtentBufferRef buffer = *cache.Create(0);
  buffer.SetUptodate();
  buffer.SetDirty();
  const auto attempts = WithoutMemory([&] {
    absl::Status status;
    try {
      status = cache.WritebackAll();
    } catch (const std::bad_alloc&) {
      status = absl::ResourceExhaustedError("");
    }
    EXPECT_FALSE(status.ok());
    EXPECT_TRUE(buffer->dirty());
    EXPECT_FALSE(buffer->state().has(BufferFlag::kWriteback));
    const int failed = failures;
    until_failure = -1;
    failures = failed;
    if (!buffer->state().has(BufferFlag::kWriteErr)) return;
    const absl::Status kept = cache.WriteError(buffer);
    EXPECT_THAT(std::string(kept.message()), HasSubstr(kept == source.error ? kWords : "not kept"));
  });
  EXPECT_GT(attempts, 2);
  EXPECT_EQ(cache.WriteError(buffer), source.error);
  source.error = absl::OkStatus();
  EXPECT_TRUE(cache.WritebackAll().ok());
  EXPECT_EQ(cache.stats().dirty_buffers, 0u);
}

}  // namespace
}  // namespace ebcache
