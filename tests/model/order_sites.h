// Where memory orders stand in the sources, which are the weaker ones, and which place has one just now.

#ifndef EBCACHE_TESTS_MODEL_ORDER_SITES_H_
#define EBCACHE_TESTS_MODEL_ORDER_SITES_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ebcache::model {

// What an order is named for.
enum class OrderOf : uint8_t { kLoad, kStore, kUpdate, kFailure, kWait, kFence };
const char* NameOf(OrderOf what);
const char* NameOf(std::memory_order order);

// A place in the sources where an order stands.
struct Site {
  const char* file = nullptr;
  uint32_t line = 0;
  uint32_t column = 0;
  OrderOf what = OrderOf::kLoad;
  std::memory_order order = std::memory_order_seq_cst;
  // The same place, whatever the order that it was weakened to.
  bool Is(const Site& other) const;
};

// A site, and the order that it gets in place of its own.
struct Weakening {
  Site site;
  std::memory_order to = std::memory_order_relaxed;
};
// The next weaker orders, one step: two of acq_rel, none of relaxed.
std::vector<std::memory_order> Weaker(OrderOf what, std::memory_order order);

// Sites that a process and its children have come by. Lies in memory that they share.
class SiteTable {
 public:
  static constexpr size_t kMost = 512;
  void Note(const Site& site);
  size_t size() const { return size_; }
  const Site& operator[](size_t i) const { return sites_[i]; }

 private:
  size_t size_ = 0;
  std::array<Site, kMost> sites_;
};

}  // namespace ebcache::model

#endif  // EBCACHE_TESTS_MODEL_ORDER_SITES_H_
