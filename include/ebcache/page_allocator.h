// PageAllocator: where the memory comes from: that of extent buffers, and that of all other owners.
//
// An allocator hands out *folios*: 2^order pages next to each other, of a page size fixed when the
// allocator is made. A folio is named by a 32-bit frame number, not by a pointer: the numbers are
// what compaction reasons about, and four of them fit where two pointers would.
//
// Every folio has an *owner* (which can be asked to give it up or to let it move) and 32 private
// bits by which that owner knows it. Movable folios are a promise: the owner of one must be able to
// release and migrate it. Allocators enforce that, and count breaches.
//
// Thread safety: every method of PageAllocator may be called from any thread, unless it says
// otherwise. An allocator never calls an owner while it holds a lock of its own.

#ifndef EBCACHE_PAGE_ALLOCATOR_H_
#define EBCACHE_PAGE_ALLOCATOR_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ebcache {

// What an allocation is for, and how hard to try. Passed through every layer untouched, like the
// kernel's gfp flags: no layer reduces them to a bool.
enum class AllocFlags : uint32_t {
  kNone = 0,
  kMovable = 1u << 0,      // the owner can release or migrate the folio at any time it is idle
  kReclaimable = 1u << 1,  // the owner can release the folio, not move it
  kNoFail = 1u << 2,       // the caller cannot do without: see PageAllocator::AllocateBulk
  kNoWarn = 1u << 3,       // running out of memory is expected: do not count it
  kNoReclaim = 1u << 4,    // fail rather than push others out
  // With kMovable: the folio is grouped with what cannot move, as a kernel groups page cache that
  // was allocated without a hint. Of meaning to MovableRegion under kPageblock only.
  kGroupedUnmovable = 1u << 5,
};

constexpr AllocFlags operator|(AllocFlags a, AllocFlags b) {
  return static_cast<AllocFlags>(static_cast<uint32_t>(a) | static_cast<uint32_t>(b));
}
constexpr AllocFlags operator&(AllocFlags a, AllocFlags b) {
  return static_cast<AllocFlags>(static_cast<uint32_t>(a) & static_cast<uint32_t>(b));
}
// Whether any of `wanted` is set in `flags`.
constexpr bool Has(AllocFlags flags, AllocFlags wanted) {
  return (flags & wanted) != AllocFlags::kNone;
}

// The name of a folio: the frame number of its first page. A default-made one is an empty slot.
class Folio {
 public:
  constexpr Folio() = default;
  constexpr explicit Folio(uint32_t pfn) : pfn_(pfn) {}

  constexpr bool empty() const { return pfn_ == kEmpty; }
  // REQUIRES: !empty()
  constexpr uint32_t pfn() const { return pfn_; }

  friend constexpr bool operator==(Folio a, Folio b) { return a.pfn_ == b.pfn_; }

 private:
  static constexpr uint32_t kEmpty = ~uint32_t{0};
  uint32_t pfn_ = kEmpty;
};

// Largest folio: 2^9 pages, a 2 MiB page block of 4 KiB pages.
inline constexpr int kMaxFolioOrder = 9;

// A folio that is asked to move.
struct FolioMove {
  Folio destination;
  Folio source;
  bool moved = false;  // the answer
};

// A holder of folios that can be asked about them. Implemented by BufferCache, by stripe caches, by
// tests. The allocator calls from its own threads and from inside other callers'
// allocations, so an owner must not allocate from the same allocator inside these calls.
class FolioOwner {
 public:
  virtual ~FolioOwner() = default;

  // For reports: "btree", "raid56 stripes". Stays valid as long as the owner.
  virtual std::string_view name() const = 0;

  // Whether Release and Migrate are implemented. Asking for movable folios without is a breach.
  virtual bool movable() const { return false; }

  // Gives up `folio` if that is possible now. True: the owner has freed it (and whatever belonged
  // with it) through the allocator before it returned. False: it stays, nothing has changed.
  // `private_bits` are those of the folio when the allocator looked; the owner must check that they
  // still mean this folio, because it may have been freed and handed out again meanwhile.
  // The kernel's release_folio. An exception, here and in Migrate, counts as a refusal.
  virtual bool Release(Folio folio, uint32_t private_bits) {
    (void)folio, (void)private_bits;
    return false;
  }

