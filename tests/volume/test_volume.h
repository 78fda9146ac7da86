// A volume on devices made of memory, with one system chunk for its blocks.

#ifndef EBCACHE_TESTS_VOLUME_TEST_VOLUME_H_
#define EBCACHE_TESTS_VOLUME_TEST_VOLUME_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ebcache/volume.h"
#include "tests/device/memory_device.h"
#include "tests/format/format_bytes.h"

namespace ebcache::testing {

// Devices are called disk1.img, disk2.img, ... and have those numbers as ids. Blocks lie in
// [kLogical, kLogical + 8 MiB); SoundChunk says where on the devices.
class TestVolume {
 public:
  static constexpr uint64_t kLogical = 22020096;
  static constexpr uint64_t kChunkBytes = uint64_t{8} << 20;

  struct Shape {
    RaidProfile profile = RaidProfile::kDup;
    size_t stripes = 0;  // the smallest number that does
    bool writable = false;
    std::vector<uint64_t> missing;  // ids of devices not to give to the volume
    // Told of damage, besides damage().
    std::function<void(const MirrorDamage&)> on_damage;
    // Puts something around a device before the volume gets it.
    std::function<std::unique_ptr<BlockDevice>(std::unique_ptr<BlockDevice>)> wrap;
  };

  explicit TestVolume(const Shape& shape);

  Volume& volume() { return *volume_; }
  MemoryDevice& device(uint64_t id) { return *devices_[id - 1]; }

  // Where mirror `mirror` (from 1) of a block is. REQUIRES: a profile without stripes.
  MemoryDevice& DeviceOf(int mirror);
  uint64_t PhysicalOf(int mirror, uint64_t logical) const;

  // Puts a block on all its copies, or on one.
  void Store(uint64_t logical, const Bytes& block);
  void StoreCopy(int mirror, uint64_t logical, const Bytes& block) {
    DeviceOf(mirror).Store(PhysicalOf(mirror, logical), block);
  }
  // The bytes of one copy.
  Bytes LoadCopy(int mirror, uint64_t logical) {
    return DeviceOf(mirror).Load(PhysicalOf(mirror, logical), 16384);
  }
  // Changes a byte of one copy.
  void Damage(int mirror, uint64_t logical) {
    DeviceOf(mirror).Flip(PhysicalOf(mirror, logical) + 5000);
  }

  // Reads one block into a buffer.
  absl::Status Read(ExtentBuffer& buffer, const ParentCheck* check = nullptr);
  absl::Status Write(const ExtentBuffer& buffer);

  // What on_damage was told, as texts: "LOGICAL: MIRROR TEXT (recovered, repaired)".
  std::vector<std::string> damage();

 private:
  const Chunk chunk_;
  std::vector<MemoryDevice*> devices_;  // by id - 1; the volume's, or in missing_
  std::vector<std::unique_ptr<BlockDevice>> missing_;
  std::mutex mutex_;
  std::vector<std::string> damage_;
  std::unique_ptr<Volume> volume_;
};

// A leaf with one item of generation `generation`, as it should be at `logical`.
Bytes BlockAt(uint64_t logical, uint64_t generation = 7);

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_VOLUME_TEST_VOLUME_H_
