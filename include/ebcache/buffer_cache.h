// BufferCache: extent buffers by logical address, with the kernel's lifecycle and a byte budget.
//
// The cache does not know the disk format. A BlockSource reads, validates and writes blocks for it;
// give it one made of memory, and it runs in benchmarks, model checks and fuzzers.
//
// Thread safety: everything may be called from any thread. Find and the put of a reference take no
// lock, allocate nothing and make no system call.

#ifndef EBCACHE_BUFFER_CACHE_H_
#define EBCACHE_BUFFER_CACHE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "ebcache/extent_buffer.h"
#include "ebcache/page_allocator.h"

namespace ebcache {

// What the parent of a block says about it. The cache passes it on, and compares it with others:
// key.h has it, and sources made of memory ignore it.
struct ParentCheck;

// One block to read: in, the buffer and what is expected of it; out, how it went.
struct BlockRead {
  ExtentBuffer* buffer = nullptr;
  const ParentCheck* check = nullptr;  // null: expect nothing in particular
  // An error until the source has said how it went: what was not answered is no success.
  absl::Status status = absl::Status(absl::StatusCode::kUnknown, "");
  // Out, with an error: whatever `check` says, there is no good copy, so that readers that wait for
  // this read and expect something else need not try for themselves. Means nothing without a check.
  bool damaged = false;
  // The copy that a reader has found no good, though it was taken for good when it was read
  // (BufferCache::Reread): the source tries others. 0: none.
  int bad_mirror = 0;
};

// One block to write.
struct BlockWrite {
  const ExtentBuffer* buffer = nullptr;
  absl::Status status = absl::Status(absl::StatusCode::kUnknown, "");  // as in BlockRead
  // OK need not say more than that the source's devices have taken the bytes: these are on disk
  // after the next flush that the owner of the source makes and that succeeds. False: OK says that
  // they are on disk.
  bool until_flush = false;
};

// What the OK of a write says.
enum class WriteDurability {
  kDurable,     // the bytes are on disk
  kUntilFlush,  // the source has taken them: see BufferCache::WritebackMany
};

// The only way in and out of a cache. Called from any thread, several at a time, never with a lock
// held. May use the cache, and others. A wait for a block that a call of a source has under IO,
// where that call waits for this one (it is this one, or one further out on this thread; or another
// thread's, which waits in turn), would be for ever: it is refused with FailedPrecondition
// (WouldWaitForEver), by Read and its like, Writeback and its like, and GiveUpWrite; GiveUpWrites
// passes over such a block. Not seen, and so for the source to avoid: waits for threads of its own
// that use the cache, and blocks that such threads read for it. A status that is not set is an
// error, and an exception out of a call is the error of every block that the call was about.
class BlockSource {
 public:
  virtual ~BlockSource() = default;

  // Fills each buffer with the bytes of its block, from whichever copy validates, and sets each
  // status. A failure of one is no failure of the others.
  virtual void Read(absl::Span<BlockRead> reads) = 0;

  // Whether a block that is in the cache already is what this parent expects.
  virtual absl::Status CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) = 0;

  // Writes each buffer to all copies of its block and sets each status. After an error the same
  // bytes, or newer ones, come again.
  virtual void Write(absl::Span<BlockWrite> writes) = 0;

  // Told of each buffer that goes, whatever the way (reclaim, the last put of a STALE one, a dropped
  // cache, a migration that drops, the end of the cache; dummies and clones too), once, before its
  // bytes and `user` (ExtentBuffer::user) do. Only where BufferCacheOptions::user_bytes is not 0. By
  // then a look-up of the block finds nothing, or another buffer of it. On whichever thread lets it
  // go, with no lock of the cache held, but perhaps with the allocator's. REQUIRES: it takes no
  // reference, and calls neither the cache nor the allocator.
  virtual void Forget(const ExtentBuffer& buffer, std::byte* user) noexcept {
    (void)buffer;
    (void)user;
  }
};

// What is in a new buffer.
enum class NewBytes {
  kUndefined,  // whatever was there: not UPTODATE
  kZeroed,     // zeroes: UPTODATE, so that it can be made DIRTY at once
};

// Whether the error is that of a wait which would have been for ever: see BlockSource.
bool WouldWaitForEver(const absl::Status& status);

// What was asked of a cache, in the terms of recordings for eviction_bench.
enum class CacheAccess : uint8_t {
  kFound,  // looked up to be read or made, and there
  kMade,   // the same, and made because it was not there
  kStale,  // put as STALE: the block is not wanted any more
};

