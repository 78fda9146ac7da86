// Memory of which no two free pages are neighbours, as after a long life.

#ifndef EBCACHE_TESTS_SUPPORT_SCATTERED_PAGES_H_
#define EBCACHE_TESTS_SUPPORT_SCATTERED_PAGES_H_

#include <absl/types/span.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "ebcache/page_allocator.h"

namespace ebcache {

// Holds every other page that an allocator has, as unmovable pages of another owner, while it lives.
// REQUIRES: an allocator with an end to what it has.
class ScatteredPages {
 public:
  explicit ScatteredPages(std::shared_ptr<PageAllocator> allocator)
      : allocator_(std::move(allocator)) {
    const FolioRequest request{.flags = AllocFlags::kNoReclaim | AllocFlags::kNoWarn};
    for (Folio page; allocator_->AllocateBulk(request, 0, {&page, 1}).ok(); page = Folio()) {
      pages_.push_back(page);
    }
    const auto to_free = std::partition(pages_.begin(), pages_.end(),
                                        [](Folio page) { return page.pfn() % 2 == 0; });
    allocator_->FreeBulk(0, absl::MakeSpan(&*to_free, pages_.end() - to_free));
    pages_.erase(to_free, pages_.end());
  }
  ~ScatteredPages() { allocator_->FreeBulk(0, absl::MakeSpan(pages_)); }
  ScatteredPages(const ScatteredPages&) = delete;
  ScatteredPages& operator=(const ScatteredPages&) = delete;

 private:
  const std::shared_ptr<PageAllocator> allocator_;
  std::vector<Folio> pages_;
};

}  // namespace ebcache

#endif  // EBCACHE_TESTS_SUPPORT_SCATTERED_PAGES_H_
