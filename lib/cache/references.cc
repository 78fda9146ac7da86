// Steps that holders of references make, and what a refused one means.

#include "ebcache/extent_buffer.h"
#include "lib/cache/buffer_cache_impl.h"
#include "lib/cache/extent_buffer_access.h"
#include "lib/cache/state_word.h"
#include "lib/cache/tracepoints.h"

namespace ebcache {

BufferState ExtentBuffer::state() const {
  // Acquire: a caller that sees UPTODATE may look at the bytes.
  return state::Unpack(state_.load(std::memory_order_acquire));
}

ExtentBufferRef ExtentBufferRef::Share() const {
  if (buffer_ == nullptr) return {};
  const auto outcome = state::Apply(Inside(buffer_).state_, state::Share);
  EBCACHE_CHECK(outcome.result == state::Result::kChanged, "Share without a reference");
  EBCACHE_TRACE(share, buffer_);
  return ExtentBufferRef(buffer_);
}

void ExtentBufferRef::PutBuffer(ExtentBuffer* buffer) {
  EBCACHE_TRACE(put, buffer);
  if (state::PutPlainly(Inside(buffer).state_)) [[likely]]
    return;
  Inside(buffer).cache_->pool().Put(buffer);
}

void ExtentBufferRef::PutStale() {
  EBCACHE_CHECK(buffer_ != nullptr, "PutStale of an empty reference");
  ExtentBuffer* buffer = std::exchange(buffer_, nullptr);
  Inside(buffer).cache_->pool().PutStale(buffer);
}

void ExtentBufferRef::PutNoCache() {
  EBCACHE_CHECK(buffer_ != nullptr, "PutNoCache of an empty reference");
  ExtentBuffer* buffer = std::exchange(buffer_, nullptr);
  Inside(buffer).cache_->pool().PutNoCache(buffer);
}

void ExtentBufferRef::PutBehind() {
  EBCACHE_CHECK(buffer_ != nullptr, "PutBehind of an empty reference");
  ExtentBuffer* buffer = std::exchange(buffer_, nullptr);
  Inside(buffer).cache_->pool().PutBehind(buffer);
}

void ExtentBufferRef::ForgetAccess() const {
  EBCACHE_CHECK(buffer_ != nullptr, "ForgetAccess of an empty reference");
  state::Apply(Inside(buffer_).state_, state::ForgetAccess);
}

void ExtentBufferRef::SetDirty() const {
  EBCACHE_CHECK(buffer_ != nullptr, "SetDirty of an empty reference");
  EBCACHE_CHECK(Inside(buffer_).cache_->pool().TrySetDirty(buffer_),
                "SetDirty needs a reference to a buffer that is uptodate and no dummy or clone");
}

bool ExtentBufferRef::TrySetDirty() const {
  EBCACHE_CHECK(buffer_ != nullptr, "TrySetDirty of an empty reference");
  return Inside(buffer_).cache_->pool().TrySetDirty(buffer_);
}

void ExtentBufferRef::ClearDirty() const {
  EBCACHE_CHECK(buffer_ != nullptr, "ClearDirty of an empty reference");
  EBCACHE_TRACE(clear_dirty, buffer_);
  Inside(buffer_).cache_->io().ClearDirty(buffer_);
}

void ExtentBufferRef::SetUptodate() const {
  EBCACHE_CHECK(TrySetUptodate(), "SetUptodate without a reference, or during a read");
}

bool ExtentBufferRef::TryClearUptodate() const {
  EBCACHE_CHECK(buffer_ != nullptr, "TryClearUptodate of an empty reference");
  return state::Apply(Inside(buffer_).state_, state::ClearUptodate).result !=
         state::Result::kRefused;
}

bool ExtentBufferRef::TrySetUptodate() const {
  EBCACHE_CHECK(buffer_ != nullptr, "SetUptodate of an empty reference");
  return state::Apply(Inside(buffer_).state_, state::SetUptodate).result != state::Result::kRefused;
}

}  // namespace ebcache