// What a cache is like; the defaults suit a tool that reads a filesystem.
struct BufferCacheOptions {
  // Size of every block. A power of two, 4096 to 65536.
  uint32_t node_bytes = 16384;
  // Bytes of payload to keep; 0 is no limit. Buffers in use, dirty or under IO cannot go, so the
  // cache may be over it for as long as they stay (CacheStats::over_budget_creates counts that).
  // The put or the write that makes one of them idle brings the cache back, at once.
  uint64_t budget_bytes = uint64_t{256} << 20;
  // Bytes of blocks that are not on disk, DIRTY or under WRITEBACK, from which on `on_dirty_limit` is
  // told; in blocks, rounded up. Changes cannot go but by a write, so that a caller that makes more of
  // them than the budget holds the cache above it. 0: no limit.
  uint64_t dirty_limit_bytes = 0;
  // Told by the SetDirty that takes the cache to that limit, once it has been done, with how much is
  // not on disk; again only after less was, and by the next SetDirty where a write ended beside this
  // one. With no lock held, on the thread that called SetDirty, whose buffer it holds: it may use the
  // cache, and write. Must not throw. Null: none is told.
  std::function<void(uint64_t dirty_bytes)> on_dirty_limit = nullptr;
  // Told of every block that is asked for to be read or made (Create, ReadBlock, ReadBlocks), and of
  // every PutStale, in the order of each thread: for recordings. A Find is a look and not told of. From
  // any thread, several at a time; with no lock held. Must not throw, nor use the cache. Null: none.
  std::function<void(CacheAccess access, uint64_t start)> on_access = nullptr;
  // Bytes that users keep with each buffer (ExtentBuffer::user), 0 to kMostUserBytes; they do not
  // count to the budget. 0: none, which costs nothing.
  uint32_t user_bytes = 0;
  static constexpr uint32_t kMostUserBytes = 4096;
  // A thread of the cache's own that keeps room under the budget, so that a caller that makes a
  // buffer seldom has to look for one that can go: it wakes when less than `low_room_percent` of
  // the budget is free, and works until `high_room_percent` is, or nothing is left that can go.
  bool background_reclaim = false;
  uint32_t low_room_percent = 2;
  uint32_t high_room_percent = 5;  // from low_room_percent to 50
  // Null: a HeapAllocator of its own.
  std::shared_ptr<PageAllocator> allocator = nullptr;
  // Flags of the allocations behind buffers in the index. Those behind dummies and clones never
  // carry kMovable: the cache cannot move them.
  AllocFlags alloc_flags = AllocFlags::kMovable;
  // What MigrateFolio does with an idle buffer.
  enum class MigrateMode {
    kKeepBuffer,  // moves the bytes under it
    kDropBuffer,  // as the kernel: lets the buffer go, so that the pages are free to move
  };
  MigrateMode migrate_mode = MigrateMode::kKeepBuffer;
  // Told by the destructor of every block that is lost with the cache, because it was DIRTY: its
  // address, and the error of its last write (OK: no write has failed). Must not throw, nor call
  // the cache. Null: the destructor prints one line to stderr if there is any such block.
  std::function<void(uint64_t start, const absl::Status& error)> on_unwritten = nullptr;
};

// Counters since the cache was made, and sizes now. Counters are exact only while no thread uses
// the cache.
struct CacheStats {
  uint64_t cached_buffers = 0;     // in the index now
  uint64_t private_buffers = 0;    // dummies and clones now
  uint64_t cached_bytes = 0;       // payload of the cached buffers
  uint64_t dirty_buffers = 0;      // not on disk: DIRTY, or being written
  uint64_t write_err_buffers = 0;  // of these, by now: the last write failed
  uint64_t peak_cached_buffers = 0;
  uint64_t descriptor_bytes = 0;   // in descriptors and page array rows, used or not
  uint64_t index_bytes = 0;        // in the index, used or not
  uint64_t reclaim_bytes = 0;      // in what reclaim remembers of blocks that are gone
  uint64_t creates = 0;            // buffers made for a block that was not cached
  uint64_t create_races_lost = 0;  // of these, thrown away because another thread was first
  uint64_t reads = 0;              // blocks asked from the source
  uint64_t read_failures = 0;
  uint64_t read_waits = 0;  // readers that waited for another's read
  uint64_t writes = 0;
  uint64_t write_failures = 0;
  uint64_t stale_frees = 0;              // deaths by PutStale, or by the last put of a STALE buffer
  uint64_t nocache_frees = 0;            // deaths by PutNoCache and PutBehind
  uint64_t reclaimed = 0;                // deaths by budget, Shrink or DropCaches
  uint64_t reclaimed_in_background = 0;  // of these, by the cache's own thread
  uint64_t folio_releases = 0;           // deaths by ReleaseFolio
  uint64_t migrations = 0;               // buffers whose folio was moved
  uint64_t contiguity_lost = 0;          // of these, in one piece before and not after
  uint64_t contiguity_gained = 0;        // the other way round
  uint64_t reclaim_scanned = 0;          // buffers looked at for reclaim
  uint64_t over_budget_creates = 0;
  // Buffers that reclaim, ReleaseFolio or MigrateFolio had to leave, by why.
  std::array<uint64_t, kReleaseVerdicts> skipped{};
};

