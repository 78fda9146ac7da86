// MovableRegion: an allocator that can make room. It keeps what cannot move apart from what can,
// and moves what can by asking its owner, so that memory in one piece can be had after a long life.
//
// The region is an arena of superpageblocks (1 GiB) made of page blocks (2 MiB), with a buddy
// allocator in them. Requests are unmovable, reclaimable or movable (AllocFlags), and memory is
// grouped by that under one of two policies:
//
//   kPageblock       as Linux 6.12 does: page blocks have a mobility. A request takes memory of
//                    its own kind, wherever that is; when there is none it falls back to another
//                    kind, to the largest free block, and takes over all page blocks of that (4 MiB
//                    are two), or the one page block that it is in where that seems fair.
//   kSuperpageblock  superpageblocks are clean (free memory and movable pages only) or tainted,
//                    each with free lists of its own. What cannot move goes to tainted ones first;
//                    before it taints another, movable pages are moved out of its way. What can
//                    move goes to the fullest clean one.
//
// Backing is real memory, or phantom: frames are accounted for, and have no bytes. A machine of
// 250 GiB is then 512 MiB of frame table.
//
// Moving: the owner of a movable folio is asked to Migrate it, or where there is nowhere to put it,
// to Release it; never with a lock held. A refusal is final for that attempt, and counted by owner.

#ifndef EBCACHE_MOVABLE_REGION_H_
#define EBCACHE_MOVABLE_REGION_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/page_allocator.h"

namespace ebcache {

// The size of a region, and how it groups what is in it.
struct MovableRegionOptions {
  // How memory is grouped by mobility: see the top of this file.
  enum class Policy { kPageblock, kSuperpageblock };
  // Whether there are bytes behind the frames.
  enum class Backing { kReal, kPhantom };

