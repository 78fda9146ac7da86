#include "tests/model/cache_scene.h"

#include <algorithm>

#include "tests/model/cache_peer.h"

namespace ebcache::model {

namespace {

constexpr uint64_t kTag = 0x0b10c0000u;  // in the upper half of every good word, plus the block

}  // namespace

CacheScene::CacheScene(const CacheSceneOptions& options) : options_(options) {
  std::shared_ptr<PageAllocator> allocator;
  if (options.region) {
    allocator = region_ = MovableRegion::Create({.page_bytes = options.page_bytes,
                                                 .arena_bytes = 8 * options.page_bytes,
                                                 .pageblock_bytes = 2 * options.page_bytes,
                                                 .superpageblock_bytes = 4 * options.page_bytes});
  } else {
    allocator = allocator_ = std::make_shared<ModelAllocator>(options.page_bytes, options.direct);
    allocator_->on_free = [this](Folio folio, uint32_t bits) {
      Scheduler::Get().Muted([&] { CheckFree(folio, bits); });
    };
  }
  cache_ = std::make_unique<BufferCache>(
      BufferCacheOptions{.node_bytes = options.node_bytes,
                         .budget_bytes = options.budget_bytes,
                         .background_reclaim = options.background_reclaim,
                         .low_room_percent = 50,
                         .high_room_percent = 50,
                         .allocator = allocator,
                         .migrate_mode = options.migrate_mode},
      this);
  disk_.fill(1);
  giving_.fill(kMaxDescriptors);
  const ExtentBufferRef first = *cache_->CreateDummy(0);
  first_descriptor_ = static_cast<const std::byte*>(ExtentBufferPeer::word(*first));
}

CacheScene::~CacheScene() = default;

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
  uint64_t found = 0;
  return index.NextCandidate(
             0, [buffer](const ExtentBuffer& there) { return &there == buffer; }, &found) !=
         nullptr;
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
  if (has(BufferFlag::kReading) && s.refs < own + 1)
    FailRun("READING without a reader's reference");
  if (has(BufferFlag::kWriteback) && s.refs < own + 1) {
    FailRun("WRITEBACK without a writer's reference");
  }
}

void CacheScene::CheckBirth(uint32_t number, BufferState s) {
  if (!(s == state::BornMapped()) && !(s == state::BornUnmapped())) {
    FailRun("the dead came back to life");
  }
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
}

void CacheScene::AfterStep() {
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
  if (cache_ == nullptr) return;
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
    at = ExtentBufferPeer::older(*slab.At(at));
  }
}

// ---- Bytes --------------------------------------------------------------------------------------

uint64_t CacheScene::WordOf(uint64_t start, uint64_t version) const {
  return (kTag + start / options_.node_bytes) << 16 | version;
}

bool CacheScene::IsWordOf(uint64_t start, uint64_t word) const {
  return word >> 16 == kTag + start / options_.node_bytes && (word & 0xffff) != 0;
}

const void* CacheScene::Bytes(Folio folio) const {
  if (allocator_ != nullptr) return allocator_->Bytes(folio);
  return reinterpret_cast<const std::byte*>(this) + folio.pfn();
}

uint64_t CacheScene::LoadWord(const ExtentBuffer& buffer) const {
  Reach(Bytes(buffer.folios()[0]), Access::kLoad);
  return *buffer.Get<uint64_t>(0);
}

void CacheScene::StoreWord(ExtentBuffer& buffer, uint64_t word) const {
  Reach(Bytes(buffer.folios()[0]), Access::kStore);
  (void)buffer.Set<uint64_t>(0, word);
}

void CacheScene::CheckBytes(const ExtentBufferRef& ref) {
  if (ref->uptodate()) MustBeGood(ref);
}

void CacheScene::MustBeGood(const ExtentBufferRef& ref) {
  if (!IsWordOf(ref->start(), LoadWord(*ref)))
    FailRun("UPTODATE, and the bytes are not the block's");
}

