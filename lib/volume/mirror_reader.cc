#include "lib/volume/mirror_reader.h"

#include <absl/container/inlined_vector.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "lib/base/check.h"
#include "lib/base/messages.h"
#include "lib/base/status_number.h"
#include "lib/device/device_batch.h"
#include "lib/volume/mirror_damage.h"

namespace ebcache {
namespace {

// Neither a device that fails, by whatever number of its callback, nor memory that is out does.
bool SaysSomethingOfTheBytes(const absl::Status& reason) {
  if (absl::IsDataLoss(reason)) return true;
  return NumberOf(reason) == 0 && !absl::IsUnavailable(reason) &&
         !absl::IsResourceExhausted(reason);
}

}  // namespace

// How far the read of one block has come.
struct MirrorReader::Attempt {
  BlockRead* read;
  Copies copies;
  absl::InlinedVector<size_t, 4> order;  // in which copies are tried
  size_t next = 0;                       // in `order`
  bool done = false;                     // read->status is the last word
  bool rejected = false;                 // a copy was there and was no good
  uint32_t missed = 0;                   // bit N: copy N missed the last write, and is not asked
  // Of copies that are sound, but not what the reader expects: number and generation.
  absl::InlinedVector<std::pair<size_t, uint64_t>, 2> unexpected;
  // One that a reader has called bad for reasons of its own.
  std::optional<size_t> given_up;
  int number = 0;  // of the device's callback, if all failed with the same
  std::vector<MirrorDamage> failures;

  size_t current_copy() const { return order[next]; }
  const PhysicalExtent& current() const { return copies[current_copy()]; }

