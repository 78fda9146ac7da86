#include "lib/mm/heap/heap_frames.h"

#include <bit>
#include <new>

#include "ebcache/internal/sync.h"

namespace ebcache {
namespace {

// Chunk n holds the kFirstChunk << n entries from (kFirstChunk << n) - kFirstChunk on.
constexpr int ChunkOf(uint32_t pfn) {
  return std::bit_width((pfn + HeapFrames::kFirstChunk) / HeapFrames::kFirstChunk) - 1;
}
constexpr uint32_t ChunkEntries(int chunk) { return HeapFrames::kFirstChunk << chunk; }
constexpr uint32_t ChunkStart(int chunk) { return ChunkEntries(chunk) - HeapFrames::kFirstChunk; }

static_assert(ChunkOf(0) == 0 && ChunkOf(1023) == 0 && ChunkOf(1024) == 1 && ChunkStart(1) == 1024);
static_assert(ChunkOf(HeapFrames::kMaxFrames - 1) == HeapFrames::kChunks - 1);

}  // namespace

HeapFrames::~HeapFrames() {
  for (sync::Atomic<HeapFrame*>& chunk : chunks_) delete[] chunk.load(std::memory_order_relaxed);
}

HeapFrame* HeapFrames::Find(FrameNumber number) const {
  const uint32_t pfn = number.value();
  if (pfn >= kMaxFrames) return nullptr;
  const int chunk = ChunkOf(pfn);
  HeapFrame* const entries = chunks_[chunk].load(std::memory_order_acquire);
  return entries == nullptr ? nullptr : entries + (pfn - ChunkStart(chunk));
}

absl::Status HeapFrames::Prepare(FrameNumber end) {
  for (int chunk = 0; chunk < kChunks && ChunkStart(chunk) < end.value(); ++chunk) {
    if (chunks_[chunk].load(std::memory_order_relaxed) != nullptr) continue;
    HeapFrame* const entries = new (std::nothrow) HeapFrame[ChunkEntries(chunk)];
    if (entries == nullptr) {
      return absl::ResourceExhaustedError("the heap has no memory for the table of folios");
    }
    chunks_[chunk].store(entries, std::memory_order_release);
  }
  return absl::OkStatus();
}

}  // namespace ebcache
