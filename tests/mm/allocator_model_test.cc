// Random sequences of calls against a model that is a map of folios.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstring>
#include <iterator>
#include <map>
#include <vector>

#include "tests/mm/allocator_cases.h"

namespace ebcache {
namespace {

struct Step {
  enum Kind { kAllocate, kAllocateBlock, kFree, kRewrite, kTrim } kind;
  uint32_t a;  // count, or which of those held
  uint32_t b;  // order

  friend std::ostream& operator<<(std::ostream& out, const Step& step) {
    static constexpr const char* kNames[] = {"kAllocate", "kAllocateBlock", "kFree", "kRewrite",
                                             "kTrim"};
    return out << "{Step::" << kNames[step.kind] << ", " << step.a << ", " << step.b << "}";
  }
};

rc::Gen<Step> AnyStep() {
  return rc::gen::apply(
      [](Step::Kind kind, uint32_t a, uint32_t b) {
        return Step{kind, a, b};
      },
      rc::gen::weightedElement<Step::Kind>({{6, Step::kAllocate},
                                            {6, Step::kAllocateBlock},
                                            {8, Step::kFree},
                                            {2, Step::kRewrite},
                                            {1, Step::kTrim}}),
      rc::gen::inRange<uint32_t>(0, 1000), rc::gen::inRange<uint32_t>(0, 4));
}

// An allocator and what it should look like.
class Model {
 public:
  // A small arena, so that memory runs out.
  explicit Model(AllocatorCase c) : case_(c), allocator_(c.Make()) {}
  ~Model() {
    while (!held_.empty()) Free(0);
  }

  void Perform(const Step& step) {
    switch (step.kind) {
      case Step::kAllocate:
        Allocate(1 + step.a % 200, std::min<int>(step.b, case_.max_order));
        break;
      case Step::kAllocateBlock:
        AllocateBlock(1u << step.a % 5);
        break;
      case Step::kFree:
        if (!held_.empty()) Free(step.a % held_.size());
        break;
      case Step::kRewrite:
        if (!held_.empty()) Write(Nth(step.a % held_.size())->second);
        break;
      case Step::kTrim:
        allocator_->Trim();
        break;
    }
    const AllocatorStats stats = allocator_->stats();
    RC_ASSERT(stats.in_use_bytes == in_use_pages_ * case_.page_bytes);
    RC_ASSERT(stats.from_os_bytes >= stats.in_use_bytes);
    RC_ASSERT(stats.allocated_folios - stats.freed_folios == in_use_folios_);
    RC_ASSERT(stats.failed_allocations == failed_);
  }

 private:
  struct Held {
    std::vector<Folio> slots;
    int order = 0;
    bool is_block = false;
    std::byte* direct = nullptr;
    uint8_t seed = 0;
  };

  std::map<uint32_t, Held>::iterator Nth(size_t n) { return std::next(held_.begin(), n); }

  bool Fits(size_t pages) const { return case_.pages == 0 || in_use_pages_ + pages <= case_.pages; }

  void Allocate(size_t count, int order) {
    Held held{.slots = std::vector<Folio>(count), .order = order};
    const absl::Status status = allocator_->AllocateBulk({}, order, absl::MakeSpan(held.slots));
    Settle(std::move(held), status);
  }

  void AllocateBlock(size_t pages) {
    Held held{.slots = std::vector<Folio>(pages), .is_block = true};
    FolioBlock block = {.slots = absl::MakeSpan(held.slots)};
    const absl::Status status = allocator_->AllocateBlock({}, block);
    held.order = block.order;
    held.direct = block.direct;
    Settle(std::move(held), status);
  }

