#include "lib/capi/damage_tally.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <cerrno>

#include "lib/capi/errors.h"

namespace ebcache::capi {

void DamageTally::Add(const WalkDamage& damage) {
  const int number = ErrnoOf(damage.status);
  // A device that fails and memory that is out say nothing of what is on the disks.
  const bool unknown =
      absl::IsUnavailable(damage.status) || absl::IsResourceExhausted(damage.status);
  if (!unknown) damaged_ = true;
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
