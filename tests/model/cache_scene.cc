#include "tests/model/cache_scene.h"

#include <algorithm>

#include "tests/model/cache_peer.h"

namespace ebcache::model {
namespace {

constexpr uint32_t kUserBytes = 16;

}  // namespace

CacheScene::CacheScene(const CacheSceneOptions& options) : options_(options) {
  disk_.fill(1);
  giving_.fill(kMaxDescriptors);
  if (options.region_superpageblocks != 0) {
    region_ = MovableRegion::Create(
        {.page_bytes = options.page_bytes,
         .arena_bytes = 4 * options.region_superpageblocks * options.page_bytes,
         .pageblock_bytes = 2 * options.page_bytes,
         .superpageblock_bytes = 4 * options.page_bytes});
  } else {
    allocator_ = std::make_shared<ModelAllocator>(options.page_bytes, options.direct);
    allocator_->on_free = [this](Folio folio, uint32_t bits) {
      Scheduler::Get().Muted([&] { CheckFree(folio, bits); });
    };
  }
  if (!options.background_reclaim) Open();
}

CacheScene::~CacheScene() = default;

void CacheScene::Open() {
  std::shared_ptr<PageAllocator> allocator = allocator_;
  if (region_ != nullptr) allocator = region_;
  cache_ = std::make_unique<BufferCache>(
      BufferCacheOptions{.node_bytes = options_.node_bytes,
                         .budget_bytes = options_.budget_bytes,
                         .dirty_limit_bytes = options_.dirty_limit_bytes,
                         .on_dirty_limit =
                             [this](uint64_t bytes) {
                               ++limits_told;
                               Expect(bytes >= options_.dirty_limit_bytes,
                                      "told of a limit that was not reached");
                             },
                         .user_bytes = kUserBytes,
                         .background_reclaim = options_.background_reclaim,
                         .low_room_percent = 50,
                         .high_room_percent = 50,
                         .allocator = std::move(allocator),
                         .migrate_mode = options_.migrate_mode},
      this);
  {
    const ExtentBufferRef first = *cache_->CreateDummy(0);
    first_descriptor_ = static_cast<const std::byte*>(DescriptorPeer::word(*first));
  }
  whole_ = true;
  open_.store(1, std::memory_order_release);
  open_.notify_all();
}

void CacheScene::AwaitOpen() {
  while (open_.load(std::memory_order_acquire) == 0) open_.wait(0, std::memory_order_relaxed);
}

void CacheScene::Close() {
  whole_ = false;
  cache_.reset();
}

// ---- Looking inside -----------------------------------------------------------------------------

uint32_t CacheScene::descriptors() const { return BufferCachePeer::slab(*cache_).size(); }

ExtentBuffer* CacheScene::descriptor(uint32_t number) const {
  return BufferCachePeer::slab(*cache_).At(number);
}

BufferState CacheScene::StateOf(uint32_t number) const { return descriptor(number)->state(); }

uint32_t CacheScene::NumberOf(const void* word) const {
  const auto distance = static_cast<const std::byte*>(word) - first_descriptor_;
  const auto limit = static_cast<std::ptrdiff_t>(kMaxDescriptors * sizeof(ExtentBuffer));
  if (distance < 0 || distance >= limit) return kMaxDescriptors;
  return static_cast<uint32_t>(distance / static_cast<std::ptrdiff_t>(sizeof(ExtentBuffer)));
}

bool CacheScene::InIndex(const ExtentBuffer* buffer) const {
  const BufferIndex& index = BufferCachePeer::index(*cache_);
  for (BufferIndex::Step step = index.Next(0); !step.at_end; step = index.Next(step.block)) {
    if (step.candidate == buffer) return true;
    if (step.candidate != nullptr) ++step.block;
  }
  return false;
}

// ---- The checks ---------------------------------------------------------------------------------

// What holds in every state of docs/lifecycle.md, 3 to 5, and that nobody's reference is missing.
void CacheScene::CheckLive(uint32_t number, BufferState s) const {
  const auto has = [s](BufferFlag flag) { return s.has(flag); };
  const uint32_t own = has(BufferFlag::kTreeRef) ? 1 : 0;
  if (s.refs < static_cast<uint32_t>(holders_[number]) + own) {
    FailRun("fewer references than are held: a reference was put twice");
  }
  if (has(BufferFlag::kMigrating) &&
      (s.refs != 1 || !has(BufferFlag::kTreeRef) || s.under_io() || has(BufferFlag::kReading))) {
    FailRun("MIGRATING, and not idle");
  }
  if (has(BufferFlag::kUnmapped) && (has(BufferFlag::kTreeRef) || s.under_io() ||
                                     has(BufferFlag::kReading) || has(BufferFlag::kMigrating))) {
    FailRun("UNMAPPED, with what only mapped buffers have");
  }
  if (s.under_io() && (!has(BufferFlag::kUptodate) || has(BufferFlag::kReading))) {
    FailRun("bytes that are not on disk, and not UPTODATE");
  }
  if (has(BufferFlag::kWriteErr) && !s.under_io()) FailRun("WRITE_ERR, and nothing to be written");
  if (has(BufferFlag::kReading) && s.refs < own + 1)
    FailRun("READING without a reader's reference");
  if (has(BufferFlag::kWriteback) && s.refs < own + 1) {
    FailRun("WRITEBACK without a writer's reference");
  }
}

void CacheScene::CheckBirth(uint32_t number, BufferState s) {
  if (!(s == state::BornMapped()) && !(s == state::BornZeroed()) && !(s == state::BornUnmapped())) {
    FailRun("the dead came back to life");
  }
  if (unforgotten_[number]) FailRun("a buffer came before the one before it was forgotten");
  unforgotten_[number] = true;
  if (s.has(BufferFlag::kUnmapped)) return;
  for (uint32_t i = 0; i < descriptors(); ++i) {
    if (i == number || descriptor(i)->start() != descriptor(number)->start()) continue;
    const BufferState other = StateOf(i);
    if (other.refs != 0 && !other.has(BufferFlag::kUnmapped)) {
      FailRun("two live buffers for one address");
    }
  }
}

void CacheScene::CheckDeath(uint32_t number, BufferState before) {
  if (before.under_io()) FailRun("a buffer died DIRTY or under WRITEBACK");
  if (before.has(BufferFlag::kReading)) FailRun("a buffer died while it was read");
  if (holders_[number] != 0) FailRun("a buffer died in use");
  if (whole_ && !before.has(BufferFlag::kUnmapped) && Unwritten(descriptor(number)->start())) {
    FailRun("a buffer died with bytes that are not on disk");
  }
}

void CacheScene::Wrote(const void* object, uint64_t before_word, uint64_t after_word) {
  const uint32_t number = NumberOf(object);
  if (number == kMaxDescriptors) return;
  if (uint32_t& giving = giving_[ThisFiber()]; giving == number) {
    giving = kMaxDescriptors;
    --holders_[number];
  }
  const BufferState before = state::Unpack(before_word);
  const BufferState after = state::Unpack(after_word);
  if (!births_known_ && whole_) {
    births_known_ = true;
    for (uint32_t i = 0; i < descriptors(); ++i) {
      unforgotten_[i] = i == number ? before.refs != 0 : StateOf(i).refs != 0;
    }
  }
  if (before.refs == 0 && after.refs == 0) {
    if (before_word != after_word && after_word != 0) FailRun("a step was made on the dead");
    return;
  }
  if (before.refs == 0) return CheckBirth(number, after);
  if (after.refs == 0) return CheckDeath(number, before);
  CheckLive(number, after);
  if (before.has(BufferFlag::kDirty) && !after.has(BufferFlag::kDirty) &&
      !after.has(BufferFlag::kWriteback) && cleaning_[number] == 0) {
    FailRun("DIRTY went, and no WRITEBACK came");
  }
  if (whole_ && before.has(BufferFlag::kWriteback) && !after.under_io() &&
      Unwritten(descriptor(number)->start())) {
    FailRun("a write ended, and the bytes are neither DIRTY nor on disk");
  }
}

void CacheScene::AfterStep() {
  if (!whole_) return;
  for (uint32_t i = 0; i < descriptors(); ++i) {
    const BufferState s = StateOf(i);
    if (s.refs != 0) {
      CheckLive(i, s);
    } else if (holders_[i] != 0) {
      FailRun("a dead buffer is held");
    }
    if (holders_[i] != 0 && !(descriptor(i)->folios()[0] == held_folio_[i])) {
      FailRun("the bytes of a held buffer moved");
    }
  }
}

// A folio goes back. Nobody alive may have it, and its dead owner must be out of the index.
void CacheScene::CheckFree(Folio folio, uint32_t private_bits) {
  if (!whole_) return;
  for (uint32_t i = 0; i < descriptors(); ++i) {
    const ExtentBuffer* buffer = descriptor(i);
    if (StateOf(i).refs == 0) continue;
    const auto folios = buffer->folios();
    if (std::find(folios.begin(), folios.end(), folio) != folios.end()) {
      FailRun("a folio was freed that a live buffer has");
    }
  }
  const bool shared = options_.page_bytes > options_.node_bytes;
  if (shared || private_bits >= descriptors()) return;
  const ExtentBuffer* owner = descriptor(private_bits);
  if (StateOf(private_bits).refs == 0 && InIndex(owner)) {
    FailRun("wrong order of death: folios before the index");
  }
  // On its way out a buffer is not yet on the free list: that is the last thing to happen.
  const DescriptorSlab& slab = BufferCachePeer::slab(*cache_);
  uint32_t looked_at = 0;
  for (uint32_t at = BufferCachePeer::FirstFree(*cache_);
       at != DescriptorSlab::kNone && looked_at <= slab.size(); ++looked_at) {
    if (at == private_bits && StateOf(at).refs == 0) {
      FailRun("wrong order of death: descriptor before folios");
    }
    at = DescriptorPeer::older(*slab.At(at));
  }
  if (StateOf(private_bits).refs == 0 && unforgotten_[private_bits]) {
    FailRun("wrong order of death: folios before users were told");
  }
}

// ---- The end ------------------------------------------------------------------------------------

// Steady state: what is left is idle, and goes when it is asked to; nothing is left of anything.
void CacheScene::Finish() {
  if (whole_) CheckSteadyState();
  if (allocator_ != nullptr && allocator_->used() != 0) FailRun("a folio leaked");
  if (region_ != nullptr && region_->stats().in_use_bytes != 0) FailRun("a folio leaked");
  for (const bool unforgotten : unforgotten_) {
    if (unforgotten) FailRun("users were not told of a buffer that has gone");
  }
}

void CacheScene::Forget(const ExtentBuffer& buffer, std::byte* user) noexcept {
  const uint32_t number = NumberOf(DescriptorPeer::word(buffer));
  // The first one, before the scene knows where they are; those of a setup.
  if (number == kMaxDescriptors || !births_known_) return;
  if (!unforgotten_[number]) FailRun("users were told twice, or of a buffer that never was");
  unforgotten_[number] = false;
  if (whole_ && user != buffer.user()) FailRun("users were told of another buffer's bytes");
}

// Over the budget only by what cannot go.
void CacheScene::CheckBudget() const {
  if (options_.budget_bytes == 0) return;
  const uint64_t allowed = std::max<uint64_t>(options_.budget_bytes / options_.node_bytes, 1);
  uint64_t cached = 0;
  bool idle = false;
  for (uint32_t i = 0; i < descriptors(); ++i) {
    const BufferState s = StateOf(i);
    if (s.refs != 0 && !s.has(BufferFlag::kUnmapped)) ++cached;
    if (state::VerdictOf(s) == ReleaseVerdict::kEligible) idle = true;
  }
  if (cached > allowed && idle) FailRun("over the budget, and what could go has stayed");
}

void CacheScene::CheckSteadyState() {
  CheckBudget();
  for (ExtentBufferRef& ref : held) Put(ref);
  if (!pinned_.empty()) region_->FreeBulk(region_->superpageblock_order(), {&pinned_, 1});
  uint64_t idle = 0;
  for (uint32_t i = 0; i < descriptors(); ++i) {
    const BufferState s = StateOf(i);
    if (s.refs == 0) continue;
    if (s.refs != 1 || !s.has(BufferFlag::kTreeRef)) FailRun("a reference leaked");
    if (s.has(BufferFlag::kStale) && !s.under_io()) FailRun("a STALE buffer outlived its users");
    if (!InIndex(descriptor(i))) FailRun("a live buffer that the index does not have");
    if (reads_everything && !s.has(BufferFlag::kUptodate)) FailRun("a failed read stays cached");
    if (!s.under_io()) ++idle;
  }
  if (cache_->DropCaches() != idle) FailRun("DropCaches does not find all idle buffers");
  failing_writes = 0;
  if (!WritebackAll()) FailRun("writing what was left failed");
  cache_->DropCaches();
  const CacheStats stats = cache_->stats();
  if (stats.dirty_buffers != 0) FailRun("the count of dirty buffers is off");
  if (stats.write_err_buffers != 0) FailRun("the count of failed writes is off");
  if (stats.cached_buffers != 0 || stats.private_buffers != 0) FailRun("a buffer leaked");
  if (BufferCachePeer::FreeDescriptors(*cache_) != descriptors()) FailRun("a descriptor leaked");
  if (BufferCachePeer::reclaim(*cache_).size() != 0) FailRun("the reclaim list has the dead on it");
  if (BufferCachePeer::failures(*cache_) != 0) FailRun("the error of a failed read leaked");
  if (BufferCachePeer::write_errors(*cache_) != 0) FailRun("the error of a failed write leaked");
}

// ---- For traces ---------------------------------------------------------------------------------

std::string CacheScene::Describe(const void* object) const {
  const uint32_t number = NumberOf(object);
  if (number != kMaxDescriptors) return "state of descriptor " + std::to_string(number);
  if (allocator_ == nullptr || !whole_) return "another object";
  if (object == allocator_.get()) return "the allocator";
  for (uint32_t pfn = 0; pfn < ModelAllocator::kFrames; ++pfn) {
    if (object == allocator_->Bytes(Folio(pfn))) return "bytes of frame " + std::to_string(pfn);
  }
  for (size_t i = 0; i < tree_locks_.size(); ++i) {
    if (object == &tree_locks_[i]) return "tree lock of block " + std::to_string(i);
  }
  const auto within = [object](const auto& part) {
    const auto* at = static_cast<const std::byte*>(object);
    const auto* from = reinterpret_cast<const std::byte*>(&part);
    return at >= from && at < from + sizeof(part);
  };
  if (within(BufferCachePeer::slab(*cache_))) return "slab";
  if (within(BufferCachePeer::index(*cache_))) return "index";
  if (within(BufferCachePeer::reclaim(*cache_))) return "reclaim list";
  if (within(BufferCachePeer::impl(*cache_))) return "cache";
  return "index slot or other";
}

std::string CacheScene::DescribeValue(const void* object, uint64_t value) const {
  if (NumberOf(object) == kMaxDescriptors) return std::to_string(value);
  return state::Unpack(value).ToString();
}

}  // namespace ebcache::model
