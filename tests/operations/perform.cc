// What each operation does to the cache and to the model, and what has to be the same.

#include <algorithm>
#include <utility>

#include "tests/fuzz/oracle.h"
#include "tests/operations/cache_world.h"

namespace ebcache::operations {

void World::Find(uint64_t start) {
  ExtentBufferRef ref = cache_->Find(start);
  EBCACHE_ORACLE("find", static_cast<bool>(ref) == model_.contains(start));
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
    EBCACHE_ORACLE("allocation", is_new);
    model_.erase(start);
    AfterAllocation(armed, idle, false);
    return;
  }
  AfterAllocation(armed, idle, true);
  EBCACHE_ORACLE("read", ref.ok() == ModelRead(start));
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
    EBCACHE_ORACLE("read", results[i].ok() == ModelRead(starts[i]));
    if (results[i].ok()) {
      Hold(*std::move(results[i]), starts[i]);
    } else {
      ModelPut(starts[i]);
    }
  }
}

void World::WritebackAll() {
  std::vector<uint64_t> dirty;
  bool fails = false;
  for (const auto& [start, buffer] : model_) {
    if (!buffer.dirty) continue;
    dirty.push_back(start);
    fails = fails || WriteFails(start);
  }
  EBCACHE_ORACLE("flush", cache_->WritebackAll().ok() == !fails);
  for (const uint64_t start : dirty) ModelWriteback(start);
}

void World::GiveUpWrites() {
  std::vector<uint64_t> dirty;
  for (auto& [start, buffer] : model_) {
    if (!buffer.dirty) continue;
    dirty.push_back(start);
    buffer.uptodate = false;
  }
  EBCACHE_ORACLE("give-up", cache_->GiveUpWrites() == dirty.size());
  for (const uint64_t start : dirty) ModelClean(start);
}

void World::DropCaches() {
  const auto gone = std::erase_if(model_, [](const auto& entry) { return Idle(entry.second); });
  EBCACHE_ORACLE("drop", cache_->DropCaches() == gone);
}

void World::Shrink(uint64_t buffers) {
  const uint64_t idle = CountIdle();
  EBCACHE_ORACLE("shrink", cache_->Shrink(buffers * node_) == std::min(idle, buffers) * node_);
  ForgetReclaimed();
}

void World::MakePrivate(uint64_t start, bool clone, unsigned which) {
  if (clone && held_.empty()) return;
  // So that memory runs out only where a program says so.
  constexpr size_t kMostPrivate = 64;
  if (private_.size() == kMostPrivate) private_.erase(private_.begin());
  const bool armed = allocator_->fail_next;
  const uint64_t idle = CountIdle();
  auto ref = clone ? cache_->Clone(*held_[which % held_.size()].ref) : cache_->CreateDummy(start);
  AfterAllocation(armed, idle, ref.ok());
  if (!ref.ok()) return;
  EBCACHE_ORACLE("references", (*ref)->state().refs == 1);
  EBCACHE_ORACLE("flags", (*ref)->state().has(BufferFlag::kUnmapped));
  private_.push_back(*std::move(ref));
}

void World::ReleaseFolio(uint64_t start) {
  Folio folio;
  if (ExtentBufferRef ref = cache_->Find(start)) folio = ref->folios()[0];
  EBCACHE_ORACLE("find", folio.empty() == !model_.contains(start));
  if (folio.empty() || !allocator_->private_bits.contains(folio.pfn())) return;
  const bool idle = Idle(model_.at(start));
  const bool released = cache_->ReleaseFolio(folio, allocator_->private_bits.at(folio.pfn()));
  // Others in the same page may be in use; of a folio that moved we do not know the private bits.
  if (released) EBCACHE_ORACLE("release", idle);
  if (!released && idle) EBCACHE_ORACLE("release", shares_pages() || region_ != nullptr);
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
  EBCACHE_ORACLE("order", static_cast<bool>(ref) == (it != model_.end()));
  if (ref && it != model_.end()) EBCACHE_ORACLE("order", ref->start() == it->first);
}

void World::WriteWord(ExtentBufferRef& ref, ModelBuffer& buffer, uint64_t word) {
  if (!buffer.uptodate) return;
  EBCACHE_ORACLE("word", ref->Set<uint64_t>(0, word).ok());
  buffer.word = word;
  ref.SetDirty();
  buffer.dirty = true;
}

// A reference of its own, because the device may add to those that are held.
void World::WritebackHeld(ExtentBufferRef mine, uint64_t start) {
  const bool was_dirty = model_.at(start).dirty;
  EBCACHE_ORACLE("flush", cache_->Writeback(mine).ok() == !(was_dirty && WriteFails(start)));
  EBCACHE_ORACLE("write-error", cache_->WriteError(mine).ok() == !(was_dirty && WriteFails(start)));
  mine.Put();
  if (was_dirty) ModelWriteback(start);
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
      EBCACHE_ORACLE("read", cache_->Read(mine).ok() == ModelRead(start));
      break;
    }
    case Operation::kWrite:
      WriteWord(ref, buffer, operation.address * 256u + operation.which);
      break;
    case Operation::kSetDirty:
      if (!buffer.uptodate || !buffer.word) break;
      ref.SetDirty();
      buffer.dirty = true;
      break;
    case Operation::kClearDirty:
      ref.ClearDirty();
      ModelClean(start);
      break;
    case Operation::kWriteback:
      WritebackHeld(ref.Share(), start);
      break;
    case Operation::kGiveUpWrite:
      EBCACHE_ORACLE("give-up", *cache_->GiveUpWrite(ref) == buffer.dirty);
      if (buffer.dirty) buffer.uptodate = false;
      ModelClean(start);
      break;
    case Operation::kReinit:
      EBCACHE_ORACLE("word", cache_->ReinitAsNewBlock(ref, 101).ok());
      buffer.stale = false;
      ModelClean(start);
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
    case Operation::kGiveUpWrites:
      return GiveUpWrites();
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
    case Operation::kNothing:
      return;
    case Operation::kFailReads:
      fail_reads_ = !fail_reads_;
      return;
    case Operation::kFailWrites:
      fail_writes_ = operation.which % 3;
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

}  // namespace ebcache::operations
