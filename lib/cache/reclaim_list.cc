#include "lib/cache/reclaim_list.h"

#include "lib/cache/state_word.h"

namespace ebcache {

void ReclaimList::Link(ExtentBuffer* buffer) {
  buffer->older_ = newest_;
  buffer->newer_ = DescriptorSlab::kNone;
  if (newest_ != DescriptorSlab::kNone) {
    slab_->At(newest_)->newer_ = buffer->index_;
  } else {
    oldest_ = buffer->index_;
  }
  newest_ = buffer->index_;
  ++size_;
}

void ReclaimList::Unlink(ExtentBuffer* buffer) {
  if (buffer->older_ != DescriptorSlab::kNone) {
    slab_->At(buffer->older_)->newer_ = buffer->newer_;
  } else {
    oldest_ = buffer->newer_;
  }
  if (buffer->newer_ != DescriptorSlab::kNone) {
    slab_->At(buffer->newer_)->older_ = buffer->older_;
  } else {
    newest_ = buffer->older_;
  }
  --size_;
}

void ReclaimList::Add(ExtentBuffer* buffer) {
  std::lock_guard lock(mutex_);
  Link(buffer);
}

void ReclaimList::Remove(ExtentBuffer* buffer) {
  std::lock_guard lock(mutex_);
  Unlink(buffer);
}

uint32_t ReclaimList::size() const {
  std::lock_guard lock(mutex_);
  return size_;
}

ReclaimList::Collected ReclaimList::Collect(absl::Span<ExtentBuffer*> victims, uint32_t max_scan,
                                            bool spare_accessed) {
  Collected done;
  std::lock_guard lock(mutex_);
  while (done.victims < victims.size() && done.scanned < max_scan &&
         oldest_ != DescriptorSlab::kNone) {
    ExtentBuffer* buffer = slab_->At(oldest_);
    ++done.scanned;
    Unlink(buffer);
    const auto outcome = state::Apply(buffer->state_, [&](BufferState s) {
      const bool spare = spare_accessed && s.has(BufferFlag::kAccessed);
      return spare ? state::ForgetAccess(s) : state::TryRelease(s);
    });
    if (outcome.result == state::Result::kDied) {
      victims[done.victims++] = buffer;
      continue;
    }
    // Back in, at the young end. A dead one too: who killed it is on the way to take it off.
    Link(buffer);
    if (outcome.result == state::Result::kRefused) {
      ++done.skipped[static_cast<size_t>(state::VerdictOf(outcome.after))];
    }
  }
  return done;
}

}  // namespace ebcache