  size_t page_bytes = 4096;  // 4096, 16384 or 65536
  // The most there can be. A multiple of superpageblock_bytes; at most 2^28 - 1 pages. Where the OS
  // refuses so much address space (RLIMIT_AS, no overcommit) it is half of it, or half of that, in
  // whole superpageblocks, down to one or to 64 MiB; AllocatorStats::arena_bytes says what it is.
  size_t arena_bytes = size_t{4} << 30;
  // Powers of two, of 1 to 2^18 pages; a page block not larger than a superpageblock. Each of the
  // latter costs 64 bytes from the start and some 600 when the first page is allocated.
  // Page blocks that are smaller than a page of the OS keep their memory: only whole pages go back.
  size_t pageblock_bytes = size_t{2} << 20;
  size_t superpageblock_bytes = size_t{1} << 30;
  Policy policy = Policy::kSuperpageblock;
  Backing backing = Backing::kReal;
  // What kPageblock does as Linux 6.12 does. The defaults are what that does.
  struct PageblockRules {
    // A free block of more than one page block is taken over as a whole, and not one page block of it.
    bool claim_largest = true;
    // A free page goes into a list of pages at hand only where its page block is of the list's kind,
    // so that what is at hand does not carry pages from kind to kind.
    bool lists_by_pageblock = true;
  };
  PageblockRules pageblock_rules = {};
  // Free pages that a thread keeps at hand of each kind: 1 to 128; 0 is what suits the size.
  uint32_t page_list_pages = 0;
  // Superpageblocks that may become tainted without an attempt to make room in others first.
  uint32_t tainted_reserve = 4;
  // How long a kNoFail request waits in which no other thread frees anything. The reserve for such
  // requests is what the region has held back since the first of them: pages of the arena, up to
  // kNoFailReserveBytes and a 64th of it.
  uint32_t no_fail_wait_ms = kNoFailWaitMs;
  OsCalls* os = OsCalls::Real();
};

// Options for a region of `arena_bytes`, a multiple of 2 MiB that need not be one of a round size:
// superpageblocks of 1 GiB, or as much less as divides it. Where that would be more than 4096 of
// them, they are larger, and the region less than a 4096th smaller than asked for.
MovableRegionOptions RegionOptionsFor(size_t page_bytes, size_t arena_bytes);

// Empty: all free. Clean: free memory and movable pages only. Tainted: others as well. Isolated:
// being emptied as a whole, for memory in one piece.
enum class SuperpageblockCategory : uint8_t { kEmpty, kClean, kTainted, kIsolated };
inline constexpr int kSuperpageblockCategories = 4;
// "empty", "clean", ...
std::string_view SuperpageblockCategoryName(SuperpageblockCategory category);

// The kind of memory that a request, or a free list, is about. A page block is of the kind of the
// free lists that its free frames are in; isolated ones are being emptied, and not given out.
enum class Mobility : uint8_t { kUnmovable, kReclaimable, kMovable, kIsolated };
inline constexpr int kMobilities = 4;

// How one owner answered when it was asked to let folios go.
struct OwnerReport {
  std::string name;
  uint64_t migrated = 0;
  uint64_t released = 0;
  uint64_t refused = 0;  // to migrate, or to release where there was nowhere to migrate to
  // Refused so often without ever agreeing that its folios are not movable, whatever it says.
  bool breach = false;
};

// What a region is made of now, and what it has done since the start.
struct MovableRegionReport {
  uint32_t superpageblocks = 0;
  // Beyond these: those for which the OS had no address space when the first was allocated.
  uint32_t refused_superpageblocks = 0;
  // By SuperpageblockCategory.
  std::array<uint32_t, kSuperpageblockCategories> by_category{};
  uint64_t free_frames = 0;
  uint32_t free_pageblocks = 0;
  uint64_t migrated_folios = 0;
  uint64_t migrated_frames = 0;
  uint64_t released_folios = 0;  // by owners that were asked to
  uint64_t refused_folios = 0;
  uint64_t lost_races = 0;         // folios freed by their holders while they were being moved
  uint64_t stolen_pageblocks = 0;  // page blocks whose kind changed for a request of another kind
  uint64_t mixed_allocations = 0;  // served out of a page block of another kind, which it stayed
  uint64_t partial_fallbacks = 0;  // under kPageblock, to a block smaller than a page block
  uint64_t defrag_steps = 0;
  uint64_t defrag_pageblocks = 0;  // emptied by them
  uint64_t defrag_failures = 0;    // steps of the background thread that threw
  uint64_t contiguous_allocated = 0;
  uint64_t contiguous_failed = 0;
  uint64_t returned_bytes = 0;      // to the OS
  std::vector<OwnerReport> owners;  // those that were ever asked
};

// What a page block, or a superpageblock, holds right now: frames by what they are.
struct FrameCounts {
  uint32_t free = 0;
  uint32_t unmovable = 0;
  uint32_t reclaimable = 0;
  uint32_t movable = 0;
  uint32_t listed = 0;                   // kept at hand for the next allocation
  std::array<uint32_t, 256> by_owner{};  // frames in use, by OwnerId
};

// Free blocks, counted: element n is how many there are of 2^n pages. As many elements as there are
// orders.
using BlocksByOrder = std::vector<uint64_t>;

// What one superpageblock holds.
struct SuperpageblockReport {
  SuperpageblockCategory category = SuperpageblockCategory::kEmpty;
  uint32_t free_frames = 0;
  uint32_t nonmovable_frames = 0;
  uint32_t free_pageblocks = 0;  // that are entirely free
};

// What is free in a region, and in which pieces: what Linux says of itself in /proc/buddyinfo (by
// place) and /proc/pagetypeinfo (by kind). Nothing is free before the first allocation.
struct FreeMemoryReport {
  int pageblock_order = 0;
  // By free list: of a superpageblock each; under kPageblock one, for the whole region.
  std::vector<BlocksByOrder> by_zone;
  // By Mobility: the same blocks, and how many page blocks there are of each kind.
  std::array<BlocksByOrder, kMobilities> by_mobility;
  std::array<uint64_t, kMobilities> pageblocks{};
  std::vector<SuperpageblockReport> superpageblocks;
};

class MovableRegion final : public PageAllocator {
 public:
  // Options out of range are a CHECK. Nothing is asked from the OS before the first allocation.
  static std::shared_ptr<MovableRegion> Create(MovableRegionOptions options);
  // Stops the background defragmenter.
  ~MovableRegion() override;

