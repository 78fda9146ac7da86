// CacheScene: a cache of a few blocks, a device made of an array, and the checks of
// docs/lifecycle.md, made after every step.

#ifndef EBCACHE_TESTS_MODEL_CACHE_SCENE_H_
#define EBCACHE_TESTS_MODEL_CACHE_SCENE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "ebcache/buffer_cache.h"
#include "ebcache/movable_region.h"
#include "lib/cache/buffer_state.h"
#include "tests/model/model_allocator.h"
#include "tests/model/scene.h"
#include "tests/model/weak_memory.h"

namespace ebcache {
class BufferCacheImpl;
class DescriptorSlab;
}  // namespace ebcache

namespace ebcache::model {

struct CacheSceneOptions {
  uint32_t node_bytes = 4096;
  size_t page_bytes = 4096;
  uint64_t budget_bytes = 0;
  uint64_t dirty_limit_bytes = 0;
  // With a thread that reclaims. A thread can begin only in a run, so that is where the cache is
  // made: one of the program's threads has to Open it.
  bool background_reclaim = false;
  bool direct = true;
  // On a movable region of so many superpageblocks, in place of the ModelAllocator. Each is two
  // page blocks of two pages.
  uint32_t region_superpageblocks = 0;
  BufferCacheOptions::MigrateMode migrate_mode = BufferCacheOptions::MigrateMode::kKeepBuffer;
};

class CacheScene final : public Scene, public BlockSource {
 public:
  explicit CacheScene(const CacheSceneOptions& options = {});
  ~CacheScene() override;

  // ---- Steps of programs. References are counted, so that the checks know of them. ----
  ExtentBufferRef Find(uint64_t start);
  // The blocks 0 and 1, together.
  std::array<ExtentBufferRef, 2> FindBoth();
  // These two, in one batch; what could not be read is empty. Looks at the bytes.
  std::array<ExtentBufferRef, 2> ReadBoth(std::array<uint64_t, 2> starts);
  ExtentBufferRef Create(uint64_t start);     // empty where it failed
  ExtentBufferRef ReadBlock(uint64_t start);  // the same; looks at the bytes
  bool Read(const ExtentBufferRef& ref);
  // Under the tree lock: for a thread that has found the bytes bad.
  bool Reread(const ExtentBufferRef& ref);
  bool ClearUptodate(const ExtentBufferRef& ref);
  // With zeroes, if it is new; whether it is.
  std::pair<ExtentBufferRef, bool> CreateZeroed(uint64_t start);
  ExtentBufferRef Clone(const ExtentBufferRef& ref);
  ExtentBufferRef NextDirty(uint64_t start);
  void Put(ExtentBufferRef& ref);
  void PutStale(ExtentBufferRef& ref);
  void PutNoCache(ExtentBufferRef& ref);
  void PutBehind(ExtentBufferRef& ref);
  // Under the block's tree lock, as users of the kernel's do it.
  void Dirty(const ExtentBufferRef& ref);
  void Clean(const ExtentBufferRef& ref);
  bool Writeback(const ExtentBufferRef& ref);
  // Where it says OK: what was promised when it began is on disk, or was given up.
  bool WritebackAll();
  // Under the tree lock: gives up what is not written.
  bool GiveUp(const ExtentBufferRef& ref);
  // Reads the block, and looks whether it has the newest bytes; empty where the read failed.
  ExtentBufferRef ReadNewest(uint64_t start);
  // Reads the block as of version `expected`. False, and nothing is held, where it is not.
  bool ReadExpecting(uint64_t start, uint64_t expected);
  // Waits for writeback first, with the tree lock held.
  void Reinit(const ExtentBufferRef& ref);
  void CheckBytes(const ExtentBufferRef& ref);
  // Compaction comes for the folio that the block had when the program began.
  void Move(int which = 0) { allocator_->Move(folio_[which]); }
  void Release(int which = 0) { allocator_->Release(folio_[which]); }
  // Makes the cache; what the constructor does, but for background_reclaim.
  void Open();
  void AwaitOpen();
  // Takes the cache down, in the run. The others have to be done with it, but for compaction.
  void Close();
  // Takes a superpageblock of the region until the end.
  void Pin() { pinned_ = *region_->AllocateContiguous({}, region_->superpageblock_order()); }
  // Remembers the folio of a cached block for Move and Release.
  void NoteFolio(const ExtentBufferRef& ref, int which = 0, size_t of_block = 0);

  BufferCache& cache() { return *cache_; }
  ModelAllocator& allocator() { return *allocator_; }
  MovableRegion& region() { return *region_; }
  Folio folio(int which = 0) const { return folio_[static_cast<size_t>(which)]; }
  // Writes a version of its own into the block, marked dirty; and what version is there.
  void WriteVersion(const ExtentBufferRef& ref, uint64_t version);
  uint64_t VersionOf(const ExtentBufferRef& ref) { return LoadWord(*ref) & 0xfff; }
  uint32_t node() const { return options_.node_bytes; }

  // What threads start with; whatever is left is put in the end.
  std::array<ExtentBufferRef, 8> held;
  std::array<bool, 8> news{};  // of these: that the thread has made it
  // The next so many reads or writes of the device fail.
  int failing_reads = 0;
  int failing_writes = 0;
  int limits_told = 0;  // how often the dirty limit was told of
  // What the source does besides, while a block is being read or written.
  std::function<void(uint64_t start)> on_read, on_write;
  // Every buffer that is made is also read: one that is not UPTODATE must not be left.
  bool reads_everything = false;
  // Some threads give bytes up, after which they are read again: who looks at bytes takes the tree
  // lock, and looks whether they are there.
  bool gives_up = false;

