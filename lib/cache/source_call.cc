#include "lib/cache/source_call.h"

#include <absl/strings/cord.h>
#include <absl/strings/str_cat.h>

#include <new>
#include <utility>

#include "ebcache/buffer_cache.h"

namespace ebcache {

namespace {

// What an error without words means, and what does not come without any.
const char* Meaning(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnknown:
      return "the source said nothing of how it went";
    case absl::StatusCode::kResourceExhausted:
      return "out of memory";
    case absl::StatusCode::kInternal:
      return "the source threw an exception";
    case absl::StatusCode::kFailedPrecondition:
      return "the cache has no source";
    default:
      return "for a reason that was not kept";
  }
}

// Of statuses that have it WouldWaitForEver is true.
constexpr char kWaitForEver[] = "ebcache/would-wait-for-ever";

}  // namespace

bool WouldWaitForEver(const absl::Status& status) {
  return status.GetPayload(kWaitForEver).has_value();
}

absl::Status WaitForEverRefused(uint64_t start) noexcept {
  try {
    absl::Status status = absl::FailedPreconditionError(absl::StrCat(
        "block ", start,
        ": under IO by a call of the source that cannot end before this one: it would be "
        "waited for for ever"));
    status.SetPayload(kWaitForEver, absl::Cord());
    return status;
  } catch (const std::bad_alloc&) {
    return WithoutWords(absl::StatusCode::kResourceExhausted);
  }
}

absl::Status Worded(absl::Status status, uint64_t start, const char* what) noexcept {
  if (status.ok() || !status.message().empty()) return status;
  try {
    return absl::Status(status.code(), absl::StrCat("block ", start, ": the ", what,
                                                    " failed: ", Meaning(status.code())));
  } catch (const std::bad_alloc&) {
    return status;
  }
}

}  // namespace ebcache
