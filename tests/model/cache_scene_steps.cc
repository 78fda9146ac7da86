// What programs do with a CacheScene, and its device.

#include <algorithm>
#include <mutex>
#include <utility>

#include "ebcache/on_disk.h"
#include "tests/model/cache_peer.h"
#include "tests/model/cache_scene.h"

namespace ebcache::model {

namespace {

constexpr uint64_t kTag = 0x0b10c0000u;  // in the upper half of every good word, plus the block

}  // namespace

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

uint64_t CacheScene::LoadForDevice(const ExtentBuffer& buffer) const {
  Reach(Bytes(buffer.folios()[0]), Access::kLoad);
  WeakMemory::Get().SetAsAtomic(true);
  const uint64_t word = *buffer.Get<uint64_t>(0);
  WeakMemory::Get().SetAsAtomic(false);
  return word;
}

void CacheScene::StoreBesideDevice(ExtentBuffer& buffer, uint64_t word) const {
  Reach(Bytes(buffer.folios()[0]), Access::kStore);
  WeakMemory::Get().SetAsAtomic(true);
  (void)buffer.Set<uint64_t>(0, word);
  WeakMemory::Get().SetAsAtomic(false);
}

void CacheScene::PromiseVersion(uint64_t start, uint64_t version) {
  promised_[BlockOf(start)] = version;
  auto& promises = promises_[BlockOf(start)];
  std::rotate(promises.begin(), promises.begin() + 1, promises.end());
  promises.back() = {version, WeakMemory::Get().Now()};
}

uint64_t CacheScene::KnownPromise(size_t block) const {
  for (auto promise = promises_[block].rbegin(); promise != promises_[block].rend(); ++promise) {
    if (WeakMemory::Get().Knows(promise->made)) return promise->version;
  }
  return 0;
}

void CacheScene::CheckBytes(const ExtentBufferRef& ref) {
  std::unique_lock lock(TreeLock(ref), std::defer_lock);
  if (gives_up) lock.lock();
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
    const uint32_t number = NumberOf(DescriptorPeer::word(buffer));
    Scheduler::Get().Muted([&] {
      if (buffer.uptodate()) FailRun("a read of what is UPTODATE");
      if (!buffer.state().has(BufferFlag::kReading)) FailRun("a read without READING");
    });
    if (Unwritten(buffer.start())) FailRun("a read of what is older than the bytes in memory");
    if (being_read_[number]++ != 0) FailRun("two reads of one buffer at a time");
    Reach(&disk_, Access::kUpdate);
    if (failing_reads > 0) {
      --failing_reads;
      StoreWord(buffer, 1);  // not a word of any block
      read.status = absl::DataLossError("the device failed, as asked for");
    } else {
      StoreWord(buffer, 1);
      StoreWord(buffer, WordOf(buffer.start(), disk_[BlockOf(buffer.start())]));
      read.status = absl::OkStatus();
      if (read.check != nullptr) read.status = CheckParent(buffer, *read.check);
    }
    if (on_read) on_read(buffer.start());
    --being_read_[number];
  }
}

absl::Status CacheScene::CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) {
  if (check.generation == 0) return absl::OkStatus();  // any
  if ((LoadWord(buffer) & 0xfff) == check.generation) return absl::OkStatus();
  return absl::DataLossError("not what the parent expects");
}

void CacheScene::Write(absl::Span<BlockWrite> writes) {
  for (BlockWrite& write : writes) {
    Scheduler::Get().Muted([&] {
      if (!write.buffer->uptodate()) FailRun("a write of what is not UPTODATE");
      if (!write.buffer->state().has(BufferFlag::kWriteback)) FailRun("a write without WRITEBACK");
    });
    const uint64_t word = LoadForDevice(*write.buffer);
    Reach(&disk_, Access::kUpdate);
    if (failing_writes > 0) {
      --failing_writes;
      write.status = absl::DataLossError("the device failed, as asked for");
      continue;
    }
    if (word != 0 && !IsWordOf(write.buffer->start(), word)) {
      FailRun("bytes were written that are not the block's");
    }
    disk_[BlockOf(write.buffer->start())] = word & 0xfff;
    write.status = absl::OkStatus();
    if (on_write) on_write(write.buffer->start());
  }
}

