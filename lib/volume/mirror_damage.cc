#include "lib/volume/mirror_damage.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>

namespace ebcache {

std::string MirrorDamage::ToString() const {
  return absl::StrCat("mirror ", mirror, " on ", device, " at ", place.offset, ": ", reason);
}

std::string MissingDevice::ToString() const {
  return absl::StrCat("device ", id, seed ? " (seed)" : "", " is missing");
}

std::string PhysicalExtent::DeviceName() const {
  return device != nullptr ? device->name() : absl::StrCat("missing device ", place.device_id);
}

MirrorDamage MakeDamage(uint64_t logical, size_t copy, const PhysicalExtent& extent,
                        const absl::Status& reason) {
  return {.logical = logical,
          .mirror = static_cast<int>(copy) + 1,
          .place = extent.place,
          .device = extent.DeviceName(),
          .device_missing = extent.device == nullptr,
          .no_memory = absl::IsResourceExhausted(reason),
          .reason = std::string(reason.message())};
}

absl::Status AllCopiesFailed(absl::StatusCode code, const char* what, uint64_t logical,
                             const std::vector<MirrorDamage>& failures) {
  // A copy that there was no memory for may be as good as any, whatever is wrong with the others.
  const bool no_memory = std::any_of(failures.begin(), failures.end(),
                                     [](const MirrorDamage& f) { return f.no_memory; });
  if (no_memory) code = absl::StatusCode::kResourceExhausted;
  return absl::Status(
      code, absl::StrCat("block ", logical, ": ", what, ": ",
                         absl::StrJoin(failures, "; ", [](std::string* out, const MirrorDamage& f) {
                           absl::StrAppend(out, f.ToString());
                         })));
}

absl::Status MissingDeviceError() { return absl::UnavailableError("the device is missing"); }

}  // namespace ebcache
