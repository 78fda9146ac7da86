// Which splits of a leaf are right, by trying every way to part what two leaves are to hold.

#ifndef EBCACHE_TESTS_TREE_EDIT_SPLIT_MODEL_H_
#define EBCACHE_TESTS_TREE_EDIT_SPLIT_MODEL_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "lib/tree/edit/leaf_pair.h"
#include "tests/tree/edit/edit_entries.h"

namespace ebcache::testing {

// Bytes of each item, with its head.
inline std::vector<size_t> RoomsOf(const Entries& entries) {
  std::vector<size_t> rooms;
  for (const Entry& entry : entries) rooms.push_back(RoomOf(entry, true));
  return rooms;
}

// Whether the plan parts items of these sizes so that two leaves of `area` bytes are as equal as they
// can be, and neither is empty; or makes three where two do not have the room. The item in `slot` is
// the one that it is made for; one that `is_new` is not in the leaf yet.
inline bool IsMostEqualSplit(const edit::LeafSplit& plan, const std::vector<size_t>& wanted,
                             size_t slot, bool is_new, size_t area) {
  using Home = edit::LeafSplit::Home;
  constexpr size_t kNone = ~size_t{0};
  size_t least = kNone;
  size_t planned = kNone;
  size_t left = 0;
  size_t right = 0;
  for (const size_t room : wanted) right += room;
  for (size_t part = 1; part < wanted.size(); ++part) {
    left += wanted[part - 1];
    right -= wanted[part - 1];
    if (left > area || right > area) continue;
    const size_t difference = std::max(left, right) - std::min(left, right);
    least = std::min(least, difference);
    const bool in_left = slot < part;
    const size_t at = in_left && is_new ? part - 1 : part;
    if (plan.at == at && plan.home == (in_left ? Home::kLeft : Home::kRight) &&
        plan.slot == (in_left ? slot : slot - part)) {
      planned = difference;
    }
  }
  if (least == kNone) return plan.home == Home::kBetween && plan.at == slot && plan.slot == 0;
  return planned == least;
}

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_TREE_EDIT_SPLIT_MODEL_H_
