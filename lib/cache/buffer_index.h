// BufferIndex: from logical address to extent buffer.
//
// Two levels. A *leaf* holds the pointers of 64 neighbouring blocks. A hash table finds the leaf by
// the address's upper bits, and an ordered map of the same leaves serves iteration. Blocks lie
// close together in btrfs (metadata chunks), so a leaf is mostly full, the hash table is small
// enough to stay in the processor's cache, and memory is about 10 bytes a block; a hostile image
// whose blocks lie far apart costs one leaf (576 bytes) a block of at least 4 KiB. Where a leaf
// lies in the hash table depends on a number that each index draws (hash_multiplier.cc), so that no
// image can be made whose leaves all go to one place.
//
// Lookups take no lock and write nothing. Changes are made under a mutex. What makes that work:
//
//   1. *A live mapped descriptor is the one the index has for its start.* It becomes live inside
//      Insert, under the mutex, when no other is there; its address changes only while dead. So a
//      caller that takes a reference on a candidate and then sees the wanted start, mapped, has the
//      right one, however stale the way that led to it. Nothing else needs to be checked after a
//      hit.
//   2. Leaves are type-stable, like descriptors: a late reader may look into one that has been
//      recycled, and will find candidates that fail test 1, or nothing.
//   3. A miss is believed only if no leaf was taken away or moved in the table meanwhile:
//      `version_` counts such changes and is odd during one. Otherwise the lookup is done again
//      under the mutex.
//   4. Old hash tables are kept until the index goes, for late readers; they double in size, so all
//      of them together are smaller than the one in use.
//   5. A dying buffer takes itself out by compare-and-swap of *itself* to empty. Insert may have
//      replaced it before: a dead buffer is not in the way.
//   6. *A live mapped buffer's bit in its leaf is set while it is DIRTY or under WRITEBACK.* What makes
//      it one of these, and what ends it, is done under the mutex (ChangeUnwritten). Leaves with
//      such bits are in a map of their own, so that the next one is found without a scan.
//
// No hold of the mutex is long, however many blocks there are: the table grows a few leaves at a
// time, with the insertions that make it too small; leaves without buffers are swept a few at a
// time; iteration gives the mutex back after a few leaves; memory is zeroed outside of it.

#ifndef EBCACHE_LIB_CACHE_BUFFER_INDEX_H_
#define EBCACHE_LIB_CACHE_BUFFER_INDEX_H_

#include <absl/functional/function_ref.h>
#include <absl/types/span.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/internal/sync.h"
#include "lib/base/brief_mutex.h"

namespace ebcache {

// The multiplier for these choices, a bit for each term: 0 a one, 1 a two. All ones: the golden
// ratio's.
uint64_t MultiplierOf(uint64_t choices);

// A multiplier that others cannot guess. In the model build it is always the golden ratio's: there
// every run must be as the one before.
uint64_t RandomMultiplier();

class BufferIndex {
 public:
  // What became of the attempt to take a reference on a candidate.
  enum class Grab : uint8_t {
    kTaken,  // this is the buffer, and the caller has a reference
    kDead,   // it is on its way out: counts as not there
    kOther,  // it is another block's by now: look again
    kBusy,   // it is being migrated: wait for it, then look again
  };

  // `multiplier`: one of MultiplierOf.
  BufferIndex(uint32_t node_bytes, OsCalls* os, uint64_t multiplier);
  ~BufferIndex();
  BufferIndex(const BufferIndex&) = delete;
  BufferIndex& operator=(const BufferIndex&) = delete;

  // Finds the buffer of `start` and takes a reference by `grab(candidate)`, which may wait when it
  // is kBusy. Null when there is none.
  template <typename GrabFn>
  ExtentBuffer* Find(uint64_t start, GrabFn grab) const;

  // What the way to `start` ends at just now, without a reference: perhaps dead, perhaps another
  // block's. Null says nothing: Find knows.
  ExtentBuffer* Candidate(uint64_t start) const;

  // Candidate for each of `starts`, faster than one by one; and has the processor fetch those
  // buffers. REQUIRES: one candidate for each start.
  void Candidates(absl::Span<const uint64_t> starts, absl::Span<ExtentBuffer*> candidates) const;

