#include "lib/device/overlay_device.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "lib/device/segment_slice.h"
#include "lib/device/transfer_range.h"

namespace ebcache {
namespace {

// Blocks that are applied together: bounds the memory for their copies.
constexpr size_t kBatch = 256;

using BlockBuffer = std::array<std::byte, OverlayDevice::kBlockBytes>;

}  // namespace

absl::StatusOr<std::unique_ptr<OverlayDevice>> OverlayDevice::Create(BlockDevice* base,
                                                                     const std::string& path) {
  absl::StatusOr<std::unique_ptr<ChangeStore>> store =
      path.empty() ? MakeMemoryStore() : OpenFileStore(path);
  if (!store.ok()) return store.status();
  return std::unique_ptr<OverlayDevice>(new OverlayDevice(base, *std::move(store)));
}

OverlayDevice::OverlayDevice(BlockDevice* base, std::unique_ptr<ChangeStore> store)
    : base_(base),
      store_(std::move(store)),
      at_fork_(
          // The locks are held over the fork: the two are halves of one function.
          ForkHandler::Phase::kLocks,
          [this]() EBCACHE_NO_THREAD_SAFETY_ANALYSIS {
            write_mutex_.lock();
            mutex_.lock();
          },
          [this](bool in_child) EBCACHE_NO_THREAD_SAFETY_ANALYSIS {
            if (in_child) store_->EnterChild();
            mutex_.unlock();
            write_mutex_.unlock();
          }) {}

// ---- Reads ----------------------------------------------------------------------------------------

void OverlayDevice::Read(absl::Span<DeviceRead> reads) {
  ReadEach(reads, [](size_t) {});
}

void OverlayDevice::ReadEach(absl::Span<DeviceRead> reads, absl::FunctionRef<void(size_t)> done) {
  std::vector<DeviceRead> below;
  std::vector<size_t> numbers;  // of those
  for (size_t i = 0; i < reads.size(); ++i) {
    DeviceRead& read = reads[i];
    read.status = CheckTransferRange(read.offset, read.segments, size_bytes());
    if (read.status.ok() && !IsChanged(read.offset, SegmentBytes(read.segments))) {
      below.push_back({.offset = read.offset, .segments = read.segments});
      numbers.push_back(i);
      continue;
    }
    if (read.status.ok()) read.status = ReadOver(read);
    done(i);
  }
  base_->ReadEach(absl::MakeSpan(below), [&](size_t i) {
    reads[numbers[i]].status = below[i].status;
    done(numbers[i]);
  });
}

bool OverlayDevice::IsChanged(uint64_t offset, uint64_t length) const {
  if (length == 0) return false;
  sync::MutexLock lock(mutex_);
  if (changes_.empty()) return false;
  const uint64_t end = offset + length;
  for (uint64_t block = offset / kBlockBytes; block * kBlockBytes < end; ++block) {
    if (changes_.contains(block)) return true;
  }
  return false;
}

absl::StatusOr<bool> OverlayDevice::LoadChange(uint64_t block, absl::Span<std::byte> to) const {
  sync::MutexLock lock(mutex_);
  const auto found = changes_.find(block);
  if (found == changes_.end()) return false;
  if (absl::Status status = store_->Read(found->second, to); !status.ok()) return status;
  return true;
}

// What is changed from here, what is not from below, in as few reads as there are stretches.
absl::Status OverlayDevice::ReadOver(const DeviceRead& read) {
  const uint64_t end = read.offset + SegmentBytes(read.segments);
  uint64_t plain = read.offset;  // from here to `at` nothing is changed
  const auto read_plain = [&](uint64_t until) {
    if (plain == until) return absl::OkStatus();
    DeviceRead below{.offset = plain,
                     .segments = SliceOf(read.segments, plain - read.offset, until - plain)};
    base_->Read(absl::MakeSpan(&below, 1));
    return below.status;
  };
  BlockBuffer buffer;
  for (uint64_t at = read.offset; at < end;) {
    const uint64_t block = at / kBlockBytes;
    const uint64_t next = std::min(end, (block + 1) * kBlockBytes);
    const absl::StatusOr<bool> changed = LoadChange(block, absl::MakeSpan(buffer));
    if (!changed.ok()) return changed.status();
    if (*changed) {
      if (absl::Status status = read_plain(at); !status.ok()) return status;
      Scatter(absl::MakeConstSpan(buffer).subspan(at % kBlockBytes, next - at),
              SliceOf(read.segments, at - read.offset, next - at));
      plain = next;
    }
    at = next;
  }
  return read_plain(end);
}

// ---- Writes ---------------------------------------------------------------------------------------

void OverlayDevice::Write(absl::Span<DeviceWrite> writes) {
  for (DeviceWrite& write : writes) {
    write.status = CheckTransferRange(write.offset, write.segments, size_bytes());
    if (!write.status.ok()) continue;
    try {
      write.status = WriteOver(write);
    } catch (const std::bad_alloc&) {
      write.status = absl::Status(absl::StatusCode::kResourceExhausted, "");
    }
  }
}

absl::Status OverlayDevice::WriteOver(const DeviceWrite& write) {
  sync::MutexLock lock(write_mutex_);
  const uint64_t end = write.offset + SegmentBytes(write.segments);
  for (uint64_t at = write.offset; at < end;) {
    const uint64_t block = at / kBlockBytes;
    const uint64_t next = std::min(end, (block + 1) * kBlockBytes);
    absl::Status status =
        WriteBlock(block, at % kBlockBytes, SliceOf(write.segments, at - write.offset, next - at));
    if (!status.ok()) return status;
    at = next;
  }
  return absl::OkStatus();
}

// The last block of a device may be shorter than others.
uint64_t OverlayDevice::LengthOf(uint64_t block) const {
  return std::min(kBlockBytes, size_bytes() - block * kBlockBytes);
}

absl::Status OverlayDevice::WriteBlock(uint64_t block, uint64_t within, const Segments& bytes) {
  BlockBuffer buffer{};
  const uint64_t length = SegmentBytes(bytes);
  if (length < LengthOf(block)) {
    const absl::StatusOr<bool> changed = LoadChange(block, absl::MakeSpan(buffer));
    if (!changed.ok()) return changed.status();
    if (!*changed) {
      DeviceRead below{.offset = block * kBlockBytes,
                       .segments = {absl::MakeSpan(buffer).subspan(0, LengthOf(block))}};
      base_->Read(absl::MakeSpan(&below, 1));
      if (!below.status.ok()) return below.status;
    }
  }
  Gather(bytes, absl::MakeSpan(buffer).subspan(within, length));
  return Keep(block, buffer);
}

absl::Status OverlayDevice::Keep(uint64_t block, absl::Span<const std::byte> bytes) {
  sync::MutexLock lock(mutex_);
  const auto [found, is_new] = changes_.try_emplace(block, changes_.size());
  absl::Status status;
  try {
    status = store_->Write(found->second, bytes);
  } catch (const std::bad_alloc&) {
    status = absl::Status(absl::StatusCode::kResourceExhausted, "");
  }
  // It was the last number, so that the next block takes that.
  if (!status.ok() && is_new) changes_.erase(found);
  return status;
}

// ---- The changes ----------------------------------------------------------------------------------

uint64_t OverlayDevice::changed_blocks() const {
  sync::MutexLock lock(mutex_);
  return changes_.size();
}

std::vector<uint64_t> OverlayDevice::ChangesInOrder() const {
  std::vector<uint64_t> blocks;
  {
    sync::MutexLock lock(mutex_);
    blocks.reserve(changes_.size());
    for (const auto& change : changes_) blocks.push_back(change.first);
  }
  std::sort(blocks.begin(), blocks.end());
  return blocks;
}

absl::Status OverlayDevice::ForEachChange(
    absl::FunctionRef<absl::Status(uint64_t, absl::Span<const std::byte>)> tell) {
  BlockBuffer buffer;
  for (const uint64_t block : ChangesInOrder()) {
    const absl::StatusOr<bool> changed = LoadChange(block, absl::MakeSpan(buffer));
    if (!changed.ok()) return changed.status();
    if (!*changed) continue;  // discarded meanwhile
    absl::Status status =
        tell(block * kBlockBytes, absl::MakeConstSpan(buffer).subspan(0, LengthOf(block)));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status OverlayDevice::Apply(BlockDevice& target,
                                  absl::FunctionRef<bool(uint64_t offset)> wanted) {
  if (target.size_bytes() < size_bytes()) {
    return absl::InvalidArgumentError(absl::StrCat(target.name(), ": has ", target.size_bytes(),
                                                   " bytes, and not the ", size_bytes(), " of ",
                                                   name()));
  }
  try {
    std::vector<uint64_t> blocks = ChangesInOrder();
    const auto unwanted = std::remove_if(
        blocks.begin(), blocks.end(), [&](uint64_t block) { return !wanted(block * kBlockBytes); });
    blocks.erase(unwanted, blocks.end());
    for (size_t first = 0; first < blocks.size(); first += kBatch) {
      const auto batch = absl::MakeConstSpan(blocks).subspan(first, kBatch);
      if (absl::Status status = ApplyBatch(target, batch); !status.ok()) return status;
    }
  } catch (const std::bad_alloc&) {
    return absl::Status(absl::StatusCode::kResourceExhausted, "");
  }
  return target.Flush();
}

absl::Status OverlayDevice::ApplyBatch(BlockDevice& target, absl::Span<const uint64_t> blocks) {
  std::vector<std::byte> bytes(blocks.size() * kBlockBytes);
  std::vector<DeviceWrite> writes;
  for (const uint64_t block : blocks) {
    const absl::Span<std::byte> buffer =
        absl::MakeSpan(bytes).subspan(writes.size() * kBlockBytes, kBlockBytes);
    const absl::StatusOr<bool> changed = LoadChange(block, buffer);
    if (!changed.ok()) return changed.status();
    if (!*changed) continue;  // discarded meanwhile
    writes.push_back(
        {.offset = block * kBlockBytes, .segments = {buffer.subspan(0, LengthOf(block))}});
  }
  target.WriteCached(absl::MakeSpan(writes));
  for (const DeviceWrite& write : writes) {
    if (write.status.ok()) continue;
    return absl::Status(write.status.code(), absl::StrCat(target.name(), ": at ", write.offset,
                                                          ": ", write.status.message()));
  }
  return absl::OkStatus();
}

absl::Status OverlayDevice::Discard() {
  sync::MutexLock write_lock(write_mutex_);
  sync::MutexLock lock(mutex_);
  changes_.clear();
  return store_->Clear();
}

}  // namespace ebcache
