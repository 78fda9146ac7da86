#include "tools/allocator_choice.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <cstddef>
#include <utility>

namespace ebcache::tools {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kUsualArenaBytes = size_t{64} << 30;
// Of an arena: its pages have numbers, and one of those means none.
constexpr uint64_t kMostPages = (uint64_t{1} << 28) - 1;

std::shared_ptr<MovableRegion> MakeRegion(size_t page_bytes, size_t arena_bytes) {
  return MovableRegion::Create(RegionOptionsFor(page_bytes, arena_bytes));
}

}  // namespace

const std::vector<std::string>& AllocatorKinds() {
  static const auto& kinds =
      *new std::vector<std::string>{"heap", "order0", "high", "vmap", "movable"};
  return kinds;
}

void AllocatorChoice::AddOptions(Command& command) {
  command.AddChoice("allocator", absl::StrCat("where pages come from (default ", kind, ")"),
                    AllocatorKinds(), &kind);
  command.AddChoice("page-size", "bytes in a page (default 4096)", {"4096", "16384", "65536"},
                    &page_size);
  command.AddNumber(
      "memory-mib",
      absl::StrCat("MiB that the allocator has, 0 for no limit (default ", memory_mib, ")"),
      1 << 20, &memory_mib);
}

absl::Status AllocatorChoice::CheckSizes(size_t page_bytes) const {
  if (memory_mib % 2 != 0) return absl::InvalidArgumentError("--memory-mib needs an even number");
  if (kind != "heap" && memory_mib * kMiB / page_bytes > kMostPages) {
    return absl::InvalidArgumentError(
        absl::StrCat("--memory-mib of ", memory_mib, " makes too many pages of ", page_bytes,
                     " bytes: there are fewer than 2^28 (a larger --page-size makes fewer)"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ChosenAllocator> AllocatorChoice::Make() {
  size_t page_bytes = 0;
  (void)absl::SimpleAtoi(page_size, &page_bytes);  // one of three words
  if (absl::Status status = CheckSizes(page_bytes); !status.ok()) return status;
  if (absl::Status status = Check(); !status.ok()) return status;
  const size_t limit_bytes = memory_mib * kMiB;
  const size_t arena_bytes = limit_bytes != 0 ? limit_bytes : kUsualArenaBytes;

  ChosenAllocator chosen;
  if (kind == "heap") {
    chosen.pages = Under(HeapAllocator({.page_bytes = page_bytes, .max_bytes = limit_bytes}));
  } else if (kind == "order0") {
    chosen.pages = Under(Order0Allocator({.page_bytes = page_bytes, .arena_bytes = arena_bytes}));
  } else if (kind == "high") {
    chosen.region = MakeRegion(page_bytes, arena_bytes);
    chosen.pages = HighOrderAllocator({.pages = Under(chosen.region)});
  } else if (kind == "movable") {
    chosen.region = MakeRegion(page_bytes, arena_bytes);
    chosen.pages = Under(chosen.region);
  } else {
    chosen.pages =
        Under(VmapAllocator({.page_bytes = page_bytes, .arena_bytes = arena_bytes, .os = os()}));
  }
  chosen.pages = Over(std::move(chosen.pages));
  return chosen;
}

}  // namespace ebcache::tools
