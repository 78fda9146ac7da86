// Cached writes and flushes: what a device does that has neither, and what stands before one that
// has them.

#include <absl/status/status.h>
#include <absl/types/span.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/block_device.h"
#include "tests/fs/sample_device.h"
#include "tests/support/faulty_device.h"

namespace ebcache::testing {
namespace {

// Writes what it is asked to do into a list.
class ListingDevice : public BlockDevice {
 public:
  explicit ListingDevice(std::vector<std::string>* calls) : calls_(calls) {}

  const std::string& name() const override { return name_; }
  uint64_t size_bytes() const override { return 4096; }
  void Read(absl::Span<DeviceRead>) override { calls_->push_back("read"); }
  void Write(absl::Span<DeviceWrite> writes) override {
    calls_->push_back("write");
    for (DeviceWrite& write : writes) write.status = absl::OkStatus();
  }

 protected:
  std::vector<std::string>* const calls_;

 private:
  const std::string name_ = "listing";
};

class OrderedDevice : public ListingDevice {
 public:
  using ListingDevice::ListingDevice;
  void WriteCached(absl::Span<DeviceWrite> writes) override {
    calls_->push_back("cached");
    for (DeviceWrite& write : writes) write.status = absl::OkStatus();
  }
  absl::Status Flush() override {
    calls_->push_back("flush");
    return absl::UnavailableError("a flush that fails");
  }
};

TEST(OrderedDevice, OneWithoutEitherWritesAtOnce) {
  std::vector<std::string> calls;
  ListingDevice device(&calls);
  std::vector<DeviceWrite> writes(2);
  device.WriteCached(absl::MakeSpan(writes));
  EXPECT_EQ(writes[1].status, absl::OkStatus());
  EXPECT_EQ(device.Flush(), absl::OkStatus());
  EXPECT_EQ(calls, std::vector<std::string>{"write"});
}

// What stands before a device and forgets one of them loses the order of all that is behind it.
TEST(OrderedDevice, ThoseThatStandBeforeOnePassBothOn) {
  std::vector<std::string> calls;
  OrderedDevice behind(&calls);
  BorrowedDevice borrowed(&behind);
  FaultyDevice faulty(std::make_unique<BorrowedDevice>(&behind));
  for (BlockDevice* device :
       {static_cast<BlockDevice*>(&borrowed), static_cast<BlockDevice*>(&faulty)}) {
    calls.clear();
    DeviceWrite write;
    device->WriteCached(absl::MakeSpan(&write, 1));
    EXPECT_EQ(write.status, absl::OkStatus());
    EXPECT_EQ(device->Flush(), absl::UnavailableError("a flush that fails"));
    device->Write(absl::MakeSpan(&write, 1));
    EXPECT_EQ(calls, (std::vector<std::string>{"cached", "flush", "write"}));
  }
}

TEST(OrderedDevice, OneThatHasDisappearedTakesNothing) {
  std::vector<std::string> calls;
  OrderedDevice behind(&calls);
  FaultyDevice faulty(std::make_unique<BorrowedDevice>(&behind));
  faulty.FailAt(0, 4096, Fault::kDisappeared);
  DeviceRead read;
  std::byte byte{};
  read.segments.push_back({&byte, 1});
  faulty.Read(absl::MakeSpan(&read, 1));
  DeviceWrite write;
  faulty.WriteCached(absl::MakeSpan(&write, 1));
  EXPECT_TRUE(absl::IsUnavailable(write.status));
  EXPECT_EQ(faulty.Flush(), absl::UnavailableError("read error: No such device"));
  EXPECT_EQ(calls, std::vector<std::string>());
}

}  // namespace
}  // namespace ebcache::testing