// A buffer of one cache that is given to Read, Writeback, WritebackMany, WriteError, GiveUpWrite or
// ReinitAsNewBlock of another is refused with InvalidArgument. What needs no cache (put, SetDirty)
// goes to the buffer's own.
class BufferCache {
 public:
  // `source` may be null for a cache that never reads or writes; else it must outlive the cache.
  // Options out of range are a CHECK.
  explicit BufferCache(BufferCacheOptions options, BlockSource* source = nullptr);
  // Frees all buffers. Those that are DIRTY are lost: BufferCacheOptions::on_unwritten is told of
  // each. A caller that needs them asks for WritebackAll first, and where that fails decides:
  // again, or GiveUpWrites. REQUIRES: no references are left (CHECK).
  ~BufferCache();
  // The end of a cache to whose buffers there are references, or which has buffers that are DIRTY:
  // `tell` is called with each of these, which then goes like all others; on_unwritten is told as ever,
  // but nothing is printed. For a program that has lost count and wants to say so, and end. REQUIRES:
  // no other thread uses the cache, and the references that are left are never put, nor used.
  static void Destroy(std::unique_ptr<BufferCache> cache,
                      absl::FunctionRef<void(const ExtentBuffer&, BufferState)> tell);
  BufferCache(const BufferCache&) = delete;
  BufferCache& operator=(const BufferCache&) = delete;

  // OK; or ResourceExhausted, for good, where the allocator knew 255 owners already when the cache
  // was made: then it makes no buffers, and whatever would make one returns this.
  absl::Status status() const;

  uint32_t node_bytes() const;
  PageAllocator& allocator() const;

  // ---- Finding and making -------------------------------------------------------------------

  // The buffer of the block at logical address `start`, or an empty ref when it is not cached. A
  // STALE buffer is returned, as in the kernel. Waits while the buffer is being migrated. A buffer
  // with 2^31 references is a CHECK: only a leak explains them, and "not cached" would be a lie.
  ExtentBufferRef Find(uint64_t start) { return ExtentBufferRef::Adopt(FindBuffer(start)); }

  // Whether a buffer is where that of the block at `start` would be, just now: the answer may be out of
  // date when it comes, and a block that overlaps this one counts. Takes no reference and writes to no
  // memory that is shared: for a caller that asks of many blocks which to read ahead, most of which are
  // not there.
  bool MayBeCached(uint64_t start) const;

  // Many at once: `results[i]` is what Find would have given for `starts[i]`. What each of them has
  // to wait for memory overlaps with the others, so that this is faster than one by one wherever
  // the cache is larger than the processor's. What `results` held before is put.
  // REQUIRES: results.size() == starts.size().
  void FindMany(absl::Span<const uint64_t> starts, absl::Span<ExtentBufferRef> results);

  // As Find, or a new buffer, not UPTODATE, with undefined bytes. Threads that ask for the same
  // block at the same time get the same buffer. The kernel's alloc_extent_buffer.
  // Errors: InvalidArgument (start not a multiple of 4096, or the block would leave the address
  // space), AlreadyExists (would overlap another cached block that begins in the same multiple of
  // the node size; others are not noticed), ResourceExhausted (no memory; or the buffer has 2^30
  // references, which only a leak explains).
  absl::StatusOr<ExtentBufferRef> Create(uint64_t start);