  // One thread, so every free page is within reach: what fits must not fail.
  void Settle(Held held, const absl::Status& status) {
    const size_t used = held.is_block ? held.slots.size() >> held.order : held.slots.size();
    const size_t pages = used << held.order;
    RC_ASSERT(!status.ok() || Fits(pages));
    if (held.order == 0 || !case_.may_fragment) RC_ASSERT(status.ok() == Fits(pages));
    if (!status.ok()) {
      RC_ASSERT(absl::IsResourceExhausted(status));
      for (Folio slot : held.slots) RC_ASSERT(slot.empty());
      ++failed_;
      return;
    }
    held.slots.resize(used);
    for (size_t i = 0; i < used; ++i) {
      RC_ASSERT(!held.slots[i].empty());
      if (held.direct != nullptr) {
        RC_ASSERT(allocator_->Address(held.slots[i]) ==
                  held.direct + i * (case_.page_bytes << held.order));
      }
    }
    in_use_pages_ += pages;
    in_use_folios_ += used;
    held_[next_key_] = std::move(held);
    Write(held_[next_key_++]);
  }

  // The first and last word of each page say whose it is.
  void Write(Held& held) {
    ++held.seed;
    ForEachWord(held, [](std::byte* word, uint64_t value) { std::memcpy(word, &value, 8); });
  }

  void Free(size_t n) {
    const auto it = Nth(n);
    Held& held = it->second;
    ForEachWord(held, [](std::byte* word, uint64_t value) {
      RC_ASSERT(std::memcmp(word, &value, 8) == 0);
    });
    in_use_pages_ -= held.slots.size() << held.order;
    in_use_folios_ -= held.slots.size();
    if (held.is_block) {
      held.slots.resize(held.slots.size() << held.order);
      FolioBlock block = {
          .slots = absl::MakeSpan(held.slots), .order = held.order, .direct = held.direct};
      allocator_->FreeBlock(block);
    } else {
      allocator_->FreeBulk(held.order, absl::MakeSpan(held.slots));
    }
    held_.erase(it);
  }

  template <typename Visit>
  void ForEachWord(const Held& held, Visit visit) {
    for (size_t i = 0; i < held.slots.size(); ++i) {
      std::byte* const folio = allocator_->Address(held.slots[i]);
      for (size_t page = 0; page < size_t{1} << held.order; ++page) {
        const uint64_t value = uint64_t{held.slots[i].pfn()} << 32 | page << 8 | held.seed;
        visit(folio + page * case_.page_bytes, value);
        visit(folio + (page + 1) * case_.page_bytes - 8, value);
      }
    }
  }

  const AllocatorCase case_;
  const std::shared_ptr<PageAllocator> allocator_;
  std::map<uint32_t, Held> held_;
  uint32_t next_key_ = 0;
  size_t in_use_pages_ = 0;
  size_t in_use_folios_ = 0;
  uint64_t failed_ = 0;
};

void RunAgainstModel(const AllocatorCase& c) {
  Model model(c);
  for (const Step& step : *rc::gen::container<std::vector<Step>>(AnyStep())) model.Perform(step);
}

RC_GTEST_PROP(AllocatorModel, Heap, ()) {
  RunAgainstModel({.name = "heap", .page_bytes = 4096, .max_order = 3});
}

RC_GTEST_PROP(AllocatorModel, Order0, ()) {
  RunAgainstModel({.name = "order0", .page_bytes = 4096, .max_order = 0, .pages = 1024});
}

RC_GTEST_PROP(AllocatorModel, Order0OfLargePages, ()) {
  RunAgainstModel({.name = "order0", .page_bytes = 65536, .max_order = 0, .pages = 64});
}

RC_GTEST_PROP(AllocatorModel, MovableRegion, ()) {
  RunAgainstModel({.name = "movable-region",
                   .page_bytes = 4096,
                   .max_order = 3,
                   .pages = 2048,
                   .may_fragment = true});
}

RC_GTEST_PROP(AllocatorModel, MovableRegionOfLargePages, ()) {
  RunAgainstModel({.name = "movable-region",
                   .page_bytes = 65536,
                   .max_order = 3,
                   .pages = 128,
                   .may_fragment = true});
}

}  // namespace
}  // namespace ebcache
