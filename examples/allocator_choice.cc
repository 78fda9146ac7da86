#include "examples/allocator_choice.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "ebcache/testing/fault_injection.h"

namespace ebcache::examples {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kUsualArenaBytes = size_t{64} << 30;
// Of an arena: its pages have numbers, and one of those means none.
constexpr uint64_t kMostPages = (uint64_t{1} << 28) - 1;

std::shared_ptr<MovableRegion> MakeRegion(size_t page_bytes, size_t arena_bytes) {
  return MovableRegion::Create(RegionOptionsFor(page_bytes, arena_bytes));
}

absl::Status Check(const AllocatorChoice& choice, size_t page_bytes) {
  if (choice.memory_mib % 2 != 0) {
    return absl::InvalidArgumentError("--memory-mib needs an even number");
  }
  if (choice.kind != "heap" && choice.memory_mib * kMiB / page_bytes > kMostPages) {
    return absl::InvalidArgumentError(
        absl::StrCat("--memory-mib of ", choice.memory_mib, " makes too many pages of ", page_bytes,
                     " bytes: there are fewer than 2^28 (a larger --page-size makes fewer)"));
  }
  if (choice.scatter && (choice.memory_mib == 0 || choice.kind == "heap")) {
    return absl::InvalidArgumentError(
        "--scatter needs --memory-mib, and another allocator than heap");
  }
  if (choice.fail_windows_percent != 0 && choice.kind != "vmap") {
    return absl::InvalidArgumentError("--fail-windows-percent needs --allocator=vmap");
  }
  return absl::OkStatus();
}

}  // namespace

const std::vector<std::string>& AllocatorKinds() {
  static const auto& kinds =
      *new std::vector<std::string>{"heap", "order0", "high", "vmap", "movable"};
  return kinds;
}

void AllocatorChoice::AddFlags(CommandLine& line) {
  line.AddFlag("allocator", absl::StrCat("where pages come from (default ", kind, ")"),
               AllocatorKinds(), &kind);
  line.AddFlag("page-size", "bytes in a page (default 4096)", {"4096", "16384", "65536"},
               &page_size);
  line.AddFlag(
      "memory-mib",
      absl::StrCat("MiB that the allocator has, 0 for no limit (default ", memory_mib, ")"),
      1 << 20, &memory_mib);
  line.AddFlag("scatter", "no two free pages are neighbours; half the memory is gone for it",
               &scatter);
  line.AddFlag("fail-orders-percent", "allocations of order 1 and up that fail (default 0)", 100,
               &fail_orders_percent);
  line.AddFlag("fail-windows-percent", "windows of vmap that cannot be mapped (default 0)", 100,
               &fail_windows_percent);
}

absl::StatusOr<ChosenAllocator> MakeAllocator(const AllocatorChoice& choice) {
  size_t page_bytes = 0;
  (void)absl::SimpleAtoi(choice.page_size, &page_bytes);  // one of three words
  if (absl::Status status = Check(choice, page_bytes); !status.ok()) return status;
  const size_t limit_bytes = choice.memory_mib * kMiB;
  const size_t arena_bytes = limit_bytes != 0 ? limit_bytes : kUsualArenaBytes;
  const auto failing = [&](std::shared_ptr<PageAllocator> pages) {
    if (choice.fail_orders_percent == 0) return pages;
    const double probability = static_cast<double>(choice.fail_orders_percent) / 100;
    return FaultInjectingAllocator(std::move(pages), FaultOptions{.probability = probability});
  };

  ChosenAllocator chosen;
  if (choice.kind == "heap") {
    chosen.pages = failing(HeapAllocator({.page_bytes = page_bytes, .max_bytes = limit_bytes}));
  } else if (choice.kind == "order0") {
    chosen.pages = failing(Order0Allocator({.page_bytes = page_bytes, .arena_bytes = arena_bytes}));
  } else if (choice.kind == "high") {
    chosen.region = MakeRegion(page_bytes, arena_bytes);
    chosen.pages = HighOrderAllocator({.pages = failing(chosen.region)});
  } else if (choice.kind == "movable") {
    chosen.region = MakeRegion(page_bytes, arena_bytes);
    chosen.pages = failing(chosen.region);
  } else {
    const double probability = static_cast<double>(choice.fail_windows_percent) / 100;
    chosen.os =
        FaultInjectingOsCalls(OsCalls::Real(), {.probability = probability, .min_order = 0});
    chosen.pages = failing(VmapAllocator(
        {.page_bytes = page_bytes, .arena_bytes = arena_bytes, .os = chosen.os.get()}));
  }
  if (choice.scatter) chosen.scattered = std::make_unique<ScatteredPages>(chosen.pages);
  return chosen;
}

}  // namespace ebcache::examples
