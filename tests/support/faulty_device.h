// A device with something wrong with it.

#ifndef EBCACHE_TESTS_SUPPORT_FAULTY_DEVICE_H_
#define EBCACHE_TESTS_SUPPORT_FAULTY_DEVICE_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "ebcache/block_device.h"

namespace ebcache::testing {

enum class Fault : uint8_t {
  kReadError,    // EIO
  kShortRead,    // the front arrives, then the device says no more
  kTornBlock,    // the front is of now, the rest of the past: a write that was cut off
  kStaleBlock,   // all of it is of the past: a write that never arrived
  kSilentFlip,   // one bit is another
  kSlow,         // right, but late
  kDisappeared,  // the whole device is gone, from this read on
};
inline constexpr int kFaults = 7;
std::string_view FaultName(Fault fault);

// Passes everything on to `device`, but for the faults that were asked for. They do not change
// what is on the device: the same read without the fault is right again.
//
// Thread safety: all methods from any thread.
class FaultyDevice : public BlockDevice {
 public:
  explicit FaultyDevice(std::unique_ptr<BlockDevice> device) : device_(std::move(device)) {}

  // Every read that touches [offset, offset + length) has this fault.
  void FailAt(uint64_t offset, uint64_t length, Fault fault);
  // One read in `one_in`, drawn at random from the seed, has a fault drawn from `faults`.
  void FailAtRandom(uint64_t seed, uint32_t one_in, std::vector<Fault> faults);
  // No more faults; a device that had disappeared is back.
  void Mend();

  // What was on this device before; null, as at first: zeroes. Must outlive this one.
  void set_past(BlockDevice* past);
  // What a slow read waits for; at first, a millisecond.
  void set_wait(std::function<void()> wait);

  // How many reads had this fault.
  uint64_t injected(Fault fault) const;
  uint64_t reads() const;

  const std::string& name() const override { return device_->name(); }
  uint64_t size_bytes() const override { return device_->size_bytes(); }
  void Read(absl::Span<DeviceRead> reads) override;
  void Write(absl::Span<DeviceWrite> writes) override;
  void WriteCached(absl::Span<DeviceWrite> writes) override;
  absl::Status Flush() override;

 private:
  struct Place {
    uint64_t begin;
    uint64_t end;
    Fault fault;
  };
  struct Plan;  // what is to happen to one read

  // Whether it is; then all writes are told so.
  bool IsGone(absl::Span<DeviceWrite> writes);
  Plan PlanFor(const DeviceRead& read);
  void ReadWithFault(DeviceRead& read, const Plan& plan);

  const std::unique_ptr<BlockDevice> device_;
  mutable std::mutex mutex_;  // guards all that follows
  std::vector<Place> places_;
  std::mt19937_64 random_;
  uint32_t one_in_ = 0;  // 0: none at random
  std::vector<Fault> random_faults_;
  bool disappeared_ = false;
  BlockDevice* past_ = nullptr;
  std::function<void()> wait_;
  std::array<uint64_t, kFaults> injected_{};
  uint64_t reads_ = 0;
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_SUPPORT_FAULTY_DEVICE_H_