  // What CreateOrFind gives.
  struct Created {
    ExtentBufferRef buffer;
    bool is_new = false;
  };
  // As Create, and whether the buffer is new: of all callers that ask for it at the same time, one is
  // told so. `bytes` says what a new one has, from the moment at which others can find it; one that
  // was there is left as it is. Errors: as Create.
  absl::StatusOr<Created> CreateOrFind(uint64_t start, NewBytes bytes = NewBytes::kUndefined);

  // A buffer that is not in the index, UPTODATE, zeroed, private to its holder. Of `bytes` bytes, for
  // what is no tree block, as a superblock or a sector: a power of two, 512 to the node size
  // (InvalidArgument); 0: of the node size. Memory is taken for a whole block.
  // The kernel's alloc_dummy_extent_buffer.
  absl::StatusOr<ExtentBufferRef> CreateDummy(uint64_t start, uint32_t bytes = 0);

  // A private copy of `source`, which may be of another cache, as CreateDummy. REQUIRES: the caller
  // holds `source`. Errors: InvalidArgument (`source` is larger than blocks of this cache),
  // ResourceExhausted.
  absl::StatusOr<ExtentBufferRef> Clone(const ExtentBuffer& source);

  // ---- Reading ------------------------------------------------------------------------------

  // Makes `buffer` UPTODATE by asking the source, or waits for the reader that is doing that, or
  // returns at once when it is; checks it against `check` where given. On failure the buffer is
  // STALE, so that it goes with its last user, and every reader that waited gets the error of the
  // read. But a reader that waited for one whose `check` may have been the reason is answered for
  // what itself expects, if need be by a read of its own. A call reads at most once. `check` is
  // used only during the call.
  absl::Status Read(const ExtentBufferRef& buffer, const ParentCheck* check = nullptr);

  // For a caller that has found that the bytes of a buffer are not good, though the source took them
  // for good: reads it again, from another copy (BlockRead::bad_mirror). As Read otherwise: on failure
  // the buffer is STALE and not UPTODATE. Waits where another reader is at it, and takes what that
  // brings. Refused with FailedPrecondition where the bytes are newer than the disk's (DIRTY, being
  // written), and for dummies and clones; nothing has changed then. REQUIRES: no other thread uses
  // the bytes.
  absl::Status Reread(const ExtentBufferRef& buffer, const ParentCheck* check = nullptr);

  // Create and Read in one.
  absl::StatusOr<ExtentBufferRef> ReadBlock(uint64_t start, const ParentCheck* check = nullptr);

  // Many at once: `results[i]` is what ReadBlock would have given for `starts[i]` with `checks[i]`
  // (`checks` is empty, or as long as `starts`). The blocks not cached go to the source as one
  // batch. REQUIRES: results.size() == starts.size(). No block twice in a batch.
  void ReadBlocks(absl::Span<const uint64_t> starts, absl::Span<const ParentCheck* const> checks,
                  absl::Span<absl::StatusOr<ExtentBufferRef>> results);

  // ---- Writing ------------------------------------------------------------------------------

  // What was changed stays in memory until it is on disk: a buffer is DIRTY until its write begins,
  // under WRITEBACK until it has ended, and if it failed DIRTY again, WRITE_ERR, and as UPTODATE as
  // it was: the bytes are the newest there are. It cannot be evicted, a reader gets these bytes,
  // and the next write tries again. That ends with a write that succeeds, or when a caller gives
  // the bytes up: by GiveUpWrite, ClearDirty or ReinitAsNewBlock.
  //
  // What one caller has written kUntilFlush is clean for all others as well, and no more on disk
  // than that caller has seen to: a call that finds it clean, or waits for such a write, is OK.

  // Writes `buffer` if it is DIRTY; also after a failure. If another thread is writing it, waits
  // for that instead, and returns how it went; writes what was dirtied since that write began. OK:
  // what was DIRTY when the call began is on disk, or was given up.
  absl::Status Writeback(const ExtentBufferRef& buffer);

  // Writes every buffer that was DIRTY when the call began, those whose last write failed among
  // them, in the order of addresses; waits for those that others are writing. OK: all of it is on
  // disk, or was given up. Else the first error, after trying all: that of a write of this call's,
  // or of one that it waited for. So a failure is reported by every call until the block was
  // written or given up.
  absl::Status WritebackAll();

