#include "lib/cache/descriptor_slab.h"

#include <cstddef>
#include <new>

#include "lib/base/rounding.h"
#include "lib/cache/extent_buffer_access.h"

namespace ebcache {

namespace {
constexpr size_t kHugePageBytes = size_t{2} << 20;
}  // namespace

DescriptorSlab::DescriptorSlab(BufferCacheImpl* cache, uint32_t row_slots, uint32_t user_bytes,
                               OsCalls* os)
    : cache_(cache),
      row_slots_(row_slots),
      user_bytes_(static_cast<uint32_t>(RoundUp(user_bytes, alignof(std::max_align_t)))),
      os_(os) {}

DescriptorSlab::~DescriptorSlab() {
  for (auto& slot : chunks_) {
    if (Chunk* chunk = slot.load(std::memory_order_relaxed)) os_->Unmap(chunk, chunk_bytes());
  }
}

size_t DescriptorSlab::bytes_for(uint32_t descriptors) const {
  return size_t{descriptors} * (sizeof(ExtentBuffer) + row_slots_ * sizeof(Folio) + user_bytes_);
}

bool DescriptorSlab::AddChunk(size_t number) {
  if (number == kMaxChunks) return false;
  void* memory = os_->Map(chunk_bytes(), kHugePageBytes);
  if (memory == nullptr) return false;
  chunks_[number].store(static_cast<Chunk*>(memory), std::memory_order_relaxed);
  if (number < kChunksInSteps) return true;
  // Lookups go all over the descriptors: one TLB entry for a chunk of them. Advice only.
  os_->AdviseHugePages(memory, kDescriptorBytes);
  bytes_.fetch_add(chunk_bytes(), std::memory_order_relaxed);
  return true;
}

// The descriptors from `place` on are about to be touched.
void DescriptorSlab::TakeStep(size_t number, uint32_t place) {
  bytes_.fetch_add(bytes_for(kPerStep), std::memory_order_relaxed);
  if (place + kPerStep != kPerChunk) return;
  Chunk* chunk = chunks_[number].load(std::memory_order_relaxed);
  // For systems that cannot do it at once: they do it by and by.
  os_->AdviseHugePages(chunk, kDescriptorBytes);
  os_->CollapseHugePages(chunk, kDescriptorBytes);
}

std::byte* DescriptorSlab::UserBytesOf(const ExtentBuffer* buffer) const {
  // The descriptor tells where its chunk begins.
  const size_t place = Inside(buffer).index_ & (kPerChunk - 1);
  auto* const chunk = reinterpret_cast<std::byte*>(const_cast<ExtentBuffer*>(buffer - place));
  const size_t rows = size_t{kPerChunk} * row_slots_ * sizeof(Folio);
  return chunk + kDescriptorBytes + rows + place * user_bytes_;
}

size_t DescriptorSlab::Allocate(absl::Span<ExtentBuffer*> buffers) {
  sync::MutexLock lock(mutex_);
  size_t filled = 0;
  for (ExtentBuffer*& buffer : buffers) {
    if (free_ != kNone) {
      buffer = At(free_);
      free_ = Inside(buffer).older_;
    } else {
      buffer = MakeLocked();
      if (buffer == nullptr) break;
    }
    ++filled;
  }
  return filled;
}

ExtentBuffer* DescriptorSlab::MakeLocked() {
  const uint32_t index = made_.load(std::memory_order_relaxed);
  const size_t number = index >> kChunkBits;
  const uint32_t place = index & (kPerChunk - 1);
  if (place == 0 && !AddChunk(number)) return nullptr;
  if (number < kChunksInSteps && place % kPerStep == 0) TakeStep(number, place);
  Chunk* chunk = chunks_[number].load(std::memory_order_relaxed);
  auto* buffer = internal::ExtentBufferAccess::Make(&chunk->descriptors[place]);
  auto* rows = reinterpret_cast<std::byte*>(chunk) + kDescriptorBytes;
  auto* row = reinterpret_cast<Folio*>(rows) + size_t{place} * row_slots_;
  for (uint32_t i = 0; i < row_slots_; ++i) new (row + i) Folio;
  Inside(buffer).state_.store(0, std::memory_order_relaxed);
  Inside(buffer).cache_ = cache_;
  Inside(buffer).folios_ = row;
  Inside(buffer).index_ = index;
  made_.store(index + 1, std::memory_order_release);
  return buffer;
}

void DescriptorSlab::Free(absl::Span<ExtentBuffer* const> buffers) {
  sync::MutexLock lock(mutex_);
  for (ExtentBuffer* buffer : buffers) {
    Inside(buffer).older_ = free_;
    free_ = Inside(buffer).index_;
  }
}

}  // namespace ebcache