  void Expect(bool condition, const char* message) {
    if (!condition) FailRun(message);
  }

  // ---- BlockSource ----
  void Read(absl::Span<BlockRead> reads) override;
  absl::Status CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) override;
  void Write(absl::Span<BlockWrite> writes) override;
  void Forget(const ExtentBuffer& buffer, std::byte* user) noexcept override;

  // ---- Scene ----
  void Wrote(const void* object, uint64_t before, uint64_t after) override;
  void AfterStep() override;
  std::string Describe(const void* object) const override;
  std::string DescribeValue(const void* object, uint64_t value) const override;
  void Finish() override;
  void DoNotWatch() const override {
    if (allocator_ != nullptr) allocator_->DoNotWatch();
  }

 private:
  static constexpr uint32_t kMaxDescriptors = 32;
  static constexpr uint32_t kMaxBlocks = 8;

  const BufferCacheImpl& impl() const;
  uint32_t descriptors() const;
  ExtentBuffer* descriptor(uint32_t number) const;
  BufferState StateOf(uint32_t number) const;
  // The number of the descriptor whose state word this is, or kMaxDescriptors.
  uint32_t NumberOf(const void* word) const;
  ExtentBufferRef Took(ExtentBufferRef ref, uint64_t start, bool is_private = false);
  void Giving(const ExtentBufferRef& ref);
  void CheckBirth(uint32_t number, BufferState s);
  void CheckDeath(uint32_t number, BufferState before);
  void CheckLive(uint32_t number, BufferState s) const;
  void CheckFree(Folio folio, uint32_t private_bits);
  void CheckBudget() const;
  void CheckSteadyState();
  bool InIndex(const ExtentBuffer* buffer) const;
  // The object that stands for the bytes of a folio in the scheduler's eyes.
  const void* Bytes(Folio folio) const;
  void MustBeGood(const ExtentBufferRef& ref);
  size_t BlockOf(uint64_t start) const { return start / options_.node_bytes % kMaxBlocks; }
  sync::Mutex& TreeLock(const ExtentBufferRef& ref) { return tree_locks_[BlockOf(ref->start())]; }
  // Whether bytes of the block must not be lost: newer than the disk's, and not given up.
  bool Unwritten(uint64_t start) const { return promised_[BlockOf(start)] > disk_[BlockOf(start)]; }
  void PromiseVersion(uint64_t start, uint64_t version);
  // What the thread that runs knows to have been promised of the block.
  uint64_t KnownPromise(size_t block) const;
  // From here on nothing is promised of the block, until it is written to again.
  void Waive(uint64_t start);
  uint64_t LoadWord(const ExtentBuffer& buffer) const;
  void StoreWord(ExtentBuffer& buffer, uint64_t word) const;
  // The same of bytes that may be written to while the device has them: which of both it gets is not said, and
  // the block is DIRTY again. The order of the two is the caller's business; here it is the scheduler's.
  uint64_t LoadForDevice(const ExtentBuffer& buffer) const;
  void StoreBesideDevice(ExtentBuffer& buffer, uint64_t word) const;
  // A word that belongs to the block: whichever version, but of no other block and not half of one.
  uint64_t WordOf(uint64_t start, uint64_t version) const;
  bool IsWordOf(uint64_t start, uint64_t word) const;

  const CacheSceneOptions options_;
  std::shared_ptr<ModelAllocator> allocator_;  // or
  std::shared_ptr<MovableRegion> region_;
  std::unique_ptr<BufferCache> cache_;
  const std::byte* first_descriptor_ = nullptr;
  bool whole_ = false;  // the cache can be looked at: it is made, and not being taken down
  sync::Atomic<uint32_t> open_{0};
  std::array<Folio, 4> folio_;
  Folio pinned_;
  std::array<sync::Mutex, kMaxBlocks> tree_locks_;
  // Versions, of which each written by a program is higher than those before: on disk, and the
  // newest that was marked DIRTY. 0: given up. What is promised changes under the tree lock.
  std::array<uint64_t, kMaxBlocks> disk_{};
  std::array<uint64_t, kMaxBlocks> promised_{};
  // The same with when they were made, the newest last: what a thread does not know of, it was not promised.
  struct Promise {
    uint64_t version = 0;
    WeakMemory::Stamp made;
  };
  static constexpr size_t kPromises = 8;
  std::array<std::array<Promise, kPromises>, kMaxBlocks> promises_{};
  std::array<uint64_t, kMaxBlocks> waived_{};  // how often
  // By descriptor: references that programs hold; how many are taking DIRTY away just now.
  std::array<int, kMaxDescriptors> holders_{};
  std::array<uint32_t, kMaxFibers> giving_;  // by fiber: the descriptor that it puts just now
  std::array<Folio, kMaxDescriptors> held_folio_{};
  std::array<int, kMaxDescriptors> cleaning_{};
  std::array<int, kMaxDescriptors> being_read_{};
  // Born, and its users were not told yet that it has gone. Known from the first step of a run on: the
  // steps of a setup are not seen.
  std::array<bool, kMaxDescriptors> unforgotten_{};
  bool births_known_ = false;
};

}  // namespace ebcache::model

#endif  // EBCACHE_TESTS_MODEL_CACHE_SCENE_H_