  // Writes those of `buffers` that are DIRTY as one batch, and no others, each as Writeback does: a
  // failure of one is no failure of the others; those that other threads are writing are waited for
  // once this call's own are over. OK: what was DIRTY when the call began is written, or was given
  // up. Else the first error, after trying all. InvalidArgument (a buffer is another cache's) and
  // ResourceExhausted without a block's address (no memory for the batch): no write was begun. A
  // buffer may be among them more than once. REQUIRES: no reference is empty (CHECK).
  //
  // With kUntilFlush OK says that the source has taken the bytes, and not that they are on disk:
  // that they are after the next flush of the source that succeeds (Volume::Flush), which is the
  // caller's to make. The buffers are clean by then and may leave the cache, so that where the flush
  // fails the bytes may be lost: for what depends on them the caller then does as if no write had
  // succeeded.
  absl::Status WritebackMany(absl::Span<const ExtentBufferRef> buffers, WriteDurability durability);

  // Why `buffer` is WRITE_ERR: the error of its last write. OK when it is not.
  absl::Status WriteError(const ExtentBufferRef& buffer) const;

  // Gives up what is DIRTY in `buffer`, be it that its write failed: it is not UPTODATE any more,
  // and the next reader gets what is on disk. Waits for a write under way. False when there is
  // nothing to give up: it is clean, or that write has succeeded. REQUIRES: no other thread uses
  // the bytes (in the kernel: the write lock is held).
  absl::StatusOr<bool> GiveUpWrite(const ExtentBufferRef& buffer);
  // The same for every buffer, before the cache goes for example. Returns how many had something to
  // give up. REQUIRES: no other thread uses their bytes.
  uint64_t GiveUpWrites();

  // Prepares the buffer of a freed block that is allocated anew at the same address: STALE, DIRTY,
  // WRITE_ERR and ZONED_ZEROOUT go, the header (`header_bytes` from the front) is zeroed, UPTODATE
  // is set. REQUIRES: no other thread uses the bytes (in the kernel: the write lock is held); not
  // under writeback.
  absl::Status ReinitAsNewBlock(const ExtentBufferRef& buffer, uint32_t header_bytes);
  // The same in one step with the question whether it may be: InvalidArgument, and nothing has
  // changed, where ReinitAsNewBlock would be a CHECK.
  absl::Status TryReinitAsNewBlock(const ExtentBufferRef& buffer, uint32_t header_bytes);

  // ---- In the order of addresses ------------------------------------------------------------

  // The first cached buffer at or after `start`; empty when there is none.
  ExtentBufferRef FirstAtOrAfter(uint64_t start);
  // The first DIRTY one, those whose write failed among them. Those under WRITEBACK are not.
  ExtentBufferRef NextDirty(uint64_t start);

  // ---- Giving memory back -------------------------------------------------------------------

  // Lets every idle buffer go. Returns how many went.
  uint64_t DropCaches();
  // Lets idle buffers go, those least worth keeping first, until at least `bytes` of payload are
  // freed or nothing is left that can go. Returns the bytes freed.
  uint64_t Shrink(uint64_t bytes);
  // Changes the budget, and shrinks to it.
  void SetBudget(uint64_t budget_bytes);
  // What it is now; 0: no limit.
  uint64_t budget_bytes() const;

  // Why buffers can or cannot go, right now: how many of each verdict. Walks all buffers, takes no
  // lock; answers "what is holding my memory?".
  std::array<std::pair<ReleaseVerdict, uint64_t>, kReleaseVerdicts> ExplainPins() const;

  // Calls visit with the state of every cached or private buffer, in no order, without taking
  // references: what it is told may be out of date. For reports.
  void ForEachState(absl::FunctionRef<void(BufferState state)> visit) const;

  // Calls visit with address and state of every buffer, dummies and clones too, to which there are
  // references other than the cache's own; in no order. Others may put theirs meanwhile.
  void ForEachHeld(absl::FunctionRef<void(uint64_t start, BufferState state)> visit) const;

  // What the page allocator calls (and kernel engineers may): give up, or move, the buffer behind a
  // folio. `private_bits` as the allocator has them. See FolioOwner.
  bool ReleaseFolio(Folio folio, uint32_t private_bits);
  bool MigrateFolio(Folio destination, Folio source, uint32_t private_bits);

  CacheStats stats() const;

 private:
  friend class BufferCachePeer;  // tests that look inside

  // The reference as a pointer: that comes back in a register, a ref through memory.
  ExtentBuffer* FindBuffer(uint64_t start);

  std::unique_ptr<BufferCacheImpl> impl_;
};

}  // namespace ebcache

#endif  // EBCACHE_BUFFER_CACHE_H_
