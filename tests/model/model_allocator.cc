#include "tests/model/model_allocator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "tests/model/model_sync.h"
#include "tests/model/weak_memory.h"

namespace ebcache::model {

namespace {

constexpr size_t kMaxPageBytes = 16384;
constexpr uint64_t kFreed = 0xdeaddeaddeaddeadu;

// One for all runs: its contents mean nothing at the beginning of one.
std::byte* Arena() {
  static void* const memory =
      std::aligned_alloc(kMaxPageBytes, kMaxPageBytes * ModelAllocator::kFrames);
  return static_cast<std::byte*>(memory);
}

}  // namespace

ModelAllocator::ModelAllocator(size_t page_bytes, bool direct)
    : page_bytes_(page_bytes), direct_(direct), base_(Arena()) {
  free_.reserve(kFrames);
  for (uint32_t pfn = kFrames; pfn-- > 0;) free_.push_back(pfn);
}

void ModelAllocator::DoNotWatch() const {
  WeakMemory::Get().DoNotWatch(this, sizeof *this);
  WeakMemory::Get().DoNotWatch(free_.data(), kFrames * sizeof free_[0]);
}

void ModelAllocator::ReachAsLocked() {
  Reach(this, Access::kUpdate);
  InOrderUntilTheNextStep(this);
}

OwnerId ModelAllocator::RegisterOwner(FolioOwner* owner) {
  owner_ = owner;
  return 1;
}

void ModelAllocator::QuiesceOwner(OwnerId) {
  ReachAsLocked();
  quiesced_ = true;
  while (calls_under_way_ != 0) Sleep(this, Access::kWait);
  InOrderUntilTheNextStep(this);
}

void ModelAllocator::UnregisterOwner(OwnerId) {
  ReachAsLocked();
  if (calls_under_way_ != 0) FailRun("an owner went in the middle of a call");
  owner_ = nullptr;
}

bool ModelAllocator::BeginCall(Folio folio) {
  ReachAsLocked();
  Frame& frame = frames_[folio.pfn()];
  if (quiesced_ || !frame.used || frame.moving || !frame.movable) return false;
  if (owner_ == nullptr) FailRun("an owner went, and a folio of it is there");
  ++calls_under_way_;
  return frame.moving = true;
}

void ModelAllocator::EndCall() {
  ReachAsLocked();
  if (--calls_under_way_ == 0) Wake(this);
}

std::byte* ModelAllocator::Address(Folio folio) const {
  return base_ + size_t{folio.pfn()} * page_bytes_;
}

uint32_t ModelAllocator::used() const {
  return static_cast<uint32_t>(
      std::count_if(frames_.begin(), frames_.end(), [](const Frame& f) { return f.used; }));
}

Folio ModelAllocator::Take(uint32_t private_bits, bool movable) {
  if (free_.empty()) return Folio();
  const Folio folio(free_.back());
  free_.pop_back();
  frames_[folio.pfn()] = {.used = true, .movable = movable, .private_bits = private_bits};
  return folio;
}

void ModelAllocator::GiveBack(uint32_t pfn) {
  frames_[pfn] = {};
  std::memcpy(base_ + size_t{pfn} * page_bytes_, &kFreed, sizeof kFreed);
  free_.push_back(pfn);
}

void ModelAllocator::Free(Folio folio) {
  Frame& frame = frames_[folio.pfn()];
  if (!frame.used || frame.freed_while_moving) FailRun("a folio was freed twice");
  // A destination carries its source's private bits, but has never been anybody's.
  if (on_free) on_free(folio, frame.destination ? ~0u : frame.private_bits);
  if (frame.moving) {
    frame.freed_while_moving = true;  // the mover's now
  } else {
    GiveBack(folio.pfn());
  }
}

absl::Status ModelAllocator::AllocateBulk(const FolioRequest& request, int,
                                          absl::Span<Folio> slots) {
  ReachAsLocked();
  if (fail_allocation > 0 && --fail_allocation == 0) {
    return absl::ResourceExhaustedError("no memory, as asked for");
  }
  for (Folio& slot : slots) {
    if (!slot.empty()) FailRun("a descriptor has folios from another life");
    slot = Take(request.private_bits, Has(request.flags, AllocFlags::kMovable));
    if (slot.empty()) return absl::ResourceExhaustedError("no memory");
  }
  return absl::OkStatus();
}

void ModelAllocator::FreeBulk(int, absl::Span<Folio> slots) {
  for (const Folio slot : slots) {
    // Whoever looks at the bytes from here on is too late.
    if (!slot.empty()) Reach(&frames_[slot.pfn()], Access::kStore);
  }
  // What follows belongs to this step: it is all about what the allocator has.
  ReachAsLocked();
  for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
    if (slot->empty()) continue;
    Free(*slot);
    *slot = Folio();
  }
}

absl::Status ModelAllocator::AllocateBlock(const FolioRequest& request, FolioBlock& block) {
  if (auto status = AllocateBulk(request, 0, block.slots); !status.ok()) return status;
  bool neighbours = true;
  for (size_t i = 1; i < block.slots.size(); ++i) {
    neighbours = neighbours && block.slots[i].pfn() == block.slots[i - 1].pfn() + 1;
  }
  block.order = 0;
  block.direct = direct_ && neighbours ? Address(block.slots[0]) : nullptr;
  return absl::OkStatus();
}

void ModelAllocator::FreeBlock(FolioBlock& block) { FreeBulk(0, block.slots); }

void ModelAllocator::SetPrivate(Folio folio, uint32_t private_bits) {
  frames_[folio.pfn()].private_bits = private_bits;
}

void ModelAllocator::Move(Folio source) {
  if (!BeginCall(source)) return;
  Frame& from = frames_[source.pfn()];
  const uint32_t bits = from.private_bits;
  const Folio destination = Take(bits, /*movable=*/true);
  if (destination.empty()) FailRun("a program that moves more than there is room for");
  Frame& to = frames_[destination.pfn()];
  to.moving = to.destination = true;
  const bool moved = owner_->Migrate(destination, source, bits);
  EndCall();
  if (moved) {
    if (from.freed_while_moving) FailRun("a folio that moved was freed by its owner");
    if (on_free) on_free(source, ~0u);  // whoever had it: it may be dead by now
    GiveBack(source.pfn());
    to.moving = to.destination = false;
    if (to.freed_while_moving) GiveBack(destination.pfn());
    return;
  }
  GiveBack(destination.pfn());
  from.moving = false;
  if (from.freed_while_moving) GiveBack(source.pfn());
}

void ModelAllocator::Release(Folio source) {
  if (!BeginCall(source)) return;
  Frame& frame = frames_[source.pfn()];
  const bool released = owner_->Release(source, frame.private_bits);
  EndCall();
  if (released && !frame.freed_while_moving) FailRun("released, and not freed");
  frame.moving = false;
  if (frame.freed_while_moving) GiveBack(source.pfn());
}

}  // namespace ebcache::model
