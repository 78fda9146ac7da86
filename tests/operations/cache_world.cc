#include "tests/operations/cache_world.h"

#include <algorithm>
#include <utility>

namespace ebcache::operations {

World::World(const Setup& setup) : setup_(setup) {
  std::shared_ptr<PageAllocator> inner;
  switch (setup.allocator) {
    case Setup::kHeap:
      inner = HeapAllocator();
      break;
    case Setup::kPageArrays:
      node_ = 16384;
      inner = Order0Allocator({.arena_bytes = 4 << 20, .contiguous_by_luck = false, .os = &clock_});
      break;
    case Setup::kLargePages:
      inner = Order0Allocator({.page_bytes = 16384, .arena_bytes = 4 << 20, .os = &clock_});
      break;
    case Setup::kRegion:
      inner = region_ = MovableRegion::Create({.arena_bytes = 1 << 20,
                                               .pageblock_bytes = 32 << 10,
                                               .superpageblock_bytes = 128 << 10,
                                               .os = &clock_});
      if (setup.background_defragmenter) region_->StartDefragmenter();
      break;
    default:
      inner = Order0Allocator({.arena_bytes = 4 << 20, .os = &clock_});
  }
  allocator_ = std::make_shared<WatchedAllocator>(std::move(inner));
  using Mode = BufferCacheOptions::MigrateMode;
  cache_ = std::make_unique<BufferCache>(
      BufferCacheOptions{
          .node_bytes = node_,
          .budget_bytes = 0,
          .allocator = allocator_,
          .migrate_mode = setup.drop_to_migrate ? Mode::kDropBuffer : Mode::kKeepBuffer},
      this);
}

World::~World() {
  held_.clear();
  private_.clear();
}

// ---- The model ----------------------------------------------------------------------------------

uint64_t World::OnDisk(uint64_t start) const {
  const auto it = disk_.find(start);
  return it != disk_.end() ? it->second : start * 0x9e3779b97f4a7c15u + 1;
}

uint64_t World::CountIdle() const {
  return static_cast<uint64_t>(std::count_if(model_.begin(), model_.end(),
                                             [](const auto& entry) { return Idle(entry.second); }));
}

void World::ModelPut(uint64_t start) {
  ModelBuffer& buffer = model_.at(start);
  --buffer.refs;
  if (buffer.refs == 0 && buffer.stale && !buffer.dirty) model_.erase(start);
}

bool World::ModelRead(uint64_t start) {
  ModelBuffer& buffer = model_.at(start);
  if (buffer.uptodate) return true;
  if (buffer.write_error) return false;
  if (fail_reads_) {
    buffer.stale = true;
    return false;
  }
  buffer.uptodate = true;
  buffer.word = OnDisk(start);
  return true;
}

void World::ModelWriteback(uint64_t start) {
  ModelBuffer& buffer = model_.at(start);
  buffer.dirty = false;
  buffer.write_error = fail_writes_;
#ifndef EBCACHE_PLANTED_BUG
  if (fail_writes_) buffer.uptodate = false;
#endif
  if (buffer.refs == 0 && buffer.stale) model_.erase(start);
}

void World::ForgetReclaimed() {
  std::erase_if(model_, [this](const auto& entry) {
    return Idle(entry.second) && !cache_->Find(entry.first);
  });
}

void World::AfterAllocation(bool was_armed, uint64_t idle_before, bool ok) {
  const bool failed = was_armed && !allocator_->fail_next;
  if (!ok) EBCACHE_SAME(failed && idle_before == 0);
  if (failed) ForgetReclaimed();
}

// ---- The device ---------------------------------------------------------------------------------

// What a device may do with the cache: anything that is not about the blocks it works on.
void World::Reenter() {
  if (reenter_ == 0 || inside_io_) return;
  // Making the buffer may have cost others theirs.
  if (std::exchange(failures_seen_, allocator_->failures) != allocator_->failures) {
    ForgetReclaimed();
  }
  inside_io_ = true;
  for (int i = 0; i < kAddresses; ++i) {
    const uint64_t start = static_cast<uint64_t>(i) * node_;
    if (in_io_.contains(start)) continue;
    if (reenter_ == 1) Find(start);
    if (reenter_ == 2) Create(start);
    if (reenter_ >= 3) break;
    if (reenter_ == 1 || i >= 2) break;
  }
  if (reenter_ == 3) DropCaches();
  if (reenter_ == 4 && !held_.empty()) {
    ++model_.at(held_.front().start).refs;
    Hold(held_.front().ref.Share(), held_.front().start);
  }
  inside_io_ = false;
}

void World::Read(absl::Span<BlockRead> reads) {
  for (const BlockRead& read : reads) in_io_.insert(read.buffer->start());
  Reenter();
  for (BlockRead& read : reads) {
    if (fail_reads_) {
      read.status = absl::DataLossError("EIO");
    } else {
      read.status = read.buffer->Set<uint64_t>(0, OnDisk(read.buffer->start()));
    }
  }
  for (const BlockRead& read : reads) in_io_.erase(read.buffer->start());
}

void World::Write(absl::Span<BlockWrite> writes) {
  for (const BlockWrite& write : writes) in_io_.insert(write.buffer->start());
  Reenter();
  for (BlockWrite& write : writes) {
    if (fail_writes_) {
      write.status = absl::DataLossError("EIO");
    } else {
      disk_[write.buffer->start()] = *write.buffer->Get<uint64_t>(0);
      write.status = absl::OkStatus();
    }
  }
  for (const BlockWrite& write : writes) in_io_.erase(write.buffer->start());
}

// ---- Operations ---------------------------------------------------------------------------------

void World::Find(uint64_t start) {
  ExtentBufferRef ref = cache_->Find(start);
  EBCACHE_SAME(static_cast<bool>(ref) == model_.contains(start));
  if (!ref) return;
  ++model_[start].refs;
  Hold(std::move(ref), start);
}

void World::Create(uint64_t start) {
  const bool armed = allocator_->fail_next;
  const uint64_t idle = CountIdle();
  auto ref = cache_->Create(start);
  if (ref.ok()) ++model_[start].refs;
  AfterAllocation(armed, idle, ref.ok());
  if (ref.ok()) Hold(*std::move(ref), start);
}

void World::ReadBlock(uint64_t start) {
  const bool armed = allocator_->fail_next;
  const uint64_t idle = CountIdle();
  const bool is_new = !model_.contains(start);
  ++model_[start].refs;  // before the device is asked: it may come back
  auto ref = cache_->ReadBlock(start);
  const bool no_memory = absl::IsResourceExhausted(ref.status());
  if (no_memory) {
    EBCACHE_SAME(is_new);
    model_.erase(start);
    AfterAllocation(armed, idle, false);
    return;
  }
  AfterAllocation(armed, idle, true);
  EBCACHE_SAME(ref.ok() == ModelRead(start));
  if (ref.ok()) {
    Hold(*std::move(ref), start);
  } else {
    ModelPut(start);
  }
}

// Without failing allocations, which could hit any of the batch.
void World::ReadBlocks(uint64_t start) {
  allocator_->fail_next = false;
  const uint64_t second = (start + 5 * uint64_t{node_}) % (uint64_t{kAddresses} * node_);
  const uint64_t starts[] = {start, second};
  for (const uint64_t at : starts) ++model_[at].refs;
  absl::StatusOr<ExtentBufferRef> results[2];
  cache_->ReadBlocks(starts, {}, results);
  for (size_t i = 0; i < 2; ++i) {
    EBCACHE_SAME(results[i].ok() == ModelRead(starts[i]));
    if (results[i].ok()) {
      Hold(*std::move(results[i]), starts[i]);
    } else {
      ModelPut(starts[i]);
    }
  }
}

void World::WritebackAll() {
  std::vector<uint64_t> dirty;
  for (const auto& [start, buffer] : model_) {
    if (buffer.dirty) dirty.push_back(start);
  }
  EBCACHE_SAME(cache_->WritebackAll().ok() == (dirty.empty() || !fail_writes_));
  for (const uint64_t start : dirty) ModelWriteback(start);
}

void World::DropCaches() {
  const auto gone = std::erase_if(model_, [](const auto& entry) { return Idle(entry.second); });
  EBCACHE_SAME(cache_->DropCaches() == gone);
}

void World::Shrink(uint64_t buffers) {
  const uint64_t idle = CountIdle();
  EBCACHE_SAME(cache_->Shrink(buffers * node_) == std::min(idle, buffers) * node_);
  ForgetReclaimed();
}

void World::MakePrivate(uint64_t start, bool clone, unsigned which) {
  if (clone && held_.empty()) return;
  const bool armed = allocator_->fail_next;
  const uint64_t idle = CountIdle();
  auto ref = clone ? cache_->Clone(*held_[which % held_.size()].ref) : cache_->CreateDummy(start);
  AfterAllocation(armed, idle, ref.ok());
  if (!ref.ok()) return;
  EBCACHE_SAME((*ref)->state().refs == 1);
  EBCACHE_SAME((*ref)->state().has(BufferFlag::kUnmapped));
  private_.push_back(*std::move(ref));
}

void World::ReleaseFolio(uint64_t start) {
  Folio folio;
  if (ExtentBufferRef ref = cache_->Find(start)) folio = ref->folios()[0];
  EBCACHE_SAME(folio.empty() == !model_.contains(start));
  if (folio.empty() || !allocator_->private_bits.contains(folio.pfn())) return;
  const bool idle = Idle(model_.at(start));
  const bool released = cache_->ReleaseFolio(folio, allocator_->private_bits.at(folio.pfn()));
  // Others in the same page may be in use; of a folio that moved we do not know the private bits.
  if (released) EBCACHE_SAME(idle);
  if (!released && idle) EBCACHE_SAME(shares_pages() || region_ != nullptr);
  if (!released) return;
  model_.erase(start);
  if (shares_pages()) ForgetReclaimed();
}

// Idle buffers move, or go where there is no room to move them to. The others stay.
void World::Compact() {
  if (region_ == nullptr) return;
  const int order = region_->superpageblock_order();
  auto folio = region_->AllocateContiguous({}, order);
  if (folio.ok()) region_->FreeBulk(order, {&*folio, 1});
  (void)region_->DefragStep();
  ForgetReclaimed();
}

void World::Ordered(uint64_t start, bool dirty_only) {
  ExtentBufferRef ref = dirty_only ? cache_->NextDirty(start) : cache_->FirstAtOrAfter(start);
  const auto it = std::find_if(model_.lower_bound(start), model_.end(), [&](const auto& entry) {
    return !dirty_only || entry.second.dirty;
  });
  EBCACHE_SAME(static_cast<bool>(ref) == (it != model_.end()));
  if (ref) EBCACHE_SAME(ref->start() == it->first);
}

void World::PerformOnHeld(const Operation& operation) {
  const size_t index = operation.which % held_.size();
  const uint64_t start = held_[index].start;
  ExtentBufferRef& ref = held_[index].ref;
  ModelBuffer& buffer = model_.at(start);
  switch (operation.kind) {
    case Operation::kPut:
    case Operation::kPutStale:
      if (operation.kind == Operation::kPutStale) {
        ref.PutStale();
        buffer.stale = true;
      }
      held_.erase(held_.begin() + static_cast<long>(index));
      ModelPut(start);
      break;
    case Operation::kShare:
      ++buffer.refs;
      Hold(ref.Share(), start);
      break;
    case Operation::kRead: {
      // Its own, because the device may add to those that are held.
      ExtentBufferRef mine = ref.Share();
      EBCACHE_SAME(cache_->Read(mine).ok() == ModelRead(start));
      break;
    }
    case Operation::kWrite:
      if (!buffer.uptodate) break;
      EBCACHE_SAME(ref->Set<uint64_t>(0, operation.address * 256u + operation.which).ok());
      buffer.word = operation.address * 256u + operation.which;
      ref.SetDirty();
      buffer.dirty = true;
      break;
    case Operation::kSetDirty:
      if (!buffer.uptodate || !buffer.word) break;
      ref.SetDirty();
      buffer.dirty = true;
      break;
    case Operation::kClearDirty:
      ref.ClearDirty();
      buffer.dirty = false;
      break;
    case Operation::kWriteback: {
      const bool was_dirty = buffer.dirty;
      const bool expected = was_dirty ? !fail_writes_ : !buffer.write_error;
      ExtentBufferRef mine = ref.Share();
      EBCACHE_SAME(cache_->Writeback(mine).ok() == expected);
      mine.Put();
      if (was_dirty) ModelWriteback(start);
      break;
    }
    case Operation::kReinit:
      EBCACHE_SAME(cache_->ReinitAsNewBlock(ref, 101).ok());
      buffer.stale = false;
      buffer.dirty = false;
      buffer.uptodate = true;
      buffer.word = 0;
      break;
    default:
      break;
  }
}

void World::Perform(const Operation& operation) {
  const uint64_t start = uint64_t{operation.address} % kAddresses * node_;
  switch (operation.kind) {
    case Operation::kFind:
      return Find(start);
    case Operation::kCreate:
      return Create(start);
    case Operation::kReadBlock:
      return ReadBlock(start);
    case Operation::kReadBlocks:
      return ReadBlocks(start);
    case Operation::kWritebackAll:
      return WritebackAll();
    case Operation::kClone:
    case Operation::kCreateDummy:
      return MakePrivate(start, operation.kind == Operation::kClone, operation.which);
    case Operation::kPutPrivate:
      if (!private_.empty()) private_.pop_back();
      return;
    case Operation::kDropCaches:
      return DropCaches();
    case Operation::kShrink:
      return Shrink(operation.which % 4);
    case Operation::kFirstAtOrAfter:
      return Ordered(start, /*dirty_only=*/false);
    case Operation::kNextDirty:
      return Ordered(start, /*dirty_only=*/true);
    case Operation::kReleaseFolio:
      return ReleaseFolio(start);
    case Operation::kCompact:
      return Compact();
    case Operation::kTrim:
      (void)allocator_->Trim();
      return;
    case Operation::kAdvanceClock:
      return clock_.Advance(uint64_t{operation.which} * 1000000);
    case Operation::kFailReads:
      fail_reads_ = !fail_reads_;
      return;
    case Operation::kFailWrites:
      fail_writes_ = !fail_writes_;
      return;
    case Operation::kFailNextAllocation:
      allocator_->fail_next = true;
      return;
    case Operation::kReenter:
      reenter_ = operation.which % 5;
      return;
    default:
      if (!held_.empty()) PerformOnHeld(operation);
      return;
  }
}

// ---- Comparing ----------------------------------------------------------------------------------

void World::Compare() {
  const CacheStats stats = cache_->stats();
  EBCACHE_SAME(stats.cached_buffers == model_.size());
  EBCACHE_SAME(stats.private_buffers == private_.size());
  uint64_t dirty = 0;
  for (const auto& [start, buffer] : model_) dirty += buffer.dirty;
  EBCACHE_SAME(stats.dirty_buffers == dirty);
  if (!setup_.background_defragmenter) {
    EBCACHE_SAME(cache_->ExplainPins()[0].second == CountIdle());
    if (!shares_pages()) {
      EBCACHE_SAME(allocator_->stats().in_use_bytes ==
                   (model_.size() + private_.size()) * uint64_t{node_});
    }
  }
  for (const Held& held : held_) {
    const ModelBuffer& buffer = model_.at(held.start);
    const BufferState s = held.ref->state();
    EBCACHE_SAME(s.refs == static_cast<uint32_t>(buffer.refs) + 1);
    EBCACHE_SAME(s.has(BufferFlag::kTreeRef));
    EBCACHE_SAME(s.has(BufferFlag::kUptodate) == buffer.uptodate);
    EBCACHE_SAME(s.has(BufferFlag::kDirty) == buffer.dirty);
    EBCACHE_SAME(s.has(BufferFlag::kStale) == buffer.stale);
    EBCACHE_SAME(s.has(BufferFlag::kWriteErr) == buffer.write_error);
    EBCACHE_SAME(!s.has(BufferFlag::kReading) && !s.has(BufferFlag::kWriteback));
    if (buffer.uptodate && buffer.word) {
      EBCACHE_SAME(*held.ref->Get<uint64_t>(0) == *buffer.word);
    }
  }
}

void World::Finish() {
  held_.clear();
  private_.clear();
  fail_writes_ = false;
  reenter_ = 0;
  (void)cache_->WritebackAll();
  // A buffer may be moving just now, which DropCaches leaves alone.
  if (region_ != nullptr) region_->StopDefragmenter();
  cache_->DropCaches();
  EBCACHE_SAME(cache_->stats().cached_buffers == 0);
  EBCACHE_SAME(cache_->stats().dirty_buffers == 0);
  EBCACHE_SAME(allocator_->stats().in_use_bytes == 0);
}

}  // namespace ebcache::operations