// ---- The device ---------------------------------------------------------------------------------

void CacheScene::Read(absl::Span<BlockRead> reads) {
  for (BlockRead& read : reads) {
    ExtentBuffer& buffer = *read.buffer;
    const uint32_t number = NumberOf(ExtentBufferPeer::word(buffer));
    Scheduler::Get().Muted([&] {
      if (buffer.uptodate()) FailRun("a read of what is UPTODATE");
      if (!buffer.state().has(BufferFlag::kReading)) FailRun("a read without READING");
    });
    if (being_read_[number]++ != 0) FailRun("two reads of one buffer at a time");
    Reach(&disk_, Access::kUpdate);
    if (failing_reads > 0) {
      --failing_reads;
      StoreWord(buffer, 1);  // not a word of any block
      read.status = absl::DataLossError("the device failed, as asked for");
    } else {
      const uint64_t block = buffer.start() / options_.node_bytes % kMaxBlocks;
      StoreWord(buffer, 1);
      StoreWord(buffer, WordOf(buffer.start(), disk_[block]));
      read.status = absl::OkStatus();
    }
    --being_read_[number];
  }
}

void CacheScene::Write(absl::Span<BlockWrite> writes) {
  for (BlockWrite& write : writes) {
    Scheduler::Get().Muted([&] {
      if (!write.buffer->state().has(BufferFlag::kWriteback)) FailRun("a write without WRITEBACK");
    });
    const uint64_t word = LoadWord(*write.buffer);
    Reach(&disk_, Access::kUpdate);
    if (failing_writes > 0) {
      --failing_writes;
      write.status = absl::DataLossError("the device failed, as asked for");
      continue;
    }
    if (word != 0 && !IsWordOf(write.buffer->start(), word)) {
      FailRun("bytes were written that are not the block's");
    }
    disk_[write.buffer->start() / options_.node_bytes % kMaxBlocks] = word & 0xfff;
    write.status = absl::OkStatus();
  }
}

// ---- Steps of programs --------------------------------------------------------------------------

ExtentBufferRef CacheScene::Took(ExtentBufferRef ref, uint64_t start, bool is_private) {
  if (!ref) return ref;
  const uint32_t number = NumberOf(ExtentBufferPeer::word(*ref));
  if (holders_[number]++ == 0) held_folio_[number] = ref->folios()[0];
  Scheduler::Get().Muted([&] {
    const BufferState s = ref->state();
    if (s.refs == 0) FailRun("a reference to the dead was handed out");
    if (ref->start() != start || s.has(BufferFlag::kUnmapped) != is_private) {
      FailRun("a lookup found somebody else");
    }
    CheckLive(number, s);
  });
  return ref;
}

// The reference ends in the step that changes the word, not before: what others do until then, they
// do to a buffer that is held.
void CacheScene::Giving(const ExtentBufferRef& ref) {
  const uint32_t number = NumberOf(ExtentBufferPeer::word(*ref));
  if (Scheduler::Get().running()) {
    giving_[ThisFiber()] = number;
  } else {
    --holders_[number];
  }
}

ExtentBufferRef CacheScene::Find(uint64_t start) { return Took(cache_->Find(start), start); }

ExtentBufferRef CacheScene::Create(uint64_t start) {
  auto made = cache_->Create(start);
  return made.ok() ? Took(*std::move(made), start) : ExtentBufferRef();
}

ExtentBufferRef CacheScene::ReadBlock(uint64_t start) {
  ExtentBufferRef ref = Create(start);
  if (!ref) return ref;
  if (!Read(ref)) {
    Put(ref);
    return {};
  }
  // Whatever else has happened: who was told that the block is there may look at it.
  MustBeGood(ref);
  return ref;
}

bool CacheScene::Read(const ExtentBufferRef& ref) { return cache_->Read(ref).ok(); }

