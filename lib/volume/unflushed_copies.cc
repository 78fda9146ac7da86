#include "lib/volume/unflushed_copies.h"

#include <absl/strings/str_cat.h>

#include <new>
#include <optional>
#include <utility>

#include "lib/base/messages.h"
#include "lib/base/status_number.h"
#include "lib/cache/source_call.h"
#include "lib/volume/mirror_damage.h"

namespace ebcache {

UnflushedCopies::UnflushedCopies(const AddressSpace* space, MissedWrites* missed,
                                 const VolumeOptions* options, uint32_t node_bytes,
                                 absl::Span<const DeviceFlush> flushes)
    : space_(space),
      missed_(missed),
      options_(options),
      node_bytes_(node_bytes),
      flushes_(flushes) {}

const DeviceFlush* UnflushedCopies::FailureOf(const PhysicalExtent& copy) const {
  for (const DeviceFlush& flush : flushes_) {
    if (flush.id == copy.place.device_id && !flush.status.ok()) return &flush;
  }
  return nullptr;
}

absl::StatusOr<std::vector<MirrorDamage>> UnflushedCopies::LostOf(uint64_t logical) const {
  const absl::StatusOr<Copies> copies = space_->Map(logical, node_bytes_);
  if (!copies.ok()) return Prefixed(absl::StrCat("block ", logical), copies.status());
  std::vector<MirrorDamage> lost;
  // Those that were no good before, whatever the flush says.
  std::vector<MirrorDamage> others;
  uint32_t missed_before = 0;
  missed_->ForEachOf(logical, [&](size_t copy, const absl::Status& why) {
    missed_before |= 1u << copy;
    others.push_back(MakeDamage(logical, copy, (*copies)[copy], why));
  });
  for (size_t copy = 0; copy < copies->size(); ++copy) {
    const PhysicalExtent& extent = (*copies)[copy];
    if ((missed_before >> copy & 1) != 0) continue;
    if (extent.device == nullptr) {
      others.push_back(MakeDamage(logical, copy, extent, MissingDeviceError()));
    } else if (const DeviceFlush* flush = FailureOf(extent)) {
      lost.push_back(MakeDamage(logical, copy, extent, flush->status));
    }
  }
  if (lost.size() + others.size() < copies->size()) return lost;
  lost.insert(lost.end(), others.begin(), others.end());
  absl::Status status =
      AllCopiesFailed(absl::StatusCode::kUnavailable, "no copy is durable", logical, lost);
  return WithNumber(std::move(status), NumberOfAll(*copies));
}

// The number of a device's callback, if all copies are on devices whose flush has failed with it.
int UnflushedCopies::NumberOfAll(const Copies& copies) const {
  std::optional<int> number;
  for (const PhysicalExtent& copy : copies) {
    const DeviceFlush* const flush = copy.device != nullptr ? FailureOf(copy) : nullptr;
    const int of_this = flush != nullptr ? NumberOf(flush->status) : 0;
    if (number.value_or(of_this) != of_this) return 0;
    number = of_this;
  }
  return number.value_or(0);
}

void UnflushedCopies::Tell(std::vector<MirrorDamage>& lost) const {
  for (MirrorDamage& damage : lost) {
    damage.recovered = true;
    damage.no_memory = false;  // it is behind the others now, whatever for
    damage.reason = absl::StrCat("not written: ", damage.reason);
    options_->on_damage(damage);
  }
}

absl::Status UnflushedCopies::Lose(absl::Span<const uint64_t> blocks) const {
  try {
    for (const uint64_t logical : blocks) {
      if (absl::Status status = LostOf(logical).status(); !status.ok()) return status;
    }
    for (const uint64_t logical : blocks) {
      absl::StatusOr<std::vector<MirrorDamage>> lost = LostOf(logical);
      if (!lost.ok()) return lost.status();
      missed_->Note(logical, /*written=*/0, *lost);
      if (options_->on_damage) Tell(*lost);
    }
  } catch (const std::bad_alloc&) {
    return WithoutWords(absl::StatusCode::kResourceExhausted);
  }
  return absl::OkStatus();
}

}  // namespace ebcache
