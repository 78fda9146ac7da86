// The stack of frames at hand, against a deque.

#include "lib/mm/frame_stack.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

namespace ebcache {
namespace {

// Steps in any order: the same frames come out in the same order.
RC_GTEST_PROP(FrameStack, IsADeque, ()) {
  FrameStack stack;
  std::deque<uint32_t> model;  // the oldest in front
  uint32_t next = 0;
  const auto steps = *rc::gen::container<std::vector<std::pair<int, uint32_t>>>(
      rc::gen::pair(rc::gen::inRange(0, 5), rc::gen::inRange<uint32_t>(0, 100)));
  for (const auto& [kind, n] : steps) {
    const uint32_t room = FrameStack::kMaxCapacity - stack.size();
    if (kind == 0 && room > 0) {
      stack.Push(FrameNumber(next));
      model.push_back(next++);
    } else if (kind == 1 && !model.empty()) {
      RC_ASSERT(stack.Pop() == FrameNumber(model.back()));
      model.pop_back();
    } else if (kind == 2) {
      const absl::Span<FrameNumber> more = stack.AddBeneath(std::min(n, room));
      for (size_t i = more.size(); i-- > 0;) {
        more[i] = FrameNumber(next);
        model.push_front(next++);
      }
    } else if (kind == 3) {
      const uint32_t count = std::min(n, stack.size());
      const absl::Span<const FrameNumber> oldest = stack.Oldest(count);
      RC_ASSERT(std::equal(oldest.begin(), oldest.end(), model.begin(),
                           [](FrameNumber a, uint32_t b) { return a.value() == b; }));
      stack.DropOldest(count);
      model.erase(model.begin(), model.begin() + count);
    } else if (kind == 4) {
      const uint32_t modulus = n + 2;
      stack.TakeIf([&](FrameNumber pfn) { return pfn.value() % modulus == 0; });
      std::erase_if(model, [&](uint32_t pfn) { return pfn % modulus == 0; });
    }
    RC_ASSERT(stack.size() == model.size());
  }
  while (!model.empty()) {
    RC_ASSERT(stack.Pop() == FrameNumber(model.back()));
    model.pop_back();
  }
}

}  // namespace
}  // namespace ebcache