// ---- Steps of programs --------------------------------------------------------------------------

ExtentBufferRef CacheScene::Took(ExtentBufferRef ref, uint64_t start, bool is_private) {
  if (!ref) return ref;
  const uint32_t number = NumberOf(DescriptorPeer::word(*ref));
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
  const uint32_t number = NumberOf(DescriptorPeer::word(*ref));
  if (Scheduler::Get().running()) {
    giving_[ThisFiber()] = number;
  } else {
    --holders_[number];
  }
}

ExtentBufferRef CacheScene::Find(uint64_t start) { return Took(cache_->Find(start), start); }

std::array<ExtentBufferRef, 2> CacheScene::FindBoth() {
  const std::array<uint64_t, 2> starts = {0, node()};
  std::array<ExtentBufferRef, 2> found;
  cache_->FindMany(starts, absl::MakeSpan(found));
  for (size_t i = 0; i < found.size(); ++i) found[i] = Took(std::move(found[i]), starts[i]);
  return found;
}

std::array<ExtentBufferRef, 2> CacheScene::ReadBoth(std::array<uint64_t, 2> starts) {
  std::array<absl::StatusOr<ExtentBufferRef>, 2> results;
  cache_->ReadBlocks(starts, {}, absl::MakeSpan(results));
  std::array<ExtentBufferRef, 2> read;
  for (size_t i = 0; i < read.size(); ++i) {
    if (!results[i].ok()) continue;
    read[i] = Took(*std::move(results[i]), starts[i]);
    MustBeGood(read[i]);
  }
  return read;
}

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
  if (gives_up) {
    CheckBytes(ref);
  } else {
    MustBeGood(ref);
  }
  return ref;
}

bool CacheScene::Read(const ExtentBufferRef& ref) { return cache_->Read(ref).ok(); }

