// The caller's C functions, as the BlockSource that the library takes.

#ifndef EBCACHE_LIB_CAPI_CALLBACKS_H_
#define EBCACHE_LIB_CAPI_CALLBACKS_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>

#include "ebcache/buffer_cache.h"
#include "ebcache/ebcache_core.h"

namespace ebcache::capi {

class CallbackSource final : public BlockSource {
 public:
  CallbackSource(const ebcache_source& functions, void* context)
      : functions_(functions), context_(context) {}

  void Read(absl::Span<BlockRead> reads) override;
  absl::Status CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) override;
  void Write(absl::Span<BlockWrite> writes) override;
  void Forget(const ExtentBuffer& buffer, std::byte* user) noexcept override;

 private:
  void ReadMany(absl::Span<BlockRead> reads);
  absl::Status Validate(const ExtentBuffer& buffer, const ParentCheck* check);

  const ebcache_source functions_;
  void* const context_;
};

}  // namespace ebcache::capi

#endif  // EBCACHE_LIB_CAPI_CALLBACKS_H_