  // The copy could not be used.
  void Note(size_t copy, const absl::Status& reason) {
    if (SaysSomethingOfTheBytes(reason)) rejected = true;
    number = failures.empty() || number == NumberOf(reason) ? NumberOf(reason) : 0;
    failures.push_back(MakeDamage(read->buffer->start(), copy, copies[copy], reason));
  }
  // The one that was asked.
  void Fail(const absl::Status& reason) {
    Note(current_copy(), reason);
    ++next;
  }
  // Passes over copies that cannot be asked for. False when no other is left.
  bool SkipMissing() {
    while (next < order.size() && current().device == nullptr) Fail(MissingDeviceError());
    return next < order.size();
  }
};

MirrorReader::MirrorReader(const AddressSpace* space, const BlockValidator* validator,
                           MissedWrites* missed, VolumeOptions options)
    : space_(space), validator_(validator), missed_(missed), options_(std::move(options)) {}

void MirrorReader::Read(absl::Span<BlockRead> reads) const {
  std::vector<Attempt> attempts;
  attempts.reserve(reads.size());
  for (BlockRead& read : reads) attempts.push_back(Begin(read));
  DeviceBatch<DeviceRead> batch;
  do {
    for (size_t i = 0; i < attempts.size(); ++i) {
      Attempt& attempt = attempts[i];
      if (attempt.done || !attempt.SkipMissing()) continue;
      batch.Add(attempt.current().device, i,
                {.offset = attempt.current().place.offset,
                 .segments = attempt.read->buffer->mutable_segments()});
    }
    batch.Run([&](size_t i, const absl::Status& status) { Judge(attempts[i], status); });
    // Each round uses up a copy of every block in it.
  } while (std::any_of(attempts.begin(), attempts.end(), [](const Attempt& attempt) {
    return !attempt.done && attempt.next < attempt.order.size();
  }));
  for (Attempt& attempt : attempts) Finish(attempt);
}

// A copy that a reader has found no good is not asked again; those behind it come first, so that a
// reader that asks again and again meets all of them.
void MirrorReader::SetAsideBadMirror(Attempt& attempt) {
  const size_t bad = static_cast<size_t>(attempt.read->bad_mirror) - 1;
  const auto at = std::find(attempt.order.begin(), attempt.order.end(), bad);
  if (attempt.read->bad_mirror == 0 || at == attempt.order.end()) return;
  std::rotate(attempt.order.begin(), at + 1, attempt.order.end());
  attempt.order.pop_back();
  attempt.Note(bad, absl::DataLossError("found no good by a reader"));
  attempt.given_up = bad;
}

MirrorReader::Attempt MirrorReader::Begin(BlockRead& read) const {
  const ExtentBuffer& buffer = *read.buffer;
  EBCACHE_CHECK(buffer.length() == validator_->node_bytes(),
                "a buffer to read is not of the filesystem's node size");
  Attempt attempt{.read = &read};
  absl::StatusOr<Copies> copies = space_->Map(buffer.start(), buffer.length());
  if (!copies.ok()) {
    read.status = Prefixed(absl::StrCat("block ", buffer.start()), copies.status());
    attempt.done = true;
    return attempt;
  }
  attempt.copies = *std::move(copies);
  missed_->ForEachOf(buffer.start(), [&](size_t copy, const absl::Status& why) {
    attempt.missed |= 1u << copy;
    attempt.Note(copy, why);
  });
  for (size_t copy = 0; copy < attempt.copies.size(); ++copy) {
    if ((attempt.missed >> copy & 1) == 0) attempt.order.push_back(copy);
  }
  SetAsideBadMirror(attempt);
  std::stable_partition(attempt.order.begin(), attempt.order.end(),
                        [&](size_t copy) { return attempt.copies[copy].device != nullptr; });
  return attempt;
}

void MirrorReader::Judge(Attempt& attempt, const absl::Status& transferred) const {
  absl::Status status = transferred;
  if (status.ok()) status = validator_->Validate(*attempt.read->buffer, attempt.read->check);
  if (status.ok()) {
    attempt.read->status = absl::OkStatus();
    attempt.read->buffer->set_mirror(static_cast<int>(attempt.current_copy()) + 1);
    attempt.done = true;
    return;
  }
  const ExtentBuffer& buffer = *attempt.read->buffer;
  if (transferred.ok() && attempt.read->check != nullptr &&
      validator_->Validate(buffer, nullptr).ok()) {
    attempt.unexpected.emplace_back(attempt.current_copy(), Header(buffer).generation());
  }
  attempt.Fail(status);
}

void MirrorReader::Finish(Attempt& attempt) const {
  BlockRead& read = *attempt.read;
  if (!attempt.done) {
    read.status = AllCopiesFailed(
        attempt.rejected ? absl::StatusCode::kDataLoss : absl::StatusCode::kUnavailable,
        "no good copy", read.buffer->start(), attempt.failures);
    // A reader that expects something else may find it.
    read.damaged = attempt.unexpected.empty();
    read.status = WithNumber(std::move(read.status), attempt.number);
  }
  for (MirrorDamage& failure : attempt.failures) failure.recovered = read.status.ok();
  if (read.status.ok() && options_.writable) Repair(attempt);
  if (!options_.on_damage) return;
  for (const MirrorDamage& failure : attempt.failures) options_.on_damage(failure);
}

void MirrorReader::Repair(Attempt& attempt) const {
  const uint64_t generation = Header(*attempt.read->buffer).generation();
  // A sound copy that this reader did not expect is not for it to overwrite, but with newer bytes:
  // within a generation nothing says which are the older.
  const auto may_be_newer = [&](const std::pair<size_t, uint64_t>& sound) {
    return sound.second >= generation;
  };
  const bool others_may_be_newer =
      std::any_of(attempt.unexpected.begin(), attempt.unexpected.end(), may_be_newer);
  for (MirrorDamage& failure : attempt.failures) {
    if (failure.no_memory) continue;  // nothing is known to be wrong with it
    const size_t copy = static_cast<size_t>(failure.mirror) - 1;
    if (attempt.given_up == copy) {
      absl::StrAppend(&failure.reason, "; not repaired: it is sound by its own account");
      continue;
    }
    const bool is_kept =
        std::any_of(attempt.unexpected.begin(), attempt.unexpected.end(),
                    [&](const auto& sound) { return sound.first == copy && may_be_newer(sound); });
    if (is_kept) {
      absl::StrAppend(&failure.reason,
                      "; not repaired: it is sound, and not older than the good copy");
      continue;
    }
    const bool missed = (attempt.missed >> copy & 1) != 0;
    if (missed && others_may_be_newer) {
      // With these bytes it would be taken for a copy that has what was written last.
      absl::StrAppend(&failure.reason,
                      "; not repaired: another copy may be newer than the good one");
      continue;
    }
    // None is on a missing device: those come last, and one before them was good.
    const PhysicalExtent& bad = attempt.copies[copy];
    DeviceWrite write{.offset = bad.place.offset, .segments = attempt.read->buffer->segments()};
    bad.device->Write(absl::MakeSpan(&write, 1));
    failure.repaired = write.status.ok();
    if (!write.status.ok()) {
      absl::StrAppend(&failure.reason, "; not repaired: ", write.status.message());
    } else if (missed) {
      missed_->Repaired(failure.logical, copy);
    }
  }
}

}  // namespace ebcache
