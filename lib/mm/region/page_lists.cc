// Apart from the header because the model build has its own: tests/model/stand_ins.cc.

#include "lib/mm/region/page_lists.h"

#include <atomic>

#include "ebcache/internal/sync.h"

namespace ebcache {

uint32_t PageLists::ThreadNumber() {
  // Relaxed: only has to give each thread another number.
  static sync::Atomic<uint32_t> next{0};
  constinit thread_local uint32_t number = ~uint32_t{0};
  if (number == ~uint32_t{0}) number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

}  // namespace ebcache
