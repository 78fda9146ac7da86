#include "tests/model/weak_memory.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "tests/model/model_sync.h"

namespace ebcache::model {

namespace {

constexpr size_t kSlots = size_t{1} << 13;
constexpr size_t kGranules = size_t{1} << 16;

size_t HashOf(uintptr_t number) { return static_cast<size_t>(number * 0x9e3779b97f4a7c15u >> 20); }

bool Acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst || order == std::memory_order_consume;
}
bool Releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

// Where in a program the address is, as addr2line wants it.
std::string PlaceOf(const void* code) {
  Dl_info info;
  char text[256];
  if (code == nullptr) return "an atomic operation";
  if (dladdr(code, &info) == 0 || info.dli_fname == nullptr) return "?";
  const char* const slash = std::strrchr(info.dli_fname, '/');
  std::snprintf(text, sizeof text, "%s+0x%zx", slash != nullptr ? slash + 1 : info.dli_fname,
                static_cast<size_t>(static_cast<const char*>(code) - static_cast<const char*>(info.dli_fbase)));
  return text;
}

const char* NameOf(WeakMemory::Kind kind) {
  switch (kind) {
    case WeakMemory::Kind::kPlainRead:
      return "read";
    case WeakMemory::Kind::kPlainWrite:
      return "write";
    case WeakMemory::Kind::kAtomicRead:
      return "atomic read";
    case WeakMemory::Kind::kAtomicWrite:
      return "atomic write";
  }
  return "?";
}

bool Writes(WeakMemory::Kind kind) {
  return kind == WeakMemory::Kind::kPlainWrite || kind == WeakMemory::Kind::kAtomicWrite;
}
bool IsPlain(WeakMemory::Kind kind) {
  return kind == WeakMemory::Kind::kPlainRead || kind == WeakMemory::Kind::kPlainWrite;
}

}  // namespace

// ---- Views --------------------------------------------------------------------------------------

void WeakMemory::View::Clear() {
  newest.clear();
  steps.fill(0);
}

void WeakMemory::View::Join(const View& other) {
  if (newest.size() < other.newest.size()) newest.resize(other.newest.size(), 0);
  for (size_t i = 0; i < other.newest.size(); ++i) newest[i] = std::max(newest[i], other.newest[i]);
  for (size_t i = 0; i < steps.size(); ++i) steps[i] = std::max(steps[i], other.steps[i]);
}

uint32_t WeakMemory::View::Newest(uint32_t object) const { return object < newest.size() ? newest[object] : 0; }

void WeakMemory::View::Saw(uint32_t object, uint32_t store) {
  if (newest.size() <= object) newest.resize(object + 1, 0);
  newest[object] = std::max(newest[object], store);
}

WeakMemory::StoreMade& WeakMemory::Object::Add() {
  if (count == stores.size()) stores.emplace_back();
  StoreMade& store = stores[count++];
  store.view.Clear();
  store.stale_reads.fill(0);
  return store;
}

