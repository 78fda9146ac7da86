// Inside: the fields of an ExtentBuffer, for the parts of the cache, which have to agree on which
// of them writes what when (internal/extent_buffer_fields.h says so for each).

#ifndef EBCACHE_LIB_CACHE_EXTENT_BUFFER_ACCESS_H_
#define EBCACHE_LIB_CACHE_EXTENT_BUFFER_ACCESS_H_

#include "ebcache/extent_buffer.h"
#include "ebcache/internal/extent_buffer_fields.h"

namespace ebcache {

namespace internal {

class ExtentBufferAccess {
 public:
  static ExtentBufferFields& Of(ExtentBuffer& buffer) { return buffer; }
  static const ExtentBufferFields& Of(const ExtentBuffer& buffer) { return buffer; }
  // A descriptor in memory that was none. REQUIRES: as large and as aligned as one.
  static ExtentBuffer* Make(void* memory) { return new (memory) ExtentBuffer; }
};

}  // namespace internal

inline internal::ExtentBufferFields& Inside(ExtentBuffer* buffer) {
  return internal::ExtentBufferAccess::Of(*buffer);
}
inline const internal::ExtentBufferFields& Inside(const ExtentBuffer* buffer) {
  return internal::ExtentBufferAccess::Of(*buffer);
}

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_EXTENT_BUFFER_ACCESS_H_
