#include "lib/capi/damage_tally.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <cerrno>

#include "lib/base/status_number.h"
#include "lib/capi/errors.h"

namespace ebcache::capi {
namespace {

// Bytes that were read and are bad; or a pointer, as the library itself finds, to where no block
// can be or where another one is. All else says nothing of what is on the disks: what callbacks
// return, a device that fails, memory that is out, a feature that cannot be read, a cache without a
// source, a wait that would have no end.
bool IsDamage(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kDataLoss:
      return true;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kOutOfRange:
      return NumberOf(status) == 0;
    default:
      return false;
  }
}

}  // namespace

void DamageTally::Add(const WalkDamage& damage) {
  const int number = ErrnoOf(damage.status);
  if (IsDamage(damage.status)) damaged_ = true;
  if (count_ == 0) {
    number_ = number;
    first_ = damage.ToString();
  } else if (number != number_) {
    number_ = EIO;
  }
  ++count_;
}

int DamageTally::Result() const {
  if (count_ == 0) return 0;
  return Fail(damaged_ ? EUCLEAN : number_,
              count_ == 1 ? first_ : absl::StrCat(first_, "; and ", count_ - 1, " more"));
}

}  // namespace ebcache::capi
