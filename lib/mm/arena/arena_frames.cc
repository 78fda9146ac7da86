#include "lib/mm/arena/arena_frames.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/rounding.h"
#include "lib/mm/poison.h"

namespace ebcache {

ArenaFrames::ArenaFrames(OsCalls* os, size_t bytes, size_t page_bytes, Arena::Memory memory)
    : arena_(os, {.bytes = bytes, .page_bytes = page_bytes, .memory = memory}),
      page_bytes_(page_bytes) {
  EBCACHE_CHECK(bytes > 0 && bytes % kStepBytes == 0, "arena size must be a multiple of 2 MiB");
}

ArenaFrames::~ArenaFrames() {
  // The next mapping there starts afresh.
  if (arena_.base() != nullptr) UnpoisonPages(arena_.base(), used_bytes_);
}

absl::Status ArenaFrames::Prepare(FrameNumber end) {
  if (arena_.withheld()) return absl::FailedPreconditionError("withheld from children of a fork");
  if (!arena_.reserved()) {
    if (absl::Status status = arena_.Reserve(); !status.ok()) return status;
  }
  if (end.value() > arena_.frames()) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory: the OS gave ",
                                                     arena_.reserved_bytes(),
                                                     " bytes of address space and refused more"));
  }
  const size_t wanted = RoundUp(end.value() * page_bytes_, kStepBytes);
  if (wanted > prepared_bytes_) {
    arena_.AdviseHugePages(prepared_bytes_, wanted - prepared_bytes_);
    prepared_bytes_ = wanted;
    used_bytes_ = std::max(used_bytes_, wanted);
  }
  return absl::OkStatus();
}

bool ArenaFrames::Purge(FrameNumber first, uint32_t count) {
  return arena_.Purge(first.value() * page_bytes_, count * page_bytes_);
}

bool ArenaFrames::Retreat(FrameNumber end) {
  const size_t keep = end.value() * page_bytes_;
  if (!arena_.Purge(keep, prepared_bytes_ - keep)) return false;
  prepared_bytes_ = keep;
  return true;
}

}  // namespace ebcache
