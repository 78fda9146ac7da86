#include "lib/cache/buffer_index.h"

#include <algorithm>
#include <new>

#include "lib/cache/extent_buffer_access.h"

namespace ebcache {

namespace {
// Leaves without buffers that are left alone: besides these, as many as half of all.
constexpr uint64_t kEmptyLeaves = 16;
}  // namespace

BufferIndex::BufferIndex(uint32_t node_bytes, OsCalls* os, uint64_t multiplier)
    : node_shift_(std::countr_zero(node_bytes)), os_(os), multiplier_(multiplier) {
  tables_.push_back(std::make_unique<Table>(kFirstCapacity, multiplier_));
  table_.store(tables_.back().get(), std::memory_order_relaxed);  // no other thread has the index yet
  bytes_.store(kFirstCapacity * sizeof(Entry), std::memory_order_relaxed);
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
    // Release: a reader that comes with another's key may find this leaf, and looks into it. The key is relaxed: one
    // who sees it and no leaf yet was told of neither.
    entry.leaf.store(leaf, std::memory_order_release);
    entry.key_plus_one.store(key + 1, std::memory_order_relaxed);
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

// ---- Growing ------------------------------------------------------------------------------------

bool BufferIndex::TooSmall(uint64_t leaves) const { return leaves * 2 > tables_.back()->mask + 1; }
bool BufferIndex::NearlyFull(uint64_t leaves) const {
  return leaves * 8 > (tables_.back()->mask + 1) * 7;
}

// Null when memory is out. Zeroes what it makes, and so is called without the mutex.
std::unique_ptr<BufferIndex::Table> BufferIndex::MakeBigger(uint64_t capacity) noexcept try {
  return std::make_unique<Table>(capacity, multiplier_);
} catch (const std::bad_alloc&) {
  return nullptr;
}

// Called without the mutex, after an insertion that found the table too small. Where there is no
// memory for a bigger one, a later insertion tries again; the one in use has room for some more.
void BufferIndex::BeginGrowth() {
  uint64_t capacity = 0;
  {
    sync::MutexLock lock(mutex_);
    if (growth_begun_ || bigger_ != nullptr || !TooSmall(leaves_.size())) return;
    growth_begun_ = true;
    capacity = (tables_.back()->mask + 1) * 2;
  }
  std::unique_ptr<Table> bigger = MakeBigger(capacity);
  sync::MutexLock lock(mutex_);
  growth_begun_ = false;
  // Unless one was made under the mutex meanwhile, because there was no room left.
  if (bigger_ != nullptr || tables_.back()->mask + 1 >= capacity) return;
  bigger_ = std::move(bigger);
  grown_to_ = 0;
}

// A few more leaves into the bigger table, which is published with the last one.
void BufferIndex::GrowSome() {
  auto it = leaves_.lower_bound(grown_to_);
  for (uint64_t i = 0; i < kLeavesPerHold && it != leaves_.end(); ++i, ++it) {
    CountStep();
    StoreEntry(*bigger_, it->first, it->second);
  }
  if (it != leaves_.end()) {
    grown_to_ = it->first;
    return;
  }
  bytes_.fetch_add((bigger_->mask + 1) * sizeof(Entry), std::memory_order_relaxed);
  tables_.push_back(std::move(bigger_));
  table_.store(tables_.back().get(), std::memory_order_release);
}

void BufferIndex::StoreEverywhere(uint64_t key, Leaf* leaf) {
  StoreEntry(*tables_.back(), key, leaf);
  if (bigger_ != nullptr && key < grown_to_) StoreEntry(*bigger_, key, leaf);
}

void BufferIndex::EraseEverywhere(uint64_t key) {
  EraseEntry(*tables_.back(), key);
  if (bigger_ != nullptr && key < grown_to_) EraseEntry(*bigger_, key);
}

// ---- Leaves -------------------------------------------------------------------------------------

BufferIndex::Leaf* BufferIndex::AddLeaf(uint64_t key) {
  Leaf* leaf = TakeLeaf();
  if (leaf == nullptr) return nullptr;
  leaf->key = key;
  leaf->unwritten = 0;
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
  const uint64_t leaves = leaves_.size() + 1;
  if (bigger_ == nullptr && NearlyFull(leaves)) {
    // Others are making one, or could not: this one cannot wait.
    bigger_ = std::make_unique<Table>((tables_.back()->mask + 1) * 2, multiplier_);
    grown_to_ = 0;
  }
  if (bigger_ != nullptr) tables_.reserve(tables_.size() + 1);  // what GrowSome will need
  written_leaves_.emplace(key, leaf);
  // A place stays free, at which probes end. (Each insertion moves more leaves than it adds, so this
  // is never come to where a hold takes more than a few.)
  while (bigger_ != nullptr && leaves >= tables_.back()->mask + 1) GrowSome();
  leaves_.emplace(key, leaf);
  StoreEverywhere(key, leaf);
  if (bigger_ != nullptr) GrowSome();
  return true;
} catch (const std::bad_alloc&) {
  written_leaves_.erase(key);
  return false;
}

// Takes away some of the leaves without buffers. Done while there are many, so that a block that
// comes and goes does not take its leaf along each time, and the sweep is paid for by what made
// them empty.
void BufferIndex::SweepSome() {
  const uint64_t version = version_.load(std::memory_order_relaxed);
  // Relaxed: each change that follows is a release, and shows this to whoever sees it.
  version_.store(version + 1, std::memory_order_relaxed);
  auto it = leaves_.lower_bound(swept_to_);
  for (uint64_t i = 0; i < kLeavesPerHold && it != leaves_.end(); ++i) {
    CountStep();
    Leaf* leaf = it->second;
    if (leaf->occupied != 0) {
      ++it;
      continue;
    }
    EraseEverywhere(leaf->key);
    written_leaves_.erase(leaf->key);
    leaf->next_free = free_leaves_;
    free_leaves_ = leaf;
    --empty_leaves_;
    it = leaves_.erase(it);
  }
  swept_to_ = it == leaves_.end() ? 0 : it->first;
  version_.store(version + 2, std::memory_order_release);
}

// ---- Coming and going ---------------------------------------------------------------------------

void BufferIndex::Insert(absl::Span<Newcomer> newcomers, uint64_t birth,
                         absl::FunctionRef<Grab(ExtentBuffer*, uint64_t)> grab) {
  bool too_small = false;
  {
    const Hold hold(*this);
    for (Newcomer& newcomer : newcomers) newcomer.outcome = InsertLocked(newcomer, birth, grab);
    too_small = bigger_ == nullptr && !growth_begun_ && TooSmall(leaves_.size());
  }
  if (too_small) BeginGrowth();
}

BufferIndex::Insertion BufferIndex::InsertLocked(
    Newcomer& newcomer, uint64_t birth, absl::FunctionRef<Grab(ExtentBuffer*, uint64_t)> grab) {
  ExtentBuffer* const buffer = newcomer.buffer;
  const uint64_t block = BlockOf(Inside(buffer).start_);
  Leaf* leaf = FindLeaf(block >> kLeafShift);
  if (leaf == nullptr) leaf = AddLeaf(block >> kLeafShift);
  if (leaf == nullptr) return Insertion::kNoMemory;
  auto& slot = leaf->slots[block & (kLeafSlots - 1)];
  ExtentBuffer* there = slot.load(std::memory_order_relaxed);
  if (there != nullptr) {
    newcomer.existing = there;
    switch (grab(there, Inside(buffer).start_)) {
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
  Inside(buffer).state_.store(birth, std::memory_order_release);
  return Insertion::kInserted;
}

void BufferIndex::Remove(absl::Span<ExtentBuffer* const> dead) {
  const Hold hold(*this);
  for (ExtentBuffer* buffer : dead) RemoveLocked(buffer);
}

void BufferIndex::RemoveLocked(ExtentBuffer* buffer) {
  const uint64_t block = BlockOf(Inside(buffer).start_);
  Leaf* leaf = FindLeaf(block >> kLeafShift);
  if (leaf == nullptr) return;
  auto& slot = leaf->slots[block & (kLeafSlots - 1)];
  // Under the mutex no other thread stores, so a compare and a store are a compare-and-swap.
  if (slot.load(std::memory_order_relaxed) != buffer) return;
  slot.store(nullptr, std::memory_order_relaxed);  // who finds nothing is told nothing
  if (--leaf->occupied != 0) return;
  if (++empty_leaves_ > kEmptyLeaves + leaves_.size() / 2) SweepSome();
}

// ---- Iteration ----------------------------------------------------------------------------------

BufferIndex::Step BufferIndex::Next(uint64_t block) const {
  const Hold hold(*this);
  auto it = leaves_.lower_bound(block >> kLeafShift);
  for (uint64_t i = 0; i < kLeavesPerHold && it != leaves_.end(); ++i, ++it) {
    CountStep();
    const uint64_t first = it->first << kLeafShift;
    for (uint64_t at = block > first ? block - first : 0; at < kLeafSlots; ++at) {
      ExtentBuffer* candidate = it->second->slots[at].load(std::memory_order_relaxed);
      if (candidate != nullptr) return {.candidate = candidate, .block = first + at};
    }
  }
  if (it == leaves_.end()) return {.at_end = true};
  return {.block = it->first << kLeafShift};
}

BufferIndex::Step BufferIndex::NextUnwritten(uint64_t block) const {
  const Hold hold(*this);
  const uint64_t key = block >> kLeafShift;
  auto it = unwritten_leaves_.lower_bound(key);
  for (; it != unwritten_leaves_.end(); ++it) {  // twice at the most
    CountStep();
    const uint64_t from = it->first == key ? block & (kLeafSlots - 1) : 0;
    const uint64_t there = it->second->unwritten >> from << from;
    if (there == 0) continue;
    const auto at = static_cast<uint64_t>(std::countr_zero(there));
    return {.candidate = it->second->slots[at].load(std::memory_order_relaxed),
            .block = (it->first << kLeafShift) + at};
  }
  return {.at_end = true};
}

void BufferIndex::ChangeUnwritten(const ExtentBuffer* buffer,
                                  absl::FunctionRef<std::optional<bool>()> step) {
  const Hold hold(*this);
  const std::optional<bool> unwritten = step();
  if (!unwritten.has_value()) return;
  const uint64_t block = BlockOf(Inside(buffer).start_);
  Leaf* leaf = FindLeaf(block >> kLeafShift);
  const uint64_t bit = uint64_t{1} << (block & (kLeafSlots - 1));
  const bool was_empty = leaf->unwritten == 0;
  leaf->unwritten = *unwritten ? leaf->unwritten | bit : leaf->unwritten & ~bit;
  if (was_empty && leaf->unwritten != 0) {
    unwritten_leaves_.insert(written_leaves_.extract(leaf->key));
  } else if (!was_empty && leaf->unwritten == 0) {
    written_leaves_.insert(unwritten_leaves_.extract(leaf->key));
  }
}

// ---- Reports ------------------------------------------------------------------------------------

uint64_t BufferIndex::longest_hold() const {
  sync::MutexLock lock(mutex_);
  return longest_hold_;
}

BufferIndex::Probes BufferIndex::CountProbes() const {
  sync::MutexLock lock(mutex_);
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
