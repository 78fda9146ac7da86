// What an ExtentBuffer is made of. For the cache alone: no caller may use it.

#ifndef EBCACHE_INTERNAL_EXTENT_BUFFER_FIELDS_H_
#define EBCACHE_INTERNAL_EXTENT_BUFFER_FIELDS_H_

#include <cstddef>
#include <cstdint>

#include "ebcache/internal/sync.h"
#include "ebcache/page_allocator.h"

namespace ebcache {

class BufferCacheImpl;

namespace internal {

// The one friend of ExtentBuffer: how the cache and its tests reach the fields. It is defined in
// lib/cache/extent_buffer_access.h.
class ExtentBufferAccess;

// The base of ExtentBuffer, in one piece so that the accessor gives all of it at once.
struct ExtentBufferFields {
  sync::Atomic<uint64_t> state_;  // references below, flags above; lib/cache/buffer_state.h
  uint64_t start_;                // written while dead, read under a reference
  std::byte* front_;              // where the block begins; null for frames without bytes
  BufferCacheImpl* cache_;        // set once, when the slab makes the descriptor
  Folio* folios_;                 // its row of the page array: set once as well
  uint32_t front_bytes_;          // see front_bytes()
  uint32_t index_;                // its number in the slab: what folios keep as private bits
  uint32_t older_;                // reclaim order: numbers of the neighbours,
  uint32_t newer_;                //   guarded by the reclaim lock
  uint8_t length_shift_;          // log2 of length()
  uint8_t order_;                 // of the folios
  uint8_t mirror_;
  uint8_t subpage_;  // where in its page, when pages are larger than blocks
  // Guarded by the reclaim lock as well: when it was last known to be in use; which queue it is on, or
  // was on before it was parked. lib/cache/reclaim_list.h
  uint32_t reclaim_time_ : 21 = 0;
  uint32_t reclaim_queue_ : 10 = 0;
  uint32_t parked_ : 1 = 0;
};

}  // namespace internal
}  // namespace ebcache

#endif  // EBCACHE_INTERNAL_EXTENT_BUFFER_FIELDS_H_
