#include "lib/cache/buffer_index.h"

#include <algorithm>
#include <new>

namespace ebcache {

BufferIndex::BufferIndex(uint32_t node_bytes, OsCalls* os, uint64_t multiplier)
    : node_shift_(std::countr_zero(node_bytes)), os_(os), multiplier_(multiplier) {
  tables_.push_back(std::make_unique<Table>(64, multiplier_));
  table_.store(tables_.back().get(), std::memory_order_release);
  bytes_.store(64 * sizeof(Entry), std::memory_order_relaxed);
}

BufferIndex::~BufferIndex() {
  for (void* chunk : leaf_chunks_) os_->Unmap(chunk, kLeafChunkBytes);
}

bool BufferIndex::AddLeafChunk() {
  try {
    leaf_chunks_.reserve(leaf_chunks_.size() + 1);
  } catch (const std::bad_alloc&) {
    return false;
  }
  void* chunk = os_->Map(kLeafChunkBytes, 4096);
  if (chunk == nullptr) return false;
  leaf_chunks_.push_back(chunk);
  unused_leaves_ = static_cast<Leaf*>(chunk);
  unused_count_ = kLeafChunkBytes / sizeof(Leaf);
  return true;
}

BufferIndex::Leaf* BufferIndex::TakeLeaf() {
  if (free_leaves_ != nullptr) {
    Leaf* leaf = free_leaves_;
    free_leaves_ = leaf->next_free;
    return leaf;
  }
  if (unused_count_ == 0 && !AddLeafChunk()) return nullptr;
  --unused_count_;
  bytes_.fetch_add(sizeof(Leaf), std::memory_order_relaxed);
  return new (unused_leaves_++) Leaf;  // all slots empty
}

void BufferIndex::StoreEntry(Table& table, uint64_t key, Leaf* leaf) {
  for (uint64_t at = table.Home(key);; ++at) {
    Entry& entry = table.entries[at & table.mask];
    if (entry.key_plus_one.load(std::memory_order_relaxed) != 0) continue;
    entry.leaf.store(leaf, std::memory_order_release);  // before the key: a reader of it sees this
    entry.key_plus_one.store(key + 1, std::memory_order_release);
    return;
  }
}

// Closes the gap by moving later entries of the probe sequence up, so that no tombstones pile up.
// Readers that come by meanwhile may miss a key: version_ is odd.
void BufferIndex::EraseEntry(Table& table, uint64_t key) {
  uint64_t gap = table.Home(key);
  while (table.entries[gap & table.mask].key_plus_one.load(std::memory_order_relaxed) != key + 1) {
    ++gap;
  }
  for (uint64_t at = gap + 1;; ++at) {
    Entry& entry = table.entries[at & table.mask];
    const uint64_t key_plus_one = entry.key_plus_one.load(std::memory_order_relaxed);
    if (key_plus_one == 0) break;
    // An entry may move up to the gap unless its home lies behind the gap.
    const uint64_t home = table.Home(key_plus_one - 1);
    if (((at - home) & table.mask) < ((at - gap) & table.mask)) continue;
    Entry& hole = table.entries[gap & table.mask];
    hole.leaf.store(entry.leaf.load(std::memory_order_relaxed), std::memory_order_release);
    hole.key_plus_one.store(key_plus_one, std::memory_order_release);
    gap = at;
  }
  Entry& last = table.entries[gap & table.mask];
  last.key_plus_one.store(0, std::memory_order_release);
}

void BufferIndex::GrowTable() {
  Table& old = *tables_.back();
  const uint64_t capacity = (old.mask + 1) * 2;
  auto bigger = std::make_unique<Table>(capacity, multiplier_);
  for (const auto& [key, leaf] : leaves_) StoreEntry(*bigger, key, leaf);
  tables_.push_back(std::move(bigger));
  table_.store(tables_.back().get(), std::memory_order_release);
  bytes_.fetch_add(capacity * sizeof(Entry), std::memory_order_relaxed);
}

BufferIndex::Leaf* BufferIndex::AddLeaf(uint64_t key) {
  Leaf* leaf = TakeLeaf();
  if (leaf == nullptr) return nullptr;
  leaf->key = key;
  leaf->occupied = 0;
  if (!EnterLeaf(key, leaf)) {
    leaf->next_free = free_leaves_;
    free_leaves_ = leaf;
    return nullptr;
  }
  ++empty_leaves_;
  return leaf;
}

// In the table and in the order of keys, or in neither: what look-ups find and what a flush finds
// is the same.
bool BufferIndex::EnterLeaf(uint64_t key, Leaf* leaf) noexcept try {
  if ((leaves_.size() + 1) * 2 > tables_.back()->mask + 1) GrowTable();
  leaves_.emplace(key, leaf);
  StoreEntry(*tables_.back(), key, leaf);
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

// Takes away all leaves without buffers. Done when there are many, so that a block that comes and
// goes does not take its leaf along each time, and the sweep is paid for by what made them empty.
void BufferIndex::SweepEmptyLeaves() {
  const uint64_t version = version_.load(std::memory_order_relaxed);
  version_.store(version + 1, std::memory_order_release);
  for (auto it = leaves_.begin(); it != leaves_.end();) {
    Leaf* leaf = it->second;
    if (leaf->occupied != 0) {
      ++it;
      continue;
    }
    EraseEntry(*tables_.back(), leaf->key);
    leaf->next_free = free_leaves_;
    free_leaves_ = leaf;
    it = leaves_.erase(it);
  }
  empty_leaves_ = 0;
  version_.store(version + 2, std::memory_order_release);
}

void BufferIndex::Insert(absl::Span<Newcomer> newcomers, uint64_t birth,
                         absl::FunctionRef<Grab(ExtentBuffer*, uint64_t)> grab) {
  std::lock_guard lock(mutex_);
  for (Newcomer& newcomer : newcomers) newcomer.outcome = InsertLocked(newcomer, birth, grab);
}

BufferIndex::Insertion BufferIndex::InsertLocked(
    Newcomer& newcomer, uint64_t birth, absl::FunctionRef<Grab(ExtentBuffer*, uint64_t)> grab) {
  ExtentBuffer* const buffer = newcomer.buffer;
  const uint64_t block = BlockOf(buffer->start_);
  Leaf* leaf = FindLeaf(block >> kLeafShift);
  if (leaf == nullptr) leaf = AddLeaf(block >> kLeafShift);
  if (leaf == nullptr) return Insertion::kNoMemory;
  auto& slot = leaf->slots[block & (kLeafSlots - 1)];
  ExtentBuffer* there = slot.load(std::memory_order_relaxed);
  if (there != nullptr && !sync::Planted("insert-without-look")) {
    newcomer.existing = there;
    switch (grab(there, buffer->start_)) {
      case Grab::kTaken:
        return Insertion::kExists;
      case Grab::kBusy:
        return Insertion::kBusy;
      case Grab::kOther:
        return Insertion::kOverlaps;
      case Grab::kDead:
        break;  // replaced below; its own Remove will leave the slot alone
    }
  } else {
    if (leaf->occupied++ == 0) --empty_leaves_;
  }
  slot.store(buffer, std::memory_order_release);
  // Release: publishes the descriptor to lookups that reach it by a pointer from an earlier life.
  buffer->state_.store(birth, std::memory_order_release);
  return Insertion::kInserted;
}

void BufferIndex::Remove(absl::Span<ExtentBuffer* const> dead) {
  std::lock_guard lock(mutex_);
  for (ExtentBuffer* buffer : dead) RemoveLocked(buffer);
}

void BufferIndex::RemoveLocked(ExtentBuffer* buffer) {
  const uint64_t block = BlockOf(buffer->start_);
  Leaf* leaf = FindLeaf(block >> kLeafShift);
  if (leaf == nullptr) return;
  auto& slot = leaf->slots[block & (kLeafSlots - 1)];
  // Under the mutex no other thread stores, so a compare and a store are a compare-and-swap.
  bool compares = !sync::Planted("remove-without-compare");
  if (slot.load(std::memory_order_relaxed) != buffer && compares) return;
  slot.store(nullptr, std::memory_order_release);
  if (--leaf->occupied != 0) return;
  if (++empty_leaves_ > 16 + leaves_.size() / 2) SweepEmptyLeaves();
}

ExtentBuffer* BufferIndex::NextCandidate(uint64_t block,
                                         absl::FunctionRef<bool(const ExtentBuffer&)> wanted,
                                         uint64_t* found) const {
  std::lock_guard lock(mutex_);
  for (auto it = leaves_.lower_bound(block >> kLeafShift); it != leaves_.end(); ++it) {
    const uint64_t first = it->first << kLeafShift;
    for (uint64_t at = block > first ? block - first : 0; at < kLeafSlots; ++at) {
      ExtentBuffer* candidate = it->second->slots[at].load(std::memory_order_relaxed);
      if (candidate == nullptr || !wanted(*candidate)) continue;
      *found = first + at;
      return candidate;
    }
  }
  return nullptr;
}

BufferIndex::Probes BufferIndex::CountProbes() const {
  std::lock_guard lock(mutex_);
  const Table& table = *tables_.back();
  Probes probes{.leaves = leaves_.size()};
  for (uint64_t at = 0; at <= table.mask; ++at) {
    const uint64_t key_plus_one = table.entries[at].key_plus_one.load(std::memory_order_relaxed);
    if (key_plus_one == 0) continue;
    const uint64_t looks = ((at - table.Home(key_plus_one - 1)) & table.mask) + 1;
    probes.total += looks;
    probes.most = std::max(probes.most, looks);
  }
  return probes;
}

}  // namespace ebcache
