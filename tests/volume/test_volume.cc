#include "tests/volume/test_volume.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace ebcache::testing {

TestVolume::TestVolume(const Shape& shape)
    : chunk_(SoundChunk(shape.profile, kLogical, kChunkBytes, shape.stripes)) {
  uint64_t count = 0;
  for (const ChunkStripe& stripe : chunk_.stripes) count = std::max(count, stripe.device_id);
  Superblock sb = SoundSuperblock();
  sb.num_devices = count;
  sb.system_chunk_array = SystemChunkArrayOf({chunk_});
  std::vector<std::unique_ptr<BlockDevice>> present;
  for (uint64_t id = 1; id <= count; ++id) {
    auto device =
        std::make_unique<MemoryDevice>(absl::StrCat("disk", id, ".img"), uint64_t{1} << 30);
    sb.device.id = id;
    sb.device.uuid = DeviceUuid(id);
    device->Store(kSuperblockOffsets[0], SuperblockBytes(sb, kSuperblockOffsets[0]));
    device->Store(kSuperblockOffsets[1], SuperblockBytes(sb, kSuperblockOffsets[1]));
    devices_.push_back(device.get());
    const bool missing =
        std::find(shape.missing.begin(), shape.missing.end(), id) != shape.missing.end();
    std::unique_ptr<BlockDevice> wrapped = std::move(device);
    if (shape.wrap) wrapped = shape.wrap(std::move(wrapped));
    (missing ? missing_ : present).push_back(std::move(wrapped));
  }
  auto on_damage = [this, tell = shape.on_damage](const MirrorDamage& damage) {
    {
      std::lock_guard lock(mutex_);
      damage_.push_back(absl::StrCat(damage.logical, ": ", damage.ToString(), " (",
                                     damage.recovered ? "recovered" : "lost",
                                     damage.repaired ? ", repaired" : "", ")"));
    }
    if (tell) tell(damage);
  };
  auto volume =
      Volume::Open(std::move(present), {.writable = shape.writable, .on_damage = on_damage});
  EXPECT_TRUE(volume.ok()) << volume.status();
  volume_ = *std::move(volume);
}

MemoryDevice& TestVolume::DeviceOf(int mirror) {
  return device(chunk_.stripes[mirror - 1].device_id);
}

uint64_t TestVolume::PhysicalOf(int mirror, uint64_t logical) const {
  return chunk_.stripes[mirror - 1].physical + logical - kLogical;
}

void TestVolume::Store(uint64_t logical, const Bytes& block) {
  for (int mirror = 1; mirror <= chunk_.copies(); ++mirror) StoreCopy(mirror, logical, block);
}

absl::Status TestVolume::Read(ExtentBuffer& buffer, const ParentCheck* check) {
  BlockRead read{.buffer = &buffer, .check = check, .status = absl::UnknownError("not set")};
  volume_->Read(absl::MakeSpan(&read, 1));
  return read.status;
}

absl::Status TestVolume::Write(const ExtentBuffer& buffer) {
  BlockWrite write{.buffer = &buffer, .status = absl::UnknownError("not set")};
  volume_->Write(absl::MakeSpan(&write, 1));
  return write.status;
}

std::vector<std::string> TestVolume::damage() {
  std::lock_guard lock(mutex_);
  return damage_;
}

Bytes BlockAt(uint64_t logical, uint64_t generation) {
  return LeafBytes({.bytenr = logical, .generation = generation},
                   {{{256, kStringItemType, logical}, absl::StrCat("block ", logical)}});
}

}  // namespace ebcache::testing
