#include "lib/volume/missed_writes.h"

#include <absl/strings/str_cat.h>

#include <mutex>
#include <new>

#include "lib/volume/address_space.h"

namespace ebcache {

MissedWrites::MissedWrites()
    : at_fork_(
          // The lock is held over the fork: the two are halves of one function.
          ForkHandler::Phase::kLocks, [this]() EBCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); },
          [this](bool) EBCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }) {}

void MissedWrites::ForEachOf(
    uint64_t logical, absl::FunctionRef<void(size_t copy, const absl::Status& why)> missed) const {
  if (!any()) return;
  sync::MutexLock lock(mutex_);
  for (auto it = missed_.lower_bound({logical, 0});
       it != missed_.end() && it->first.first == logical; ++it) {
    missed(it->first.second,
           absl::UnavailableError(absl::StrCat("its last write failed: ", it->second)));
  }
}

void MissedWrites::Note(uint64_t logical, uint32_t written,
                        absl::Span<const MirrorDamage> failures) {
  std::map<Copy, std::string> fresh;
  try {
    for (const MirrorDamage& failure : failures) {
      if (failure.device_missing) continue;
      fresh.emplace(Copy{logical, static_cast<size_t>(failure.mirror) - 1}, failure.reason);
    }
  } catch (const std::bad_alloc&) {
    // What was written can be read, as after any write of which only a part succeeded.
    Forget(logical, written);
    throw;
  }
  if (fresh.empty()) return Forget(logical, written);
  sync::MutexLock lock(mutex_);
  // From here on nothing throws.
  while (!fresh.empty()) {
    auto inserted = missed_.insert(fresh.extract(fresh.begin()));
    if (!inserted.inserted) inserted.position->second.swap(inserted.node.mapped());
  }
  ForgetLocked(logical, written);
}

void MissedWrites::Forget(uint64_t logical, uint32_t copies) {
  if (!any()) return;
  sync::MutexLock lock(mutex_);
  ForgetLocked(logical, copies);
}

void MissedWrites::ForgetLocked(uint64_t logical, uint32_t copies) {
  for (size_t copy = 0; copy < kMaxCopies; ++copy) {
    if ((copies >> copy & 1) != 0) missed_.erase({logical, copy});
  }
  count_.store(missed_.size(), std::memory_order_release);
}

}  // namespace ebcache
