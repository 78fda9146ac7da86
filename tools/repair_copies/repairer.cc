#include "tools/repair_copies/repairer.h"

#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <cstddef>
#include <utility>

#include "ebcache/block_device.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/on_disk.h"
#include "ebcache/volume.h"

namespace ebcache::tools {
namespace {

// One block at a time, in buffers of no cache.
class Repairer {
 public:
  explicit Repairer(Filesystem& filesystem)
      : volume_(filesystem.volume()),
        buffers_({.node_bytes = filesystem.superblock().node_bytes, .budget_bytes = 0}),
        bytes_(filesystem.superblock().node_bytes) {}

  absl::Status Repair(const DamagedCopy& copy) {
    const uint64_t logical = copy.copy.logical;
    const absl::StatusOr<ExtentBufferRef> good = buffers_.CreateDummy(logical);
    if (!good.ok()) return good.status();
    absl::Status status = volume_.ReadCopy(**good, *copy.good_mirror, nullptr);
    if (!status.ok()) return status;
    const ParentCheck check = CheckOf(**good);
    // What was read on the way here may have repaired it.
    if (Check(logical, copy.copy.mirror, check).ok()) return absl::OkStatus();
    status = (*good)->Read(0, absl::MakeSpan(bytes_));
    if (status.ok()) status = Write(logical, copy.copy.mirror);
    return status.ok() ? Check(logical, copy.copy.mirror, check) : status;
  }

 private:
  // What the good copy says of itself, for the other one to be the same.
  static ParentCheck CheckOf(const ExtentBuffer& block) {
    const Header header(block);
    ParentCheck check{.level = header.level(),
                      .generation = header.generation(),
                      .owner = header.owner(),
                      .first_key = {}};
    if (header.item_count() > 0) check.first_key = LoadKey(block, kHeaderBytes);
    return check;
  }

  absl::Status Check(uint64_t logical, int mirror, const ParentCheck& check) {
    const absl::StatusOr<ExtentBufferRef> buffer = buffers_.CreateDummy(logical);
    return buffer.ok() ? volume_.ReadCopy(**buffer, mirror, &check) : buffer.status();
  }

  absl::Status Write(uint64_t logical, int mirror) {
    const absl::StatusOr<std::vector<PhysicalExtent>> places = volume_.Map(logical, bytes_.size());
    if (!places.ok()) return places.status();
    const size_t number = static_cast<size_t>(mirror) - 1;
    if (number >= places->size() || (*places)[number].device == nullptr) {
      return absl::UnavailableError("its device is missing");
    }
    const PhysicalExtent& place = (*places)[number];
    DeviceWrite write;
    write.offset = place.place.offset;
    write.segments.push_back(absl::MakeConstSpan(bytes_));
    place.device->WriteCached({&write, 1});
    return write.status;
  }

  const Volume& volume_;
  BufferCache buffers_;
  std::vector<std::byte> bytes_;
};

}  // namespace

absl::Status RepairCopies(Filesystem& filesystem, absl::FunctionRef<bool(uint64_t)> stop,
                          std::vector<RepairedCopy>& copies) {
  Repairer repairer(filesystem);
  uint64_t done = 0;
  for (RepairedCopy& copy : copies) {
    if (stop(done)) break;
    if (!copy.damaged.good_mirror) continue;
    const absl::Status status = repairer.Repair(copy.damaged);
    copy.repaired = status.ok();
    copy.why_not = std::string(status.message());
    ++done;
  }
  return filesystem.volume().Flush();
}

}  // namespace ebcache::tools