  // Moves what is in `source` to `destination`, which is as large and already carries the owner and
  // private bits of `source`. True: the owner now uses `destination` and has let go of `source`
  // without freeing it: that is left to the allocator. False: nothing has changed.
  // The kernel's migrate_folio.
  virtual bool Migrate(Folio destination, Folio source, uint32_t private_bits) {
    (void)destination, (void)source, (void)private_bits;
    return false;
  }

  // The same for folios with the same private bits, whose turn has come at the same time; `moved`
  // of each is what Migrate would have returned. For owners that take such folios for one thing:
  // a block in four pages is frozen once, not four times.
  virtual void MigrateTogether(absl::Span<FolioMove> moves, uint32_t private_bits) {
    for (FolioMove& move : moves) {
      move.moved = Migrate(move.destination, move.source, private_bits);
    }
  }
};

// An owner as an allocator numbers it. 0 is no owner.
using OwnerId = uint8_t;
inline constexpr OwnerId kNoOwner = 0;

// What an allocation is for, and whose it will be.
struct FolioRequest {
  AllocFlags flags = AllocFlags::kNone;
  OwnerId owner = kNoOwner;
  uint32_t private_bits = 0;  // what the owner gets back in Release and Migrate
};

// The memory behind one block: folios, and one address for all of them where that can be had.
struct FolioBlock {
  // One slot a page of the block, storage of the caller's. Of folios of order n every slot
  // i << n is in use, counted from the front: the first (slots >> order) slots.
  absl::Span<Folio> slots;
  int order = 0;
  std::byte* direct = nullptr;  // address of the whole block, or null: a page array
  // Whether the block lies at a multiple of its own size, which the allocator cannot know. Only
  // then can one folio be the block and nothing else, as in a page cache: large folios lie at
  // multiples of their size there. Set by the caller of AllocateBlock.
  bool naturally_aligned = true;

  // The folios in use.
  absl::Span<Folio> folios() const { return slots.subspan(0, slots.size() >> order); }
};

// Windows: scattered pages mapped side by side.
struct WindowStats {
  uint64_t windows = 0;      // mapped now
  uint64_t retired = 0;      // of these, with no block any more
  uint64_t mapped = 0;       // since the start
  uint64_t found_again = 0;  // retired ones that showed just the pages wanted: nothing to map
  uint64_t refused = 0;      // beyond what windows may take
  uint64_t failures = 0;     // to map one
  uint64_t purges = 0;       // batches of retired ones that were unmapped
  uint64_t unmapped = 0;     // windows in them
  uint64_t unmap_calls = 0;  // to the OS, for them
};

// What an allocator has done since the start, and has now. Exact only while no thread uses
// it.
struct AllocatorStats {
  uint64_t page_bytes = 0;     // size of a page
  uint64_t in_use_bytes = 0;   // in folios handed out and not yet freed
  uint64_t from_os_bytes = 0;  // in memory asked from the OS and not given back
  // The most that can be handed out, where that is an arena: 0 before the first allocation, and
  // then what the OS gave, which may be less than was asked for.
  uint64_t arena_bytes = 0;
  uint64_t allocated_folios = 0;    // since the start
  uint64_t freed_folios = 0;        // since the start
  uint64_t failed_allocations = 0;  // calls that ended in an error, no memory with kNoWarn apart
  uint64_t allocated_blocks = 0;    // AllocateBlock calls that succeeded
  uint64_t contiguous_blocks = 0;   // of these, how many had one address:
  uint64_t lucky_blocks = 0;        //   several pages that happened to be neighbours,
  uint64_t large_blocks = 0;        //   one folio of several pages,
  uint64_t mapped_blocks = 0;       //   scattered pages mapped side by side; the rest are one page
  uint64_t contract_breaches = 0;   // movable requests by owners that cannot move
  // Times that owners released folios for a request of another owner's that could have failed.
  uint64_t reclaims_from_others = 0;
  WindowStats windows;
  // What kNoFail took.
  uint64_t no_fail_refused = 0;   // requests above order 1
  uint64_t no_fail_reclaims = 0;  // times that owners released folios for one
  uint64_t no_fail_waits = 0;     // waits for others to free
  uint64_t no_fail_reserves = 0;  // requests served from the reserve
  uint64_t no_fail_failures = 0;  // nothing to wait for, and the reserve spent
};