class WeakMemory::Busy {
 public:
  explicit Busy(WeakMemory& memory) : memory_(memory) { memory_.busy_ = true; }
  ~Busy() { memory_.busy_ = false; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  WeakMemory& memory_;
};

// ---- Runs ---------------------------------------------------------------------------------------

WeakMemory& WeakMemory::Get() {
  static WeakMemory memory;
  return memory;
}

void WeakMemory::BeginRun() {
  fiber_ = -1;
  if (!on) return;
  ++run_;
  object_count_ = 0;
  lock_count_ = 0;
  granule_count_ = 0;
  if (slots_.empty()) {
    slots_.resize(kSlots);
    granules_.resize(kGranules);
  }
  sequential_.Clear();
  for (size_t i = 0; i < fibers_.size(); ++i) {
    for (View* view : {&fibers_[i].now, &fibers_[i].if_acquired, &fibers_[i].at_release}) view->Clear();
    fibers_[i].now.steps[i] = 1;  // steps of before the run are 0
  }
}

void WeakMemory::SetMuted(bool muted) { muted_ = muted; }

void WeakMemory::Switch(int fiber) {
  if (to_release_ != nullptr) Release(std::exchange(to_release_, nullptr));
  fiber_ = fiber;
}

void WeakMemory::Spawned(int child) {
  if (!watching()) return;
  const Busy busy(*this);
  Fiber& theirs = fibers_[static_cast<size_t>(child)];
  theirs.now.Join(Mine().now);
  EndOperation();
}

void WeakMemory::Joined(int other) {
  if (!watching()) return;
  const Busy busy(*this);
  Mine().now.Join(fibers_[static_cast<size_t>(other)].now);
}

void WeakMemory::JoinAll() {
  for (size_t i = 0; i < fibers_.size(); ++i) Joined(static_cast<int>(i));
}

WeakMemory::Stamp WeakMemory::Now() const {
  if (!on || fiber_ < 0) return {};
  const auto fiber = static_cast<size_t>(fiber_);
  return {static_cast<uint32_t>(fiber_), fibers_[fiber].now.steps[fiber]};
}

bool WeakMemory::Knows(Stamp stamp) const {
  if (!on || fiber_ < 0) return true;
  return fibers_[static_cast<size_t>(fiber_)].now.steps[stamp.fiber] >= stamp.step;
}

// ---- Atomic objects -----------------------------------------------------------------------------

std::memory_order WeakMemory::Order(std::memory_order order, Site& site) {
  site.order = order;
  if (sites != nullptr) sites->Note(site);
  if (weakened != nullptr && weakened->site.Is(site)) return weakened->to;
  return order;
}

uint32_t WeakMemory::Enter(const void* object, uint64_t bits) {
  if (object_count_ == objects_.size()) objects_.emplace_back();
  Object& entered = objects_[object_count_];
  entered.address = object;
  entered.count = 0;
  entered.Add().bits = bits;
  if (object_count_ >= kSlots / 2) FailRun("more atomic objects than the model has room for");
  return object_count_++;
}

// Its own, or the free one that would be.
WeakMemory::Slot& WeakMemory::SlotOf(const void* object) {
  for (size_t at = HashOf(reinterpret_cast<uintptr_t>(object));; ++at) {
    Slot& slot = slots_[at % kSlots];
    if (slot.run != run_ || slot.address == object) return slot;
  }
}

uint32_t WeakMemory::Find(const void* object, uint64_t bits) {
  Slot& slot = SlotOf(object);
  if (slot.run != run_) slot = {object, Enter(object, bits), run_};
  return slot.object;
}

void WeakMemory::Made(const void* object, uint64_t bits) {
  if (!watching()) return;
  const Busy busy(*this);
  // Where there was another at this address, it is gone with its history.
  Slot& slot = SlotOf(object);
  if (slot.run == run_) slot.object = Enter(object, bits);
}

void WeakMemory::EndOperation() { ++Mine().now.steps[static_cast<size_t>(fiber_)]; }

template <typename May>
uint32_t WeakMemory::Choose(uint32_t number, std::memory_order order, May may) {
  Object& object = objects_[number];
  uint32_t known = Mine().now.Newest(number);
  if (order == std::memory_order_seq_cst) known = std::max(known, sequential_.Newest(number));
  const auto newest = static_cast<uint32_t>(object.count - 1);
  choices_.assign(1, newest);
  for (uint32_t store = newest; store-- > known;) {
    const StoreMade& made = object.stores[store];
    if (made.stale_reads[static_cast<size_t>(fiber_)] < kStaleReads && may(made.bits)) choices_.push_back(store);
  }
  const uint32_t chosen = choices_.size() == 1 ? newest : choices_[ChooseStore(choices_.size())];
  if (chosen != newest) {
    ++stale_reads_;
    ++object.stores[chosen].stale_reads[static_cast<size_t>(fiber_)];
  }
  return chosen;
}

void WeakMemory::HasRead(uint32_t object, uint32_t store, std::memory_order order) {
  Fiber& mine = Mine();
  mine.now.Saw(object, store);
  const View& carried = objects_[object].stores[store].view;
  (Acquires(order) ? mine.now : mine.if_acquired).Join(carried);
}

void WeakMemory::AddStore(uint32_t number, uint64_t bits, std::memory_order order, const View* carried) {
  Fiber& mine = Mine();
  Object& object = objects_[number];
  const auto store = static_cast<uint32_t>(object.count);
  StoreMade& made = object.Add();
  made.bits = bits;
  mine.now.Saw(number, store);
  made.view = Releases(order) ? mine.now : mine.at_release;
  if (carried != nullptr) made.view.Join(*carried);
  if (order == std::memory_order_seq_cst) sequential_.Saw(number, store);
}

uint64_t WeakMemory::Load(const void* object, size_t bytes, uint64_t bits, std::memory_order order, Site site) {
  if (!watching()) return bits;
  const Busy busy(*this);
  order = Order(order, site);
  LookAt(object, bytes, Kind::kAtomicRead, nullptr);
  const uint32_t number = Find(object, bits);
  const uint32_t store = Choose(number, order, [](uint64_t) { return true; });
  HasRead(number, store, order);
  EndOperation();
  return objects_[number].stores[store].bits;
}

void WeakMemory::Store(const void* object, size_t bytes, uint64_t before, uint64_t after, std::memory_order order,
                       Site site) {
  if (!watching()) return;
  const Busy busy(*this);
  order = Order(order, site);
  LookAt(object, bytes, Kind::kAtomicWrite, nullptr);
  const uint32_t number = Find(object, before);
  AddStore(number, after, order, nullptr);
  EndOperation();
}

void WeakMemory::Update(const void* object, size_t bytes, uint64_t before, uint64_t after, std::memory_order order,
                        Site site) {
  if (!watching()) return;
  const Busy busy(*this);
  order = Order(order, site);
  LookAt(object, bytes, Kind::kAtomicWrite, nullptr);
  const uint32_t number = Find(object, before);
  const auto newest = static_cast<uint32_t>(objects_[number].count - 1);
  HasRead(number, newest, order);
  const View carried = objects_[number].stores[newest].view;  // a copy: one more store may move them
  AddStore(number, after, order, &carried);
  EndOperation();
}

WeakMemory::Read WeakMemory::ReadToSwap(const void* object, size_t bytes, uint64_t bits, uint64_t expected,
                                        std::memory_order failure) {
  if (!watching()) return {.bits = bits};
  const Busy busy(*this);
  LookAt(object, bytes, Kind::kAtomicRead, nullptr);
  const uint32_t number = Find(object, bits);
  const uint32_t store = Choose(number, failure, [expected](uint64_t older) { return older != expected; });
  return {.bits = objects_[number].stores[store].bits,
          .object = number,
          .store = store,
          .newest = store + 1 == objects_[number].count};
}

void WeakMemory::FailedToSwap(const Read& read, std::memory_order failure, Site site) {
  if (!watching()) return;
  const Busy busy(*this);
  site.what = OrderOf::kFailure;
  failure = Order(failure, site);
  HasRead(read.object, read.store, failure);
  EndOperation();
}

void WeakMemory::Waited(const void* object, size_t bytes, uint64_t bits, std::memory_order order, Site site) {
  if (!watching()) return;
  const Busy busy(*this);
  order = Order(order, site);
  LookAt(object, bytes, Kind::kAtomicRead, nullptr);
  const uint32_t number = Find(object, bits);
  HasRead(number, static_cast<uint32_t>(objects_[number].count - 1), order);
  EndOperation();
}

void WeakMemory::Fence(std::memory_order order, Site site) {
  if (!watching()) return;
  const Busy busy(*this);
  order = Order(order, site);
  Fiber& mine = Mine();
  if (Acquires(order)) mine.now.Join(mine.if_acquired);
  if (order == std::memory_order_seq_cst) {
    mine.now.Join(sequential_);
    sequential_.Join(mine.now);
  }
  if (Releases(order)) mine.at_release = mine.now;
  EndOperation();
}

// ---- Locks --------------------------------------------------------------------------------------

void WeakMemory::Acquire(const void* object) {
  if (!watching()) return;
  const Busy busy(*this);
  for (size_t i = 0; i < lock_count_; ++i) {
    if (locks_[i].address == object) Mine().now.Join(locks_[i].view);
  }
}

void WeakMemory::ReleaseBehindStep(const void* object) { to_release_ = object; }

void WeakMemory::Release(const void* object) {
  if (!watching()) return;
  const Busy busy(*this);
  Lock* lock = nullptr;
  for (size_t i = 0; i < lock_count_; ++i) {
    if (locks_[i].address == object) lock = &locks_[i];
  }
  if (lock == nullptr) {
    if (lock_count_ == locks_.size()) locks_.emplace_back();
    lock = &locks_[lock_count_++];
    lock->address = object;
    lock->view.Clear();
  }
  lock->view.Join(Mine().now);
  EndOperation();
}

// ---- Plain memory -------------------------------------------------------------------------------

void WeakMemory::SetAsAtomic(bool as_atomic) { as_atomic_ = as_atomic; }

void WeakMemory::ForgetUnwatched() { unwatched_.clear(); }

void WeakMemory::DoNotWatch(const void* address, size_t bytes) {
  const auto* from = static_cast<const std::byte*>(address);
  unwatched_.push_back({from, from + bytes});
}

bool WeakMemory::Unwatched(const void* address) const {
  return std::any_of(unwatched_.begin(), unwatched_.end(),
                     [address](const Range& range) { return range.from <= address && address < range.to; });
}

WeakMemory::Granule& WeakMemory::GranuleAt(uintptr_t number) {
  for (size_t at = HashOf(number);; ++at) {
    Granule& granule = granules_[at % kGranules];
    if (granule.run == run_) {
      if (granule.number == number) return granule;
      continue;
    }
    if (++granule_count_ == kGranules / 2) FailRun("more plain memory than the model has room for");
    granule.number = number;
    granule.run = run_;
    granule.next = 0;
    granule.cells.fill({});
    return granule;
  }
}

void WeakMemory::Race(const Granule& granule, const Cell& earlier, Kind kind, const void* by) {
  char text[512];
  std::snprintf(text, sizeof text,
                "a data race at %p: thread %d's %s (%s), and thread %d's %s before it (%s), of which it does not know",
                reinterpret_cast<void*>(granule.number << 3), fiber_, NameOf(kind), PlaceOf(by).c_str(),
                static_cast<int>(earlier.fiber), NameOf(earlier.kind), PlaceOf(earlier.by).c_str());
  FailRun(text);
}

void WeakMemory::Look(Granule& granule, uint8_t bytes, Kind kind, const void* by) {
  const View& now = Mine().now;
  const auto fiber = static_cast<uint8_t>(fiber_);
  const uint32_t step = now.steps[fiber];
  Cell* empty = nullptr;
  for (Cell& cell : granule.cells) {
    if (cell.bytes == 0) {
      empty = &cell;
      continue;
    }
    if ((cell.bytes & bytes) == 0) continue;
    if (cell.fiber != fiber) {
      if ((Writes(cell.kind) || Writes(kind)) && (IsPlain(cell.kind) || IsPlain(kind)) &&
          now.steps[cell.fiber] < cell.step && !Unwatched(reinterpret_cast<void*>(granule.number << 3))) {
        Race(granule, cell, kind, by);
      }
      continue;
    }
    if (cell.kind != kind) continue;
    if (cell.step == step && (cell.bytes & bytes) == bytes) return;
    // What the fiber did last is known to others only with what it did before.
    cell.bytes &= static_cast<uint8_t>(~bytes);
    if (cell.bytes == 0) empty = &cell;
  }
  // Where all are full the oldest goes: a race may be missed by that, none is made up.
  if (empty == nullptr) empty = &granule.cells[granule.next++ % granule.cells.size()];
  *empty = {.step = step, .fiber = fiber, .bytes = bytes, .kind = kind, .by = by};
}

void WeakMemory::Accessed(const void* address, size_t bytes, Kind kind, const void* by) {
  if (!watching()) return;
  const Busy busy(*this);
  if (as_atomic_) kind = Writes(kind) ? Kind::kAtomicWrite : Kind::kAtomicRead;
  LookAt(address, bytes, kind, by);
}

void WeakMemory::LookAt(const void* address, size_t bytes, Kind kind, const void* by) {
  auto at = reinterpret_cast<uintptr_t>(address);
  for (const uintptr_t end = at + bytes; at < end;) {
    const uintptr_t until = std::min(end, (at | 7) + 1);
    const auto mask = static_cast<uint8_t>(((1u << (until - at)) - 1) << (at & 7));
    Look(GranuleAt(at >> 3), mask, kind, by);
    at = until;
  }
}

void WeakMemory::Forget(const void* address, size_t bytes) {
  if (!watching()) return;
  const auto from = reinterpret_cast<uintptr_t>(address);
  for (uintptr_t number = from >> 3; number << 3 < from + bytes; ++number) {
    for (size_t at = HashOf(number);; ++at) {
      Granule& granule = granules_[at % kGranules];
      if (granule.run != run_) break;
      if (granule.number != number) continue;
      granule.cells.fill({});
      break;
    }
  }
}

}  // namespace ebcache::model
