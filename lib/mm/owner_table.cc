#include "lib/mm/owner_table.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <memory>

#include "lib/base/check.h"

namespace ebcache {

OwnerId OwnerTable::Register(FolioOwner* owner) {
  EBCACHE_CHECK(owner != nullptr, "registering a null folio owner");
  sync::MutexLock lock(mutex_);
  for (size_t id = kNoOwner + 1; id < owners_.size(); ++id) {
    // Relaxed: only the holder of the mutex writes.
    if (owners_[id].load(std::memory_order_relaxed) != nullptr) continue;
    calls_[id] = {};
    owners_[id].store(owner, std::memory_order_relaxed);
    return static_cast<OwnerId>(id);
  }
  return kNoOwner;
}

void OwnerTable::Unregister(OwnerId id) {
  EBCACHE_CHECK(Find(id) != nullptr, "unregistering nobody");
  Quiesce(id);
  sync::MutexLock lock(mutex_);
  owners_[id].store(nullptr, std::memory_order_relaxed);
}

bool OwnerTable::AnyBut(OwnerId id) const {
  for (size_t other = kNoOwner + 1; other < owners_.size(); ++other) {
    // Relaxed: nothing of the owner is looked at.
    if (other != id && owners_[other].load(std::memory_order_relaxed) != nullptr) return true;
  }
  return false;
}

FolioOwner* OwnerTable::BeginCall(OwnerId id) {
  if (id == kNoOwner) return nullptr;
  sync::MutexLock lock(mutex_);
  FolioOwner* const owner = owners_[id].load(std::memory_order_relaxed);
  if (owner == nullptr) return nullptr;
  if (calls_[id].refused) return nullptr;
  ++calls_[id].under_way;
  return owner;
}

void OwnerTable::EndCall(OwnerId id) {
  {
    sync::MutexLock lock(mutex_);
    --calls_[id].under_way;
  }
  calls_ended_.notify_all();
}

void OwnerTable::AfterFork(bool in_child) {
  if (in_child) {
    for (Calls& calls : calls_) calls.under_way = 0;
    std::construct_at(&calls_ended_);
  }
  mutex_.unlock();
}

void OwnerTable::Quiesce(OwnerId id) {
  sync::UniqueLock lock(mutex_);
  calls_[id].refused = true;
  calls_ended_.wait(lock,
                    [this, id]() EBCACHE_REQUIRES(mutex_) { return calls_[id].under_way == 0; });
}

FolioOwner* OwnerTable::Find(OwnerId id) const {
  if (id == kNoOwner) return nullptr;
  FolioOwner* const owner = owners_[id].load(std::memory_order_relaxed);
  EBCACHE_CHECK(owner != nullptr, "folio owner was never registered, or is gone");
  return owner;
}

absl::Status OwnerTable::CheckContract(const FolioRequest& request) {
  const FolioOwner* const owner = Find(request.owner);
  if (!Has(request.flags, AllocFlags::kMovable)) return absl::OkStatus();
  if (owner != nullptr && owner->movable()) return absl::OkStatus();
  breaches_.fetch_add(1, std::memory_order_relaxed);
  if (owner == nullptr) {
    return absl::InvalidArgumentError("movable folio asked for without an owner who could move it");
  }
  const std::string_view name = owner->name();
  return absl::InvalidArgumentError(absl::StrCat("movable folio asked for by owner \"",
                                                 absl::string_view(name.data(), name.size()),
                                                 "\", which can neither release nor migrate it"));
}

}  // namespace ebcache