ExtentBufferRef CacheScene::Clone(const ExtentBufferRef& ref) {
  Reach(Bytes(ref->folios()[0]), Access::kLoad);
  auto clone = cache_->Clone(*ref);
  return clone.ok() ? Took(*std::move(clone), ref->start(), /*is_private=*/true)
                    : ExtentBufferRef();
}

ExtentBufferRef CacheScene::NextDirty(uint64_t start) {
  ExtentBufferRef ref = cache_->NextDirty(start);
  const uint64_t found = ref ? ref->start() : 0;
  return Took(std::move(ref), found);
}

void CacheScene::Put(ExtentBufferRef& ref) {
  if (!ref) return;
  Giving(ref);
  ref.Put();
}

void CacheScene::PutStale(ExtentBufferRef& ref) {
  Giving(ref);
  ref.PutStale();
}

void CacheScene::Dirty(const ExtentBufferRef& ref) {
  std::lock_guard lock(tree_locks_[ref->start() / options_.node_bytes % kMaxBlocks]);
  if (ref->uptodate()) ref.SetDirty();
}

void CacheScene::Clean(const ExtentBufferRef& ref) {
  const uint32_t number = NumberOf(ExtentBufferPeer::word(*ref));
  std::lock_guard lock(tree_locks_[ref->start() / options_.node_bytes % kMaxBlocks]);
  ++cleaning_[number];
  ref.ClearDirty();
  --cleaning_[number];
}

void CacheScene::WriteVersion(const ExtentBufferRef& ref, uint64_t version) {
  std::lock_guard lock(tree_locks_[ref->start() / options_.node_bytes % kMaxBlocks]);
  StoreWord(*ref, WordOf(ref->start(), version));
  ref.SetDirty();
}

bool CacheScene::Writeback(const ExtentBufferRef& ref) { return cache_->Writeback(ref).ok(); }
bool CacheScene::WritebackAll() { return cache_->WritebackAll().ok(); }

void CacheScene::Reinit(const ExtentBufferRef& ref) {
  const uint32_t number = NumberOf(ExtentBufferPeer::word(*ref));
  std::lock_guard lock(tree_locks_[ref->start() / options_.node_bytes % kMaxBlocks]);
  (void)cache_->Writeback(ref);
  ++cleaning_[number];
  (void)cache_->ReinitAsNewBlock(ref, 0);
  --cleaning_[number];
}

void CacheScene::NoteFolio(const ExtentBufferRef& ref, int which, size_t of_block) {
  folio_[static_cast<size_t>(which)] = ref->folios()[of_block];
}

// ---- The end ------------------------------------------------------------------------------------

// Steady state: what is left is idle, and goes when it is asked to; nothing is left of anything.
void CacheScene::Finish() {
  for (ExtentBufferRef& ref : held) Put(ref);
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
  if (!cache_->WritebackAll().ok()) FailRun("writing what was left failed");
  cache_->DropCaches();
  const CacheStats stats = cache_->stats();
  if (stats.dirty_buffers != 0) FailRun("the count of dirty buffers is off");
  if (stats.cached_buffers != 0 || stats.private_buffers != 0) FailRun("a buffer leaked");
  if (allocator_ != nullptr && allocator_->used() != 0) FailRun("a folio leaked");
  if (region_ != nullptr && region_->stats().in_use_bytes != 0) FailRun("a folio leaked");
  if (BufferCachePeer::FreeDescriptors(*cache_) != descriptors()) FailRun("a descriptor leaked");
  if (BufferCachePeer::reclaim(*cache_).size() != 0) FailRun("the reclaim list has the dead on it");
  if (BufferCachePeer::failures(*cache_) != 0) FailRun("the error of a failed read leaked");
}

// ---- For traces ---------------------------------------------------------------------------------

std::string CacheScene::Describe(const void* object) const {
  const uint32_t number = NumberOf(object);
  if (number != kMaxDescriptors) return "state of descriptor " + std::to_string(number);
  if (allocator_ == nullptr) return "another object";
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
