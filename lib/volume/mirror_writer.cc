#include "lib/volume/mirror_writer.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "lib/base/check.h"
#include "lib/base/messages.h"
#include "lib/cache/source_call.h"
#include "lib/device/device_batch.h"
#include "lib/volume/mirror_damage.h"

namespace ebcache {
namespace {

// Blocks written together: bounds the memory for their copies.
constexpr size_t kMaxGroup = 64;

}  // namespace

// How the write of one block went.
struct MirrorWriter::Attempt {
  BlockWrite* write;
  Copies copies;
  std::vector<MirrorDamage> failures;
};

MirrorWriter::MirrorWriter(const AddressSpace* space, const BlockValidator* validator,
                           MissedWrites* missed, VolumeOptions options)
    : space_(space), validator_(validator), missed_(missed), options_(std::move(options)) {}

void MirrorWriter::Write(absl::Span<BlockWrite> writes) const {
  const size_t scratch_bytes = std::min(writes.size(), kMaxGroup) * validator_->node_bytes();
  auto scratch = std::make_unique_for_overwrite<std::byte[]>(scratch_bytes);
  while (!writes.empty()) {
    absl::Span<BlockWrite> group = writes.subspan(0, kMaxGroup);
    WriteGroup(group, absl::MakeSpan(scratch.get(), scratch_bytes));
    writes.remove_prefix(group.size());
  }
}

void MirrorWriter::WriteGroup(absl::Span<BlockWrite> writes, absl::Span<std::byte> scratch) const {
  const size_t node_bytes = validator_->node_bytes();
  std::vector<Attempt> attempts;
  attempts.reserve(writes.size());
  DeviceBatch<DeviceWrite> durable;
  DeviceBatch<DeviceWrite> until_flush;
  for (BlockWrite& write : writes) {
    const ExtentBuffer& buffer = *write.buffer;
    absl::Span<std::byte> block = scratch.subspan(attempts.size() * node_bytes, node_bytes);
    Attempt& attempt = attempts.emplace_back(Attempt{.write = &write});
    write.status = Prepare(buffer, block);
    if (!write.status.ok()) continue;
    absl::StatusOr<Copies> copies = space_->Map(buffer.start(), buffer.length());
    if (!copies.ok()) {
      write.status = Prefixed(absl::StrCat("block ", buffer.start()), copies.status());
      continue;
    }
    attempt.copies = *std::move(copies);
    for (size_t copy = 0; copy < attempt.copies.size(); ++copy) {
      const PhysicalExtent& extent = attempt.copies[copy];
      if (extent.device == nullptr) {
        attempt.failures.push_back(MakeDamage(buffer.start(), copy, extent, MissingDeviceError()));
        continue;
      }
      const size_t tag = (attempts.size() - 1) * kMaxCopies + copy;
      (write.until_flush ? until_flush : durable)
          .Add(extent.device, tag, {.offset = extent.place.offset, .segments = {block}});
    }
  }
  const auto done = [&](size_t tag, const absl::Status& status) {
    if (status.ok()) return;
    Attempt& attempt = attempts[tag / kMaxCopies];
    const size_t copy = tag % kMaxCopies;
    attempt.failures.push_back(
        MakeDamage(attempt.write->buffer->start(), copy, attempt.copies[copy], status));
  };
  durable.Run(done);
  until_flush.Run(done, SubmitCachedTo);
  for (Attempt& attempt : attempts) Finish(attempt);
}

absl::Status MirrorWriter::Prepare(const ExtentBuffer& buffer, absl::Span<std::byte> block) const {
  EBCACHE_CHECK(buffer.length() == validator_->node_bytes(),
                "a buffer to write is not of the filesystem's node size");
  const std::string where = absl::StrCat("block ", buffer.start(), ": not written");
  if (!options_.writable) {
    return Prefixed(where, absl::PermissionDeniedError("the volume is open read-only"));
  }
  if (!buffer.uptodate()) {
    return Prefixed(where, absl::FailedPreconditionError("the buffer is not UPTODATE"));
  }
  if (absl::Status status = buffer.Read(0, block); !status.ok()) return Prefixed(where, status);
  return Prefixed(where, validator_->Seal(buffer.start(), block));
}

void MirrorWriter::Finish(Attempt& attempt) const {
  BlockWrite& write = *attempt.write;
  if (!write.status.ok()) return;
  const uint64_t logical = write.buffer->start();
  // They came device by device, in whatever order.
  std::sort(attempt.failures.begin(), attempt.failures.end(),
            [](const MirrorDamage& a, const MirrorDamage& b) { return a.mirror < b.mirror; });
  if (attempt.failures.size() == attempt.copies.size()) {
    write.status = AllCopiesFailed(absl::StatusCode::kUnavailable, "no copy written", logical,
                                   attempt.failures);
  } else {
    uint32_t written = (1u << attempt.copies.size()) - 1;
    for (const MirrorDamage& failure : attempt.failures) written &= ~(1u << (failure.mirror - 1));
    try {
      missed_->Note(logical, written, attempt.failures);
    } catch (const std::bad_alloc&) {
      // Said to be OK, it could be read over by the older bytes of a copy that it did not reach.
      write.status = Worded(WithoutWords(absl::StatusCode::kResourceExhausted), logical, "write");
    }
  }
  if (!attempt.failures.empty() && options_.on_damage) TellOfFailures(attempt);
}

void MirrorWriter::TellOfFailures(Attempt& attempt) const {
  const bool written = attempt.failures.size() < attempt.copies.size();
  for (MirrorDamage failure : attempt.failures) {
    // Volume::missing_devices names a missing device already.
    if (written && attempt.copies[failure.mirror - 1].device == nullptr) continue;
    failure.recovered = written;
    failure.no_memory &= !written;  // else it is behind the others now, whatever for
    failure.reason = absl::StrCat("not written: ", failure.reason);
    options_.on_damage(failure);
  }
}

}  // namespace ebcache
