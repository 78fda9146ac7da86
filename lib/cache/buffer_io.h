// BufferIo: what a cache reads and writes: the calls of its source, and the waits for them.
//
//   buffer_reads.cc   reads, and waiting for them
//   buffer_writes.cc  writes, flushes, giving up
//
// Its own: the source, and the errors of failed writes.
//
// Thread safety: all methods, from any thread. No lock is held while the source is called.

#ifndef EBCACHE_LIB_CACHE_BUFFER_IO_H_
#define EBCACHE_LIB_CACHE_BUFFER_IO_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <optional>

#include "ebcache/buffer_cache.h"
#include "ebcache/internal/sync.h"
#include "lib/cache/buffer_pool.h"
#include "lib/cache/kept_errors.h"
#include "lib/cache/state_word.h"

namespace ebcache {

class BufferIo {
 public:
  // `pool` must outlive this, and so must `source`, which may be null.
  BufferIo(BufferPool* pool, BlockSource* source) : pool_(pool), source_(source) {}

  absl::Status Read(ExtentBuffer* buffer, const ParentCheck* check);
  absl::Status Reread(ExtentBuffer* buffer, const ParentCheck* check);
  void ReadBlocks(absl::Span<const uint64_t> starts, absl::Span<const ParentCheck* const> checks,
                  absl::Span<absl::StatusOr<ExtentBufferRef>> results);

  absl::Status Writeback(ExtentBuffer* buffer);
  absl::Status WritebackAll();
  absl::Status WritebackMany(absl::Span<const ExtentBufferRef> buffers, WriteDurability durability);
  // The error of the last write of it that ended, when that failed.
  absl::Status WriteError(const ExtentBuffer* buffer);
  absl::StatusOr<bool> GiveUpWrite(ExtentBuffer* buffer);
  uint64_t GiveUpWrites();
  absl::Status TryReinitAsNewBlock(ExtentBuffer* buffer, uint32_t header_bytes);
  void ClearDirty(ExtentBuffer* buffer);

  void AddTo(CacheStats& stats) const;

 private:
  friend class BufferCachePeer;  // tests that look inside

  struct Counters {
    sync::Atomic<uint64_t> reads{0}, read_failures{0}, read_waits{0};
    sync::Atomic<uint64_t> writes{0}, write_failures{0}, write_errors{0};
  };

  absl::Status ReadBegun(ExtentBuffer* buffer, const ParentCheck* check, int bad_mirror);
  absl::Status CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) noexcept;
  void FinishRead(const BlockRead& read);
  std::optional<absl::Status> WaitForRead(ExtentBuffer* buffer, const ParentCheck* check);

  struct WriteBatch;
  bool BeginOrJoin(ExtentBuffer* buffer, WriteBatch& batch);
  absl::Status WriteAndAwait(WriteBatch& batch);
  absl::Status WriteBegun(absl::Span<BlockWrite> writes);
  void FinishWriteback(ExtentBuffer* buffer, const absl::Status& status);
  absl::Status AwaitOthersWrite(ExtentBuffer* buffer, bool has_all, WriteDurability durability);
  BlockWrite Unwritten(const ExtentBuffer* buffer, WriteDurability durability) const;
  state::Outcome Clean(ExtentBuffer* buffer, state::Outcome (*step)(BufferState before));

  BufferPool* const pool_;
  BlockSource* const source_;
  Counters counters_;
  // Until the buffer is not WRITE_ERR any more, before which it cannot die.
  KeptErrors write_errors_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_BUFFER_IO_H_