  enum class Insertion : uint8_t { kInserted, kExists, kBusy, kOverlaps, kNoMemory };

  struct Newcomer {
    ExtentBuffer* buffer = nullptr;
    Insertion outcome = Insertion::kInserted;
    ExtentBuffer* existing = nullptr;  // the one that is there instead
  };

  // Puts each newcomer in at its start unless a live one is there, and makes it live with `birth`.
  // When one is there, `grab(existing, start)` (which must not wait) is asked for a reference on
  // it: kExists comes with the reference; without are kBusy (it is being migrated: wait for it, try
  // again) and kOverlaps (it is of an overlapping block, whatever its state).
  void Insert(absl::Span<Newcomer> newcomers, uint64_t birth,
              absl::FunctionRef<Grab(ExtentBuffer*, uint64_t)> grab);

  // Takes dead buffers out, but for those that have been replaced already.
  void Remove(absl::Span<ExtentBuffer* const> dead);

  // What an iteration comes to next.
  struct Step {
    // Null: no more than a place to go on from. It is not referenced: it may be dead, or another
    // block's, by the time it is looked at.
    ExtentBuffer* candidate = nullptr;
    uint64_t block = 0;   // of the candidate; or where to go on
    bool at_end = false;  // there is nothing at or above the block that was asked for
  };
  // The first candidate whose block number is at or above `block`, or how far a bounded look came.
  Step Next(uint64_t block) const;
  // The first such whose buffer is DIRTY or under WRITEBACK: one look, whatever else there is.
  Step NextUnwritten(uint64_t block) const;

  // Calls `step`, which may make the buffer DIRTY or WRITEBACK, or end these, and remembers what it
  // is then. REQUIRES: a mapped buffer on which the caller has a reference; `step` returns whether
  // the buffer is one of these, or nothing when that is as it was. It must not wait.
  void ChangeUnwritten(const ExtentBuffer* buffer, absl::FunctionRef<std::optional<bool>()> step);

  uint64_t BlockOf(uint64_t start) const { return start >> node_shift_; }

  // Memory in use, in bytes.
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  // The places of the hash table that a look-up of each leaf looks at: of all leaves together, and
  // the most of any. Walks the table under the mutex; for tests and reports.
  struct Probes {
    uint64_t leaves = 0;
    uint64_t total = 0;
    uint64_t most = 0;
  };
  Probes CountProbes() const;

  // The most leaves and places of the table that one hold of the mutex has gone through, but for
  // CountProbes. For tests.
  uint64_t longest_hold() const;

 private:
  static constexpr int kLeafShift = 6;
  static constexpr uint64_t kLeafSlots = uint64_t{1} << kLeafShift;
  // What one hold of the mutex goes through at the most, for one block: leaves.
  static constexpr uint64_t kLeavesPerHold = 32;
  static constexpr uint64_t kFirstCapacity = 64;
  // Leaves come in chunks, whose memory is touched as they are needed.
  static constexpr size_t kLeafChunkBytes = sync::ModelOr<size_t>(32, 256) << 10;

  struct Leaf;
  // A tree that stays whole when there is no memory for one more, which Abseil's may not.
  using LeafMap = std::map<uint64_t, Leaf*>;

  struct alignas(64) Leaf {
    // A pointer is stored by release under the mutex, and loaded by acquire: a lookup that sees it sees the
    // descriptor.
    std::array<sync::Atomic<ExtentBuffer*>, kLeafSlots> slots;
    // All below are guarded by the index's mutex_.
    uint64_t key;
    uint64_t unwritten;  // see 6: a bit for each slot
    uint32_t occupied;
    Leaf* next_free;
  };

  // One place of the hash table. Both are loaded by acquire, which keeps a reader's loads in front of its second look at
  // version_ (and needs no fence); and stored by release, but for the key of a leaf that is entered (StoreEntry), which
  // no look has to be warned of.
  struct Entry {
    sync::Atomic<uint64_t> key_plus_one{0};  // 0: empty
    sync::Atomic<Leaf*> leaf{nullptr};
  };