ExtentBufferRef CacheScene::Clone(const ExtentBufferRef& ref) {
  std::unique_lock lock(TreeLock(ref), std::defer_lock);
  if (gives_up) lock.lock();
  if (gives_up && !ref->uptodate()) return {};
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

void CacheScene::PutNoCache(ExtentBufferRef& ref) {
  Giving(ref);
  ref.PutNoCache();
}

void CacheScene::PutBehind(ExtentBufferRef& ref) {
  Giving(ref);
  ref.PutBehind();
}

bool CacheScene::Reread(const ExtentBufferRef& ref) {
  std::lock_guard lock(TreeLock(ref));
  return cache_->Reread(ref).ok();
}

bool CacheScene::ClearUptodate(const ExtentBufferRef& ref) {
  std::lock_guard lock(TreeLock(ref));
  return ref.TryClearUptodate();
}

std::pair<ExtentBufferRef, bool> CacheScene::CreateZeroed(uint64_t start) {
  auto made = cache_->CreateOrFind(start, NewBytes::kZeroed);
  if (!made.ok()) return {};
  return {Took(std::move(made->buffer), start), made->is_new};
}

void CacheScene::Dirty(const ExtentBufferRef& ref) {
  std::lock_guard lock(TreeLock(ref));
  if (ref->uptodate()) ref.SetDirty();
}

// Before the step that gives the bytes up: after it others may read the disk's at once.
void CacheScene::Waive(uint64_t start) {
  promised_[BlockOf(start)] = 0;
  promises_[BlockOf(start)] = {};
  ++waived_[BlockOf(start)];
}

void CacheScene::Clean(const ExtentBufferRef& ref) {
  const uint32_t number = NumberOf(DescriptorPeer::word(*ref));
  std::lock_guard lock(TreeLock(ref));
  Waive(ref->start());
  ++cleaning_[number];
  ref.ClearDirty();
  --cleaning_[number];
}

bool CacheScene::GiveUp(const ExtentBufferRef& ref) {
  const uint32_t number = NumberOf(DescriptorPeer::word(*ref));
  std::lock_guard lock(TreeLock(ref));
  const uint64_t promised = promised_[BlockOf(ref->start())];
  const auto promises = promises_[BlockOf(ref->start())];
  Waive(ref->start());
  ++cleaning_[number];
  const bool given_up = *cache_->GiveUpWrite(ref);
  --cleaning_[number];
  // Nothing to give up: so it must be on disk.
  if (!given_up) {
    promised_[BlockOf(ref->start())] = promised;
    promises_[BlockOf(ref->start())] = promises;
    --waived_[BlockOf(ref->start())];
  }
  Expect(!Unwritten(ref->start()), "nothing to give up, and the bytes are not on disk");
  return given_up;
}

void CacheScene::WriteVersion(const ExtentBufferRef& ref, uint64_t version) {
  std::lock_guard lock(TreeLock(ref));
  if (!ref->uptodate()) return;  // given up
  StoreBesideDevice(*ref, WordOf(ref->start(), version));
  ref.SetDirty();
  PromiseVersion(ref->start(), version);
}

ExtentBufferRef CacheScene::ReadNewest(uint64_t start) {
  ExtentBufferRef ref = ReadBlock(start);
  if (!ref) return ref;
  std::lock_guard lock(TreeLock(ref));
  if (!ref->uptodate()) return ref;  // given up since
  const uint64_t promised = promised_[BlockOf(start)];
  Expect(promised == 0 || VersionOf(ref) == promised, "a reader got older bytes than the newest");
  return ref;
}

bool CacheScene::ReadExpecting(uint64_t start, uint64_t expected) {
  ExtentBufferRef ref = Create(start);
  if (!ref) return false;
  ParentCheck check;
  check.generation = expected;
  const bool read = cache_->Read(ref, &check).ok();
  Put(ref);
  return read;
}

bool CacheScene::Writeback(const ExtentBufferRef& ref) {
  const uint64_t start = ref->start();
  const uint64_t promised = KnownPromise(BlockOf(start));
  const uint64_t waived = waived_[BlockOf(start)];
  if (!cache_->Writeback(ref).ok()) return false;
  Expect(disk_[BlockOf(start)] >= promised || waived != waived_[BlockOf(start)],
         "a write said OK, and what it was for is not on disk");
  return true;
}

bool CacheScene::WritebackAll() {
  std::array<uint64_t, kMaxBlocks> promised;
  for (size_t block = 0; block < kMaxBlocks; ++block) promised[block] = KnownPromise(block);
  const auto waived = waived_;
  if (!cache_->WritebackAll().ok()) return false;
  for (size_t block = 0; block < kMaxBlocks; ++block) {
    Expect(disk_[block] >= promised[block] || waived[block] != waived_[block],
           "a flush said OK, and what was DIRTY when it began is not on disk");
  }
  return true;
}

void CacheScene::Reinit(const ExtentBufferRef& ref) {
  const uint32_t number = NumberOf(DescriptorPeer::word(*ref));
  std::lock_guard lock(TreeLock(ref));
  Waive(ref->start());
  ++cleaning_[number];
  // Until no write is under way, nor can begin: what could not be written others would try again.
  if (!cache_->Writeback(ref).ok()) (void)cache_->GiveUpWrite(ref);
  // Where another thread gave the bytes up, a third may be reading the block: that is waited for.
  while (!cache_->TryReinitAsNewBlock(ref, 0).ok()) (void)cache_->Read(ref);
  --cleaning_[number];
}

void CacheScene::NoteFolio(const ExtentBufferRef& ref, int which, size_t of_block) {
  folio_[static_cast<size_t>(which)] = ref->folios()[of_block];
}

}  // namespace ebcache::model
