// World: a cache, the naive model of it, and the device below. What the operations do to them is in
// perform.cc.

#ifndef EBCACHE_TESTS_OPERATIONS_CACHE_WORLD_H_
#define EBCACHE_TESTS_OPERATIONS_CACHE_WORLD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/movable_region.h"
#include "tests/operations/cache_operations.h"
#include "tests/operations/watched_allocator.h"

namespace ebcache::operations {

// OS calls without huge pages.
class SmallPagesOs final : public OsCalls {
 public:
  void* Map(size_t bytes, size_t alignment) override { return real_->Map(bytes, alignment); }
  void Unmap(void* address, size_t bytes) override { real_->Unmap(address, bytes); }
  bool Purge(void* address, size_t bytes) override { return real_->Purge(address, bytes); }
  bool AdviseHugePages(void*, size_t) override { return false; }

 private:
  OsCalls* const real_ = OsCalls::Real();
};

// What the model knows of a block's buffer. References are those of the program, and of calls under
// way; the cache's own is implied by being in the model at all.
struct ModelBuffer {
  int refs = 0;
  bool uptodate = false;
  bool dirty = false;
  bool stale = false;
  bool write_error = false;
  // The first 8 bytes, where known. Of a dirty buffer they are the newest there are: what a reader
  // gets, and what the disk has after a flush that was OK.
  std::optional<uint64_t> word;
};

class World final : public BlockSource {
 public:
  static constexpr int kAddresses = 12;

  explicit World(const Setup& setup);
  ~World() override;

  void Perform(const Operation& operation);
  // All that can be seen from outside.
  void Compare();
  // Lets everything go, and looks whether it went.
  void Finish();

  // ---- The device ----
  void Read(absl::Span<BlockRead> reads) override;
  absl::Status CheckParent(const ExtentBuffer&, const ParentCheck&) override {
    return absl::OkStatus();
  }
  void Write(absl::Span<BlockWrite> writes) override;

 private:
  struct Held {
    ExtentBufferRef ref;
    uint64_t start;
  };

  static bool Idle(const ModelBuffer& buffer) { return buffer.refs == 0 && !buffer.dirty; }
  uint64_t CountIdle() const;
  bool shares_pages() const { return setup_.allocator == Setup::kLargePages; }
  uint64_t OnDisk(uint64_t start) const;
  void ModelPut(uint64_t start);
  // A read of a buffer, as the model has it. False: it fails.
  bool ModelRead(uint64_t start);
  void ModelWriteback(uint64_t start);
  // Given up, for the disk's bytes or for whatever else: the buffer may have waited for this to go.
  void ModelClean(uint64_t start);
  // Takes those idle buffers out of the model that the cache let go.
  void ForgetReclaimed();
  // An allocation may have failed, and others were let go for it. `ok`: it came to a good end.
  void AfterAllocation(bool was_armed, uint64_t idle_before, bool ok);
  void Reenter();

  void Create(uint64_t start);
  void ReadBlock(uint64_t start);
  void ReadBlocks(uint64_t start);
  void Find(uint64_t start);
  void WritebackAll();
  void GiveUpWrites();
  // Whether every write of the device fails; of those that do not all do, whether this one does.
  bool WriteFails(uint64_t start) const;
  void DropCaches();
  void Shrink(uint64_t buffers);
  void MakePrivate(uint64_t start, bool clone, unsigned which);
  void ReleaseFolio(uint64_t start);
  void Compact();
  void Ordered(uint64_t start, bool dirty_only);
  void PerformOnHeld(const Operation& operation);
  void WriteWord(ExtentBufferRef& ref, ModelBuffer& buffer, uint64_t word);
  void WritebackHeld(ExtentBufferRef mine, uint64_t start);
  void Hold(ExtentBufferRef ref, uint64_t start) { held_.push_back({std::move(ref), start}); }

  const Setup setup_;
  SmallPagesOs os_;
  std::shared_ptr<MovableRegion> region_;  // or null
  std::shared_ptr<WatchedAllocator> allocator_;
  std::unique_ptr<BufferCache> cache_;
  uint32_t node_ = 4096;

  bool fail_reads_ = false;
  // The device fails to write: nothing; everything; the blocks with an odd number.
  unsigned fail_writes_ = 0;
  unsigned reenter_ = 0;
  bool inside_io_ = false;
  uint64_t failures_seen_ = 0;  // of allocations
  std::set<uint64_t> in_io_;    // blocks

  std::map<uint64_t, ModelBuffer> model_;  // mapped buffers by address
  std::map<uint64_t, uint64_t> disk_;      // first word of blocks ever written
  std::vector<Held> held_;
  std::vector<ExtentBufferRef> private_;
};

}  // namespace ebcache::operations

#endif  // EBCACHE_TESTS_OPERATIONS_CACHE_WORLD_H_