  struct Table {
    // `capacity`: a power of two, at least 2.
    Table(uint64_t capacity, uint64_t by)
        : mask(capacity - 1),
          shift(64 - std::countr_zero(capacity)),
          multiplier(by),
          entries(new Entry[capacity]) {}
    // Fibonacci hashing: one multiplication, and the topmost bits of the product. Keys that follow
    // each other, which most do, are spread by it more evenly than by chance: nearly all of them
    // are found where they are first looked for, and a branch that is always taken lets the
    // processor go on to the next look-up while it waits for this one's memory.
    uint64_t Home(uint64_t key) const { return (key * multiplier) >> shift; }
    const uint64_t mask;
    const int shift;
    const uint64_t multiplier;
    const std::unique_ptr<Entry[]> entries;
  };

  Leaf* FindLeaf(uint64_t key) const;            // lock-free
  bool AddLeafChunk() EBCACHE_REQUIRES(mutex_);  // false when memory is out
  Leaf* TakeLeaf() EBCACHE_REQUIRES(mutex_);     // null when memory is out
  // Null when memory is out, and then nothing has changed.
  Leaf* AddLeaf(uint64_t key) EBCACHE_REQUIRES(mutex_);
  // False when memory is out.
  bool EnterLeaf(uint64_t key, Leaf* leaf) noexcept EBCACHE_REQUIRES(mutex_);
  static void StoreEntry(Table& table, uint64_t key, Leaf* leaf);
  Insertion InsertLocked(Newcomer& newcomer, uint64_t birth,
                         absl::FunctionRef<Grab(ExtentBuffer*, uint64_t)> grab)
      EBCACHE_REQUIRES(mutex_);
  void RemoveLocked(ExtentBuffer* buffer) EBCACHE_REQUIRES(mutex_);
  static void EraseEntry(Table& table, uint64_t key);
  bool TooSmall(uint64_t leaves) const EBCACHE_REQUIRES(mutex_);
  bool NearlyFull(uint64_t leaves) const EBCACHE_REQUIRES(mutex_);
  std::unique_ptr<Table> MakeBigger(uint64_t capacity) noexcept;
  void BeginGrowth();
  void GrowSome() EBCACHE_REQUIRES(mutex_);
  void SweepSome() EBCACHE_REQUIRES(mutex_);
  void StoreEverywhere(uint64_t key, Leaf* leaf) EBCACHE_REQUIRES(mutex_);
  void EraseEverywhere(uint64_t key) EBCACHE_REQUIRES(mutex_);

  // The mutex, with the steps that are made under it counted from 0.
  // (What its own constructor and destructor do with it, the analysis does not see: the lock is a
  // member.)
  class EBCACHE_SCOPED_CAPABILITY Hold {
   public:
    explicit Hold(const BufferIndex& index)
        EBCACHE_ACQUIRE(index.mutex_) EBCACHE_NO_THREAD_SAFETY_ANALYSIS : lock_(index.mutex_) {
      index.steps_ = 0;
    }
    ~Hold() EBCACHE_RELEASE() EBCACHE_NO_THREAD_SAFETY_ANALYSIS {}

   private:
    const sync::MutexLock<BriefMutex> lock_;
  };
  // Where leaves or places of the table are gone through: one more in this hold.
  void CountStep() const EBCACHE_REQUIRES(mutex_) {
    longest_hold_ = std::max(longest_hold_, ++steps_);
  }

  const int node_shift_;
  OsCalls* const os_;
  const uint64_t multiplier_;

  // Published by release when it grows, loaded by acquire.
  sync::Atomic<Table*> table_;
  // See 3. Written under mutex_: odd before, ahead of the releases of what changes; even by release after.
  sync::Atomic<uint64_t> version_{0};
  sync::Atomic<uint64_t> bytes_{0};  // a statistic: relaxed

