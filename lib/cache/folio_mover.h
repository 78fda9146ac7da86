// FolioMover: the owner of a cache's folios, as the allocator knows it: gives them up, or lets them
// move, when asked.
//
// Its own: its name at the allocator, given back also by a constructor that does not come to its
// end. It needs no memory, and has no lock: what keeps others off is that the buffers are frozen.
//
// Thread safety: all methods but the constructor, End and the destructor, from any thread.

#ifndef EBCACHE_LIB_CACHE_FOLIO_MOVER_H_
#define EBCACHE_LIB_CACHE_FOLIO_MOVER_H_

#include <absl/container/inlined_vector.h>
#include <absl/types/span.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "ebcache/internal/sync.h"
#include "ebcache/page_allocator.h"
#include "lib/cache/block_frames.h"
#include "lib/cache/buffer_pool.h"

namespace ebcache {

class FolioMover final : public FolioOwner {
 public:
  // Registers at the allocator, and tells the pool's frames whose they are. `pool` must outlive it.
  explicit FolioMover(BufferPool* pool);
  ~FolioMover() override { End(); }
  FolioMover(const FolioMover&) = delete;
  FolioMover& operator=(const FolioMover&) = delete;

  // Waits for calls of it that are under way; after this it is called no more.
  void Quiesce();
  // Takes the name at the allocator back before the mover itself goes. REQUIRES: the pool has no
  // folios any more.
  void End();

  std::string_view name() const override { return "btree"; }
  bool movable() const override { return true; }
  bool Release(Folio folio, uint32_t private_bits) override;
  bool Migrate(Folio destination, Folio source, uint32_t private_bits) override;
  void MigrateTogether(absl::Span<FolioMove> moves, uint32_t private_bits) override;

  void AddTo(CacheStats& stats) const;

 private:
  struct Counters {
    sync::Atomic<uint64_t> folio_releases{0}, migrations{0};
    sync::Atomic<uint64_t> contiguity_lost{0}, contiguity_gained{0};
  };

  // As many as can share a folio: no memory is needed for it.
  using Members = absl::InlinedVector<ExtentBuffer*, SubpageFrames::kMaxBlocks>;
  std::optional<Members> Freeze(absl::Span<const FolioMove> moves, uint32_t private_bits);
  void Thaw(absl::Span<ExtentBuffer* const> frozen);
  void KillFrozen(absl::Span<ExtentBuffer* const> frozen, absl::Span<const FolioMove> moves);
  void DropFrozen(absl::Span<FolioMove> moves, absl::Span<ExtentBuffer* const> frozen);
  void MoveFrozen(absl::Span<const FolioMove> moves, uint32_t private_bits,
                  absl::Span<ExtentBuffer* const> frozen);
  void Readdress(ExtentBuffer* buffer);
  bool HaveFolio(absl::Span<ExtentBuffer* const> buffers, Folio folio) const;
  void DetachFolio(ExtentBuffer* buffer, Folio folio);

  BufferPool* const pool_;
  BlockFrames* const frames_;  // the pool's
  OwnerId id_;
  Counters counters_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_FOLIO_MOVER_H_