  // ---- PageAllocator --------------------------------------------------------------------------
  // Orders up to that of a page block of 512 pages are served from free memory (kMaxFolioOrder).

  std::string_view name() const override;
  size_t page_bytes() const override;
  OwnerId RegisterOwner(FolioOwner* owner) override;
  void QuiesceOwner(OwnerId owner) override;
  void UnregisterOwner(OwnerId owner) override;
  absl::Status AllocateBulk(const FolioRequest& request, int order,
                            absl::Span<Folio> slots) override;
  // Frees what AllocateContiguous gave, too.
  void FreeBulk(int order, absl::Span<Folio> slots) override;
  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override;
  void FreeBlock(FolioBlock& block) override;
  void SetPrivate(Folio folio, uint32_t private_bits) override;
  std::byte* Address(Folio folio) const override;
  std::byte* direct_map() const override;
  size_t Trim() override;
  AllocatorStats stats() const override;

  // ---- Memory in one piece ----------------------------------------------------------------------

  // 2^order pages, up to a whole superpageblock: out of free memory if there is such a block, else
  // out of a range that is emptied for it, the one with least in it first. Slow: it may move a
  // gigabyte. A folio of a whole superpageblock taints nothing. FreeBulk frees it. With kNoReclaim
  // what is in the way may move, and no owner is asked to release anything.
  // Errors: InvalidArgument; ResourceExhausted when no range could be emptied.
  absl::StatusOr<Folio> AllocateContiguous(const FolioRequest& request, int order);
  // The order of a superpageblock.
  int superpageblock_order() const;

  // ---- Compaction -------------------------------------------------------------------------------

  // How far a pass of compaction goes.
  struct CompactionGoal {
    int order = -1;            // until there is a free block of 2^order pages; -1: all of the region
    bool from_cached = false;  // from where the last pass stopped, and not from both ends
  };
  // What a pass came to.
  struct CompactionPass {
    bool reached = false;  // there is a free block of that order
    bool met = false;      // the two scanners have met
    uint64_t moved = 0;    // folios
  };
  // One pass of compaction as Linux does it: what can move goes from the lowest page blocks into
  // what is free in the highest movable ones, until the two meet. What is free in page blocks of
  // other kinds is no destination. REQUIRES: policy kPageblock, and one such call at a time.
  CompactionPass Compact(CompactionGoal goal);

  // ---- Defragmentation --------------------------------------------------------------------------

  // What a step came to.
  enum class DefragProgress {
    kDone,    // no tainted superpageblock needs room, or has movable pages to give
    kEmptied  // worked on a page block; there may be more to do
  };
  // One piece of the defragmenter's work: moves the movable pages out of one page block of a
  // tainted superpageblock that is short of room. Whole free superpageblocks go back to the OS, one
  // a step, when there is nothing else to do. Under kPageblock there is never anything to move.
  DefragProgress DefragStep();

  // A thread that does the steps as they are needed. Start while it runs does nothing; beside a
  // Stop it is as if one had come after the other. False when the OS refuses a thread. A child of a
  // fork has none, and may start one.
  bool StartDefragmenter();
  // Returns when the thread has ended, at the latest after the step it is in. REQUIRES: the caller
  // is not an owner that the thread is just asking.
  void StopDefragmenter();

  // ---- Reports ----------------------------------------------------------------------------------

  MovableRegionReport report() const;
  uint32_t pageblocks() const;
  uint32_t superpageblocks() const;
  // Walks the frames of one; exact only while no thread allocates or frees.
  FrameCounts CountPageblock(uint32_t pageblock) const;
  FrameCounts CountSuperpageblock(uint32_t superpageblock) const;

  FreeMemoryReport free_memory() const;

 private:
  class Impl;
  explicit MovableRegion(const MovableRegionOptions& options);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ebcache

#endif  // EBCACHE_MOVABLE_REGION_H_