  mutable BriefMutex mutex_;
  LeafMap leaves_ EBCACHE_GUARDED_BY(mutex_);
  // Each leaf is in one of these as well: those with bits in `unwritten`, and the others. What makes
  // a buffer unwritten takes an entry from one to the other, which needs no memory.
  LeafMap unwritten_leaves_ EBCACHE_GUARDED_BY(mutex_);
  LeafMap written_leaves_ EBCACHE_GUARDED_BY(mutex_);
  // The last is the one in use.
  std::vector<std::unique_ptr<Table>> tables_ EBCACHE_GUARDED_BY(mutex_);
  // The next one, until all leaves are in it: those whose keys are below grown_to_ are.
  std::unique_ptr<Table> bigger_ EBCACHE_GUARDED_BY(mutex_);
  uint64_t grown_to_ EBCACHE_GUARDED_BY(mutex_) = 0;
  bool growth_begun_ EBCACHE_GUARDED_BY(mutex_) = false;  // some thread is making bigger_
  uint64_t swept_to_ EBCACHE_GUARDED_BY(mutex_) = 0;      // where the next piece of a sweep begins
  // Of the hold that there is: leaves gone through.
  mutable uint64_t steps_ EBCACHE_GUARDED_BY(mutex_) = 0;
  mutable uint64_t longest_hold_ EBCACHE_GUARDED_BY(mutex_) = 0;
  std::vector<void*> leaf_chunks_ EBCACHE_GUARDED_BY(mutex_);
  // Of the last chunk, those that never were leaves.
  Leaf* unused_leaves_ EBCACHE_GUARDED_BY(mutex_) = nullptr;
  size_t unused_count_ EBCACHE_GUARDED_BY(mutex_) = 0;
  Leaf* free_leaves_ EBCACHE_GUARDED_BY(mutex_) = nullptr;
  uint64_t empty_leaves_ EBCACHE_GUARDED_BY(mutex_) = 0;
};

inline BufferIndex::Leaf* BufferIndex::FindLeaf(uint64_t key) const {
  const Table* table = table_.load(std::memory_order_acquire);
  const uint64_t home = table->Home(key);
  for (uint64_t at = home;;) {
    const Entry& entry = table->entries[at & table->mask];
    const uint64_t found = entry.key_plus_one.load(std::memory_order_acquire);
    if (found == key + 1) [[likely]]
      return entry.leaf.load(std::memory_order_acquire);
    // The table is never full, so the probe ends; a reader beside a change may go round once more.
    if (found == 0 || at++ - home == table->mask) return nullptr;
  }
}

inline ExtentBuffer* BufferIndex::Candidate(uint64_t start) const {
  const uint64_t block = BlockOf(start);
  const Leaf* leaf = FindLeaf(block >> kLeafShift);
  if (leaf == nullptr) [[unlikely]]
    return nullptr;
  return leaf->slots[block & (kLeafSlots - 1)].load(std::memory_order_acquire);
}

template <typename GrabFn>
ExtentBuffer* BufferIndex::Find(uint64_t start, GrabFn grab) const {
  const uint64_t block = BlockOf(start);
  for (;;) {
    const uint64_t before = version_.load(std::memory_order_acquire);
    bool other = false;
    const Leaf* leaf = FindLeaf(block >> kLeafShift);
    if (leaf != nullptr) [[likely]] {
      ExtentBuffer* candidate =
          leaf->slots[block & (kLeafSlots - 1)].load(std::memory_order_acquire);
      if (candidate != nullptr) [[likely]] {
        const Grab grabbed = grab(candidate);
        if (grabbed == Grab::kTaken) [[likely]]
          return candidate;
        if (grabbed == Grab::kBusy) continue;
        other = grabbed == Grab::kOther;
      }
    }
    // Nothing there, if the way there was sound; or another by now, and the way leads to the next. Relaxed: it comes
    // behind the loads on the way by their acquire, and nothing that it guards is looked at after it.
    if ((before & 1) == 0 && version_.load(std::memory_order_relaxed) == before) {
      if (other) continue;
      return nullptr;
    }
    // Behind the thread that changes the table: to look again and again meanwhile would be to wait for it, for as
    // long as it is not running.
    ExtentBuffer* candidate = nullptr;
    {
      sync::MutexLock lock(mutex_);
      leaf = FindLeaf(block >> kLeafShift);
      if (leaf != nullptr) {
        // Relaxed: slots change under the mutex.
        candidate = leaf->slots[block & (kLeafSlots - 1)].load(std::memory_order_relaxed);
      }
    }
    if (candidate == nullptr) return nullptr;
    const Grab grabbed = grab(candidate);  // outside: it may wait for a thread that wants the mutex
    if (grabbed == Grab::kTaken) return candidate;
    if (grabbed == Grab::kDead) return nullptr;
  }
}

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_BUFFER_INDEX_H_
