#include "tests/operations/cache_world.h"

#include <algorithm>
#include <utility>

#include "tests/fuzz/oracle.h"

namespace ebcache::operations {

World::World(const Setup& setup) : setup_(setup) {
  std::shared_ptr<PageAllocator> inner;
  switch (setup.allocator) {
    case Setup::kHeap:
      inner = HeapAllocator();
      break;
    case Setup::kPageArrays:
      node_ = 16384;
      inner = Order0Allocator({.arena_bytes = 4 << 20, .contiguous_by_luck = false, .os = &os_});
      break;
    case Setup::kLargePages:
      inner = Order0Allocator({.page_bytes = 16384, .arena_bytes = 4 << 20, .os = &os_});
      break;
    case Setup::kRegion:
      inner = region_ = MovableRegion::Create({.arena_bytes = 1 << 20,
                                               .pageblock_bytes = 32 << 10,
                                               .superpageblock_bytes = 128 << 10,
                                               .os = &os_});
      if (setup.background_defragmenter) region_->StartDefragmenter();
      break;
    default:
      inner = Order0Allocator({.arena_bytes = 4 << 20, .os = &os_});
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
  // A cache with users cannot go; that there are some was said.
  const CacheStats left = cache_->stats();
  if (left.cached_buffers + left.private_buffers != 0) (void)cache_.release();
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
  if (fail_reads_) {
    buffer.stale = true;
    return false;
  }
  buffer.stale = false;  // the reader wants it
  buffer.uptodate = true;
  buffer.word = OnDisk(start);
  return true;
}

bool World::WriteFails(uint64_t start) const {
  return fail_writes_ == 1 || (fail_writes_ == 2 && start / node_ % 2 == 1);
}

// A write of what is dirty, after the device has been asked: the bytes are on disk now, or the
// newest are here and nowhere else.
void World::ModelWriteback(uint64_t start) {
  ModelBuffer& buffer = model_.at(start);
  const bool failed = WriteFails(start);
  buffer.dirty = failed;
  buffer.write_error = failed;
  if (!failed && buffer.word) EBCACHE_ORACLE("disk", OnDisk(start) == *buffer.word);
  if (!failed && buffer.refs == 0 && buffer.stale) model_.erase(start);
}

void World::ModelClean(uint64_t start) {
  ModelBuffer& buffer = model_.at(start);
  buffer.dirty = false;
  buffer.write_error = false;
  if (buffer.refs == 0 && buffer.stale) model_.erase(start);
}

void World::ForgetReclaimed() {
  std::erase_if(model_, [this](const auto& entry) {
    return Idle(entry.second) && !cache_->Find(entry.first);
  });
}

void World::AfterAllocation(bool was_armed, uint64_t idle_before, bool ok) {
  const bool failed = was_armed && !allocator_->fail_next;
  if (!ok) EBCACHE_ORACLE("allocation", failed && idle_before == 0);
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
    if (WriteFails(write.buffer->start())) {
      write.status = absl::DataLossError("EIO");
    } else {
      disk_[write.buffer->start()] = *write.buffer->Get<uint64_t>(0);
      write.status = absl::OkStatus();
    }
  }
  for (const BlockWrite& write : writes) in_io_.erase(write.buffer->start());
}

// ---- Comparing ----------------------------------------------------------------------------------

void World::Compare() {
  const CacheStats stats = cache_->stats();
  EBCACHE_ORACLE("cached-count", stats.cached_buffers == model_.size());
  EBCACHE_ORACLE("private-count", stats.private_buffers == private_.size());
  uint64_t dirty = 0;
  for (const auto& [start, buffer] : model_) dirty += buffer.dirty;
  EBCACHE_ORACLE("dirty-count", stats.dirty_buffers == dirty);
  uint64_t failed = 0;
  for (const auto& [start, buffer] : model_) failed += buffer.write_error;
  EBCACHE_ORACLE("write-error-count", stats.write_err_buffers == failed);
  if (!setup_.background_defragmenter) {
    EBCACHE_ORACLE("idle-count", cache_->ExplainPins()[0].second == CountIdle());
    if (!shares_pages()) {
      EBCACHE_ORACLE("bytes-in-use", allocator_->stats().in_use_bytes ==
                                         (model_.size() + private_.size()) * uint64_t{node_});
    }
  }
  for (const Held& held : held_) {
    const ModelBuffer& buffer = model_.at(held.start);
    const BufferState s = held.ref->state();
    EBCACHE_ORACLE("references", s.refs == static_cast<uint32_t>(buffer.refs) + 1);
    EBCACHE_ORACLE("flags", s.has(BufferFlag::kTreeRef));
    EBCACHE_ORACLE("flags", s.has(BufferFlag::kUptodate) == buffer.uptodate);
    EBCACHE_ORACLE("flags", s.has(BufferFlag::kDirty) == buffer.dirty);
    EBCACHE_ORACLE("flags", s.has(BufferFlag::kStale) == buffer.stale);
    EBCACHE_ORACLE("flags", s.has(BufferFlag::kWriteErr) == buffer.write_error);
    EBCACHE_ORACLE("flags", !s.has(BufferFlag::kReading) && !s.has(BufferFlag::kWriteback));
    if (buffer.uptodate && buffer.word) {
      EBCACHE_ORACLE("word", *held.ref->Get<uint64_t>(0) == *buffer.word);
    }
  }
}

void World::Finish() {
  held_.clear();
  private_.clear();
  fail_writes_ = 0;
  reenter_ = 0;
  EBCACHE_ORACLE("flush", cache_->WritebackAll().ok());
  // What was not given up is on disk.
  for (const auto& [start, buffer] : model_) {
    if (buffer.dirty && buffer.word) EBCACHE_ORACLE("disk", OnDisk(start) == *buffer.word);
  }
  // A buffer may be moving just now, which DropCaches leaves alone.
  if (region_ != nullptr) region_->StopDefragmenter();
  cache_->DropCaches();
  EBCACHE_ORACLE("references", cache_->stats().cached_buffers == 0);
  EBCACHE_ORACLE("references", cache_->stats().dirty_buffers == 0);
  EBCACHE_ORACLE("references", allocator_->stats().in_use_bytes == 0);
}

}  // namespace ebcache::operations
