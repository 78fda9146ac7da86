#include "lib/cache/descriptor_slab.h"

#include <new>

namespace ebcache {

namespace {
constexpr size_t kHugePageBytes = size_t{2} << 20;
constexpr size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }
}  // namespace

DescriptorSlab::DescriptorSlab(BufferCacheImpl* cache, uint32_t row_slots, OsCalls* os)
    : cache_(cache), row_slots_(row_slots), os_(os) {}

DescriptorSlab::~DescriptorSlab() {
  for (auto& slot : chunks_) {
    if (Chunk* chunk = slot.load(std::memory_order_relaxed)) os_->Unmap(chunk, chunk_bytes());
  }
}

size_t DescriptorSlab::chunk_bytes() const {
  return RoundUp(kDescriptorBytes + size_t{kPerChunk} * row_slots_ * sizeof(Folio), 4096);
}

bool DescriptorSlab::Grow() {
  const size_t number = made_.load(std::memory_order_relaxed) >> kChunkBits;
  if (number == kMaxChunks) return false;
  void* memory = os_->Map(chunk_bytes(), kHugePageBytes);
  if (memory == nullptr) return false;
  // Lookups go all over the descriptors: one TLB entry for a chunk of them. Advice only.
  os_->AdviseHugePages(memory, kDescriptorBytes);
  chunks_[number].store(static_cast<Chunk*>(memory), std::memory_order_release);
  bytes_.fetch_add(chunk_bytes(), std::memory_order_relaxed);
  return true;
}

size_t DescriptorSlab::Allocate(absl::Span<ExtentBuffer*> buffers) {
  std::lock_guard lock(mutex_);
  size_t filled = 0;
  for (ExtentBuffer*& buffer : buffers) {
    if (free_ != kNone) {
      buffer = At(free_);
      free_ = buffer->older_;
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
  if ((index & (kPerChunk - 1)) == 0 && !Grow()) return nullptr;
  Chunk* chunk = chunks_[index >> kChunkBits].load(std::memory_order_relaxed);
  const uint32_t place = index & (kPerChunk - 1);
  auto* buffer = new (&chunk->descriptors[place]) ExtentBuffer;
  auto* rows = reinterpret_cast<std::byte*>(chunk) + kDescriptorBytes;
  auto* row = reinterpret_cast<Folio*>(rows) + size_t{place} * row_slots_;
  for (uint32_t i = 0; i < row_slots_; ++i) new (row + i) Folio;
  buffer->state_.store(0, std::memory_order_relaxed);
  buffer->cache_ = cache_;
  buffer->folios_ = row;
  buffer->index_ = index;
  made_.store(index + 1, std::memory_order_release);
  return buffer;
}

void DescriptorSlab::Free(absl::Span<ExtentBuffer* const> buffers) {
  std::lock_guard lock(mutex_);
  for (ExtentBuffer* buffer : buffers) {
    buffer->older_ = free_;
    free_ = buffer->index_;
  }
}

}  // namespace ebcache
