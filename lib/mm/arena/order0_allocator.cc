// Order0Allocator: order-0 pages and no more: neighbours only by luck.

#include <memory>
#include <string_view>

#include "ebcache/allocators.h"
#include "lib/mm/arena/arena_allocator.h"

namespace ebcache {
namespace {

class Order0 final : public ArenaAllocator {
 public:
  explicit Order0(const Order0Options& options)
      : ArenaAllocator(options, Arena::Memory::kPrivate) {}
  std::string_view name() const override { return "order0"; }
};

}  // namespace

std::shared_ptr<PageAllocator> Order0Allocator(Order0Options options) {
  return std::make_shared<Order0>(options);
}

}  // namespace ebcache