class PageAllocator {
 public:
  virtual ~PageAllocator() = default;

  virtual std::string_view name() const = 0;

  // Bytes in a page: 4096, 16384 or 65536. Constant.
  virtual size_t page_bytes() const = 0;

  // Makes `owner` known. It must outlive its folios, and be taken back by UnregisterOwner before it
  // goes. An allocator knows 255 owners at a time: kNoOwner, where there are as many already.
  virtual OwnerId RegisterOwner(FolioOwner* owner) = 0;
  // Stops asking `owner` to release or migrate, and returns when no call of it is under way. What
  // an owner does first when it goes: from here on only the owner touches its folios.
  virtual void QuiesceOwner(OwnerId owner) = 0;
  // REQUIRES: the owner holds no folios any more. Nothing to do for kNoOwner.
  virtual void UnregisterOwner(OwnerId owner) = 0;

  // Fills every empty slot with a folio of 2^order pages; slots already filled stay as they are.
  // All or nothing: on error no slot has changed. The contents are undefined. Errors:
  // InvalidArgument (order out of range, kNoFail above order 1, a breach of the migrability
  // contract), ResourceExhausted (no memory).
  //
  // Out of memory, an allocator asks the owners of other folios to release some (those that are
  // movable or reclaimable) before it fails, unless the request is kNoReclaim; so of several owners
  // on one allocator none is shut out by what others do not use. It does not ask the owner of the
  // request: that one knows best which of its own it can do without. For order 0 only, where larger
  // folios have to be made of neighbours.
  //
  // With kNoFail an allocator asks owners to release folios, waits while others free any, and at
  // last takes from a reserve that only kNoFail can have. It does not wait when nothing can free
  // memory: when nothing was freed for a while and the reserve is spent, that is ResourceExhausted
  // after all, which says so. It is an error and not a CHECK because it says something about this
  // machine's load, not about the caller.
  virtual absl::Status AllocateBulk(const FolioRequest& request, int order,
                                    absl::Span<Folio> slots) = 0;

  // Frees every folio in `slots`, of 2^order pages each, and empties the slots. Empty slots are
  // passed over. REQUIRES: handed out by this allocator with this order, freed once.
  virtual void FreeBulk(int order, absl::Span<Folio> slots) = 0;

  // Fills `block`, all of whose slots must be empty, in the way this allocator thinks best: one
  // large folio, several small ones, with or without one address. Sets order and direct.
  // `block.slots.size()` must be a power of two. Errors as AllocateBulk.
  virtual absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) = 0;

  // Frees what AllocateBlock gave: folios, and the address if it was a mapping.
  virtual void FreeBlock(FolioBlock& block) = 0;

  // Changes the private bits of a folio that the caller holds.
  virtual void SetPrivate(Folio folio, uint32_t private_bits) = 0;

  // Address of a folio's first byte; null where frames have no bytes behind them.
  // REQUIRES: the folio is allocated.
  virtual std::byte* Address(Folio folio) const = 0;

  // Where all frames lie in one arena: its address, so that frame n is at base + n * page_bytes().
  // Null: there is no such arena, and every block this allocator gives has a direct address.
  // Constant after the first allocation succeeded.
  virtual std::byte* direct_map() const { return nullptr; }

  // Gives free memory back to the OS. Returns the bytes given back. May be slow.
  virtual size_t Trim() = 0;

  virtual AllocatorStats stats() const = 0;
};

}  // namespace ebcache

#endif  // EBCACHE_PAGE_ALLOCATOR_H_
