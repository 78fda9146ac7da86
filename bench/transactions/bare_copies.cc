#include "bench/transactions/bare_copies.h"

#include <absl/strings/str_cat.h>
#include <benchmark/benchmark.h>
#include <isa-l/crc.h>
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <memory>

#include "ebcache/block_device.h"
#include "ebcache/btree.h"
#include "ebcache/filesystem.h"
#include "ebcache/on_disk.h"

namespace ebcache::bench {
namespace {

// Blocks that are under way together: they stay in the processor's cache.
constexpr size_t kBatch = 64;

double Now(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

class Copier {
 public:
  Copier(BlockDevice* device, const BareCopies& work)
      : device_(*device),
        work_(work),
        bytes_(kBatch * work.block_bytes),
        front_(device->size_bytes() / 2 / work.block_bytes * work.block_bytes),
        at_(front_) {}

  absl::Status Run() {
    for (uint64_t commit = 1; commit <= work_.commits; ++commit) {
      const uint64_t end = work_.blocks * commit / work_.commits;
      while (done_ < end) {
        const absl::Status status = Batch(std::min<uint64_t>(kBatch, end - done_));
        if (!status.ok()) return status;
      }
      if (absl::Status status = Commit(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  absl::Span<std::byte> Block(size_t i) {
    return absl::MakeSpan(bytes_).subspan(i * work_.block_bytes, work_.block_bytes);
  }
  void MakeChecksum(size_t i) {
    auto* bytes = reinterpret_cast<unsigned char*>(Block(i).data());
    const int length = static_cast<int>(work_.block_bytes - kMaxChecksumBytes);
    const uint32_t checksum = ~crc32_iscsi(bytes + kMaxChecksumBytes, length, ~uint32_t{0});
    benchmark::DoNotOptimize(checksum);
  }

  absl::Status Batch(size_t count) {
    if (!work_.places.empty()) {
      std::vector<DeviceRead> reads(count);
      for (size_t i = 0; i < count; ++i) {
        reads[i].offset = work_.places[(done_ + i) % work_.places.size()];
        reads[i].segments = {Block(i)};
      }
      device_.ReadEach(absl::MakeSpan(reads), [this](size_t i) { MakeChecksum(i); });
      for (const DeviceRead& read : reads) {
        if (!read.status.ok()) return read.status;
      }
    }
    if (at_ + count * work_.block_bytes > device_.size_bytes()) at_ = front_;
    std::vector<DeviceWrite> writes(count);
    for (size_t i = 0; i < count; ++i) {
      MakeChecksum(i);
      writes[i].offset = at_ + i * work_.block_bytes;
      writes[i].segments = {Block(i)};
    }
    device_.WriteCached(absl::MakeSpan(writes));
    for (const DeviceWrite& write : writes) {
      if (!write.status.ok()) return write.status;
    }
    at_ += count * work_.block_bytes;
    done_ += count;
    return absl::OkStatus();
  }

  // Nothing is to be changed that leads to anything: a superblock's bytes are written where they
  // come from.
  absl::Status Commit() {
    if (absl::Status status = device_.Flush(); !status.ok()) return status;
    std::vector<std::byte> superblock(kSuperblockBytes);
    DeviceRead read{.offset = kSuperblockOffsets[0], .segments = {absl::MakeSpan(superblock)}};
    device_.Read(absl::MakeSpan(&read, 1));
    if (!read.status.ok()) return read.status;
    DeviceWrite write{.offset = read.offset, .segments = {absl::MakeConstSpan(superblock)}};
    device_.Write(absl::MakeSpan(&write, 1));
    if (!write.status.ok()) return write.status;
    return device_.Flush();
  }

  BlockDevice& device_;
  const BareCopies& work_;
  std::vector<std::byte> bytes_;
  const uint64_t front_;
  uint64_t at_;
  uint64_t done_ = 0;
};

class PlaceCollector : public TreeVisitor {
 public:
  explicit PlaceCollector(const Volume* volume) : volume_(*volume) {}

  bool VisitBlock(const TreeRoot&, const ExtentBuffer& block) override {
    const auto copies = volume_.Map(block.start(), block.length());
    if (copies.ok()) {
      places.push_back((*copies)[0].place.offset);
    } else {
      status.Update(copies.status());
    }
    return true;
  }
  void VisitDamage(const WalkDamage& damage) override {
    status.Update(absl::DataLossError(damage.ToString()));
  }

  std::vector<uint64_t> places;
  absl::Status status;

 private:
  const Volume& volume_;
};

}  // namespace

absl::StatusOr<BareSeconds> SecondsOf(const std::string& path, const BareCopies& work) {
  const double begin = Now(CLOCK_MONOTONIC);
  const double processor_begin = Now(CLOCK_PROCESS_CPUTIME_ID);
  absl::StatusOr<std::unique_ptr<BlockDevice>> device = OpenFileDevice(path, {.writable = true});
  if (!device.ok()) return device.status();
  absl::Status status = Copier(device->get(), work).Run();
  if (!status.ok()) return status;
  device->reset();
  return BareSeconds{.wall = Now(CLOCK_MONOTONIC) - begin,
                     .processor = Now(CLOCK_PROCESS_CPUTIME_ID) - processor_begin};
}

absl::StatusOr<std::vector<uint64_t>> PlacesOfBlocks(const std::string& path) {
  const auto filesystem = Filesystem::Open({path});
  if (!filesystem.ok()) return filesystem.status();
  PlaceCollector collector(&(*filesystem)->volume());
  std::vector<WalkDamage> damage;
  for (const TreeRoot& tree : (*filesystem)->Trees(&damage)) {
    WalkTree((*filesystem)->cache(), tree, collector);
  }
  for (const WalkDamage& of_roots : damage) collector.VisitDamage(of_roots);
  if (!collector.status.ok()) return collector.status;
  return std::move(collector.places);
}

}  // namespace ebcache::bench
