#include "lib/volume/superblock_writer.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/types/span.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <string>
#include <utility>

#include "lib/base/messages.h"
#include "lib/volume/superblock_reader.h"

namespace ebcache {
namespace {

// What a device's call says; what it throws is an error of that device.
template <typename Call>
absl::Status Guarded(Call call) noexcept {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return absl::Status(absl::StatusCode::kResourceExhausted, "");
  } catch (...) {
    return absl::Status(absl::StatusCode::kInternal, "");
  }
}

absl::Status WriteCopy(BlockDevice& device, uint64_t offset, absl::Span<const std::byte> bytes,
                       bool durable) noexcept {
  return Guarded([&] {
    DeviceWrite write{.offset = offset, .segments = {bytes}};
    if (durable) {
      device.Write(absl::MakeSpan(&write, 1));
    } else {
      device.WriteCached(absl::MakeSpan(&write, 1));
    }
    return std::move(write.status);
  });
}

}  // namespace

absl::Status FlushDevice(BlockDevice& device) noexcept {
  return Guarded([&] { return device.Flush(); });
}

absl::Status SuperblockWriter::Add(BlockDevice* device, const Superblock& superblock,
                                   const absl::Status& flushed) {
  const uint64_t room = std::min(device->size_bytes(), superblock.device.total_bytes);
  Device added{.device = device, .item = superblock.device, .copies = {}, .flushed = flushed.ok()};
  Superblock copy = superblock;
  for (const uint64_t offset : kSuperblockOffsets) {
    // Without a primary there is no filesystem, whatever the item says.
    if (offset != kSuperblockOffsets[0] && !SuperblockFits(offset, room)) break;
    copy.bytenr = offset;
    Copy& made = added.copies.emplace_back();
    made.failure = {.device = device->name(),
                    .offset = offset,
                    .status = added.flushed ? absl::Status(absl::StatusCode::kUnknown, "")
                                            : Prefixed("its blocks may be lost", flushed)};
    absl::Status sound = EncodeSuperblock(copy, absl::MakeSpan(made.bytes));
    if (sound.ok()) sound = ParseSuperblock(made.bytes, offset).status();
    if (!sound.ok()) {
      return Prefixed(absl::StrCat(device->name(), ": not written: superblock at ", offset), sound);
    }
  }
  copies_ += added.copies.size();
  failures_.reserve(copies_);
  devices_.push_back(std::move(added));
  return absl::OkStatus();
}

absl::Status SuperblockWriter::Write() noexcept {
  if (!WritePrimaries()) {
    CollectFailures(1);
    return NoPrimary();
  }
  WriteMirrors();
  Flush();
  CollectFailures(std::size(kSuperblockOffsets));
  return absl::OkStatus();
}

// Whether one of them is on disk.
bool SuperblockWriter::WritePrimaries() noexcept {
  bool any = false;
  for (Device& device : devices_) {
    if (!device.flushed) continue;
    Copy& primary = device.copies[0];
    primary.failure.status =
        WriteCopy(*device.device, primary.failure.offset, primary.bytes, /*durable=*/true);
    device.has_primary = primary.failure.status.ok();
    any |= device.has_primary;
  }
  return any;
}

void SuperblockWriter::WriteMirrors() noexcept {
  for (Device& device : devices_) {
    if (!device.flushed) continue;
    for (Copy& copy : absl::MakeSpan(device.copies).subspan(1)) {
      copy.failure.status =
          WriteCopy(*device.device, copy.failure.offset, copy.bytes, /*durable=*/false);
    }
  }
}

void SuperblockWriter::Flush() noexcept {
  for (Device& device : devices_) {
    if (!device.flushed) continue;
    const absl::Status flushed = FlushDevice(*device.device);
    if (flushed.ok()) continue;
    const bool mirrors = device.copies.size() > 1;
    for (Copy& copy : absl::MakeSpan(device.copies).subspan(mirrors ? 1 : 0)) {
      if (copy.failure.status.ok()) copy.failure.status = flushed;
    }
  }
}

// Out of the first so many copies of each device.
void SuperblockWriter::CollectFailures(size_t copies) noexcept {
  for (Device& device : devices_) {
    for (Copy& copy : absl::MakeSpan(device.copies).subspan(0, copies)) {
      if (!copy.failure.status.ok()) failures_.push_back(std::move(copy.failure));
    }
  }
}

absl::Status SuperblockWriter::NoPrimary() const noexcept {
  const bool no_memory = std::any_of(
      failures_.begin(), failures_.end(),
      [](const SuperblockFailure& failure) { return absl::IsResourceExhausted(failure.status); });
  const absl::StatusCode code =
      no_memory ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kUnavailable;
  try {
    const auto append = [](std::string* out, const SuperblockFailure& failure) {
      const absl::Status& status = failure.status;
      absl::StrAppend(out, failure.device, " at ", failure.offset, ": ",
                      status.message().empty() ? absl::StatusCodeToString(status.code())
                                               : std::string(status.message()));
    };
    return absl::Status(
        code, absl::StrCat("no superblock written: ", absl::StrJoin(failures_, "; ", append)));
  } catch (const std::bad_alloc&) {
    return absl::Status(code, "");
  }
}

}  // namespace ebcache
