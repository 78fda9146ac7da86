#include "tests/support/faulty_device.h"

#include <absl/status/status.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

namespace ebcache::testing {
namespace {

// Writes reach a disk in sectors: a block is torn between two of them.
constexpr uint64_t kDiskSectorBytes = 512;

uint64_t LengthOf(const DeviceRead& read) {
  uint64_t bytes = 0;
  for (absl::Span<std::byte> segment : read.segments) bytes += segment.size();
  return bytes;
}

// The pieces of a transfer from its byte `from` on.
MutableSegments From(const MutableSegments& segments, uint64_t from) {
  MutableSegments rest;
  for (absl::Span<std::byte> segment : segments) {
    const uint64_t skip = std::min<uint64_t>(from, segment.size());
    if (skip < segment.size()) rest.push_back(segment.subspan(skip));
    from -= skip;
  }
  return rest;
}

void Fill(const MutableSegments& segments, int value) {
  for (absl::Span<std::byte> segment : segments) std::memset(segment.data(), value, segment.size());
}

absl::Status Gone() { return absl::UnavailableError("read error: No such device"); }

}  // namespace

// Drawn under the lock; carried out without it.
struct FaultyDevice::Plan {
  std::optional<Fault> fault;
  uint64_t at = 0;  // the byte of the transfer that it is about
  int bit = 0;
  BlockDevice* past = nullptr;
  std::function<void()> wait;
};

std::string_view FaultName(Fault fault) {
  constexpr std::array<std::string_view, kFaults> kNames = {
      "ReadError", "ShortRead", "TornBlock", "StaleBlock", "SilentFlip", "Slow", "Disappeared"};
  return kNames[static_cast<size_t>(fault)];
}

void FaultyDevice::FailAt(uint64_t offset, uint64_t length, Fault fault) {
  std::lock_guard lock(mutex_);
  places_.push_back({offset, offset + length, fault});
}

void FaultyDevice::FailAtRandom(uint64_t seed, uint32_t one_in, std::vector<Fault> faults) {
  std::lock_guard lock(mutex_);
  random_.seed(seed);
  one_in_ = one_in;
  random_faults_ = std::move(faults);
}

void FaultyDevice::Mend() {
  std::lock_guard lock(mutex_);
  places_.clear();
  one_in_ = 0;
  disappeared_ = false;
}

void FaultyDevice::set_past(BlockDevice* past) {
  std::lock_guard lock(mutex_);
  past_ = past;
}

void FaultyDevice::set_wait(std::function<void()> wait) {
  std::lock_guard lock(mutex_);
  wait_ = std::move(wait);
}

uint64_t FaultyDevice::injected(Fault fault) const {
  std::lock_guard lock(mutex_);
  return injected_[static_cast<size_t>(fault)];
}

uint64_t FaultyDevice::reads() const {
  std::lock_guard lock(mutex_);
  return reads_;
}

FaultyDevice::Plan FaultyDevice::PlanFor(const DeviceRead& read) {
  std::lock_guard lock(mutex_);
  ++reads_;
  Plan plan{.past = past_, .wait = wait_};
  const uint64_t length = LengthOf(read);
  if (disappeared_) {
    plan.fault = Fault::kDisappeared;
  } else {
    for (const Place& place : places_) {
      if (read.offset < place.end && place.begin < read.offset + length) plan.fault = place.fault;
    }
    if (!plan.fault && one_in_ != 0 && random_() % one_in_ == 0) {
      plan.fault = random_faults_[random_() % random_faults_.size()];
    }
  }
  if (!plan.fault) return plan;
  ++injected_[static_cast<size_t>(*plan.fault)];
  disappeared_ |= plan.fault == Fault::kDisappeared;
  if (plan.fault == Fault::kSilentFlip) {
    plan.at = length == 0 ? 0 : random_() % length;
    plan.bit = static_cast<int>(random_() % 8);
  } else {
    const uint64_t sectors = std::max<uint64_t>(length / kDiskSectorBytes, 2);
    plan.at = (1 + random_() % (sectors - 1)) * kDiskSectorBytes;
  }
  return plan;
}

void FaultyDevice::ReadWithFault(DeviceRead& read, const Plan& plan) {
  if (plan.fault == Fault::kDisappeared) {
    read.status = Gone();
    return;
  }
  if (plan.fault == Fault::kSlow) {
    plan.wait ? plan.wait() : std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  device_->Read(absl::MakeSpan(&read, 1));
  if (!read.status.ok()) return;
  switch (*plan.fault) {
    case Fault::kReadError:
      Fill(read.segments, 0xee);  // what is in the memory then is anybody's guess
      read.status = absl::UnavailableError("read error: Input/output error");
      break;
    case Fault::kShortRead:
      Fill(From(read.segments, plan.at), 0xee);
      read.status = absl::UnavailableError("read ended early");
      break;
    case Fault::kTornBlock:
    case Fault::kStaleBlock: {
      const uint64_t from = plan.fault == Fault::kTornBlock ? plan.at : 0;
      DeviceRead rest{.offset = read.offset + from, .segments = From(read.segments, from)};
      Fill(rest.segments, 0);
      if (plan.past != nullptr) plan.past->Read(absl::MakeSpan(&rest, 1));
      break;
    }
    case Fault::kSilentFlip:
      From(read.segments, plan.at)[0][0] ^= std::byte(1 << plan.bit);
      break;
    case Fault::kSlow:
    case Fault::kDisappeared:
      break;
  }
}

void FaultyDevice::Read(absl::Span<DeviceRead> reads) {
  for (DeviceRead& read : reads) {
    const Plan plan = PlanFor(read);
    if (plan.fault) {
      ReadWithFault(read, plan);
    } else {
      device_->Read(absl::MakeSpan(&read, 1));
    }
  }
}

bool FaultyDevice::IsGone(absl::Span<DeviceWrite> writes) {
  std::lock_guard lock(mutex_);
  if (!disappeared_) return false;
  for (DeviceWrite& write : writes) write.status = Gone();
  return true;
}

void FaultyDevice::Write(absl::Span<DeviceWrite> writes) {
  if (!IsGone(writes)) device_->Write(writes);
}

void FaultyDevice::WriteCached(absl::Span<DeviceWrite> writes) {
  if (!IsGone(writes)) device_->WriteCached(writes);
}

absl::Status FaultyDevice::Flush() { return IsGone({}) ? Gone() : device_->Flush(); }

}  // namespace ebcache::testing
