// A BlockDevice made of memory, whose transfers a test can watch and fail.

#ifndef EBCACHE_TESTS_DEVICE_MEMORY_DEVICE_H_
#define EBCACHE_TESTS_DEVICE_MEMORY_DEVICE_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/block_device.h"

namespace ebcache::testing {

// Sparse: only pages that were written take memory, so a device may be as large as a test likes.
// Thread safety: all methods from any thread.
class MemoryDevice : public BlockDevice {
 public:
  MemoryDevice(std::string name, uint64_t size_bytes)
      : name_(std::move(name)), size_bytes_(size_bytes) {}

  // ---- What tests do to it ----------------------------------------------------------------------

  // Bytes as they are on the device. REQUIRES: the range is on it.
  void Store(uint64_t offset, absl::Span<const std::byte> bytes) {
    std::lock_guard lock(mutex_);
    StoreLocked(offset, bytes);
  }
  std::vector<std::byte> Load(uint64_t offset, size_t length) {
    std::lock_guard lock(mutex_);
    std::vector<std::byte> bytes(length);
    LoadLocked(offset, absl::MakeSpan(bytes));
    return bytes;
  }
  // Changes a byte.
  void Flip(uint64_t offset) {
    std::vector<std::byte> byte = Load(offset, 1);
    byte[0] ^= std::byte{0x40};
    Store(offset, byte);
  }

  // Read number `n` from now fails, counting from 1; 0: none.
  void FailRead(uint64_t n) {
    std::lock_guard lock(mutex_);
    reads_until_failure_ = n;
  }
  // Every transfer that touches [offset, offset + length) fails, as bad sectors do.
  void FailReadsAt(uint64_t offset, uint64_t length) { AddBad(bad_reads_, offset, length); }
  void FailWritesAt(uint64_t offset, uint64_t length) { AddBad(bad_writes_, offset, length); }
  // What the ways for transfers to fail give instead of their own errors; OK: those again.
  void set_read_error(absl::Status error) {
    std::lock_guard lock(mutex_);
    read_error_ = std::move(error);
  }
  void set_write_error(absl::Status error) {
    std::lock_guard lock(mutex_);
    write_error_ = std::move(error);
  }
  // `count` reads, from number `first` from now, counting from 1, find no memory; 0: none.
  void set_out_of_memory(uint64_t first, uint64_t count) {
    std::lock_guard lock(mutex_);
    reads_from_now_ = 0;
    first_out_of_memory_ = first;
    end_out_of_memory_ = first + count;
    was_out_of_memory_ = false;
  }
  bool was_out_of_memory() const { return Locked(was_out_of_memory_); }
  // From now on no sector is bad.
  void Heal() {
    std::lock_guard lock(mutex_);
    bad_reads_.clear();
    bad_writes_.clear();
  }
  void set_read_only(bool read_only) {
    std::lock_guard lock(mutex_);
    read_only_ = read_only;
  }

  // Offsets of all reads and writes, in the order in which they were asked for.
  std::vector<uint64_t> reads() const { return Locked(reads_); }
  std::vector<uint64_t> writes() const { return Locked(writes_); }
  // How many reads each call of Read had.
  std::vector<size_t> read_batches() const { return Locked(read_batches_); }

  // ---- BlockDevice ------------------------------------------------------------------------------

  const std::string& name() const override { return name_; }
  uint64_t size_bytes() const override { return size_bytes_; }

  void Read(absl::Span<DeviceRead> reads) override {
    std::lock_guard lock(mutex_);
    read_batches_.push_back(reads.size());
    for (DeviceRead& read : reads) {
      reads_.push_back(read.offset);
      const bool fails = reads_until_failure_ != 0 && --reads_until_failure_ == 0;
      read.status = fails ? absl::UnavailableError("injected read error")
                          : Check(read.offset, Bytes(read.segments), bad_reads_);
      if (absl::IsUnavailable(read.status) && !read_error_.ok()) read.status = read_error_;
      if (++reads_from_now_ >= first_out_of_memory_ && reads_from_now_ < end_out_of_memory_) {
        was_out_of_memory_ = true;
        read.status = absl::ResourceExhaustedError("no memory now");
      }
      if (!read.status.ok()) continue;
      uint64_t offset = read.offset;
      for (absl::Span<std::byte> segment : read.segments) {
        LoadLocked(offset, segment);
        offset += segment.size();
      }
    }
  }

  void Write(absl::Span<DeviceWrite> writes) override {
    std::lock_guard lock(mutex_);
    for (DeviceWrite& write : writes) {
      writes_.push_back(write.offset);
      write.status = read_only_ ? absl::PermissionDeniedError("opened read-only")
                                : Check(write.offset, Bytes(write.segments), bad_writes_);
      if (absl::IsUnavailable(write.status) && !write_error_.ok()) write.status = write_error_;
      if (!write.status.ok()) continue;
      uint64_t offset = write.offset;
      for (absl::Span<const std::byte> segment : write.segments) {
        StoreLocked(offset, segment);
        offset += segment.size();
      }
    }
  }

 private:
  static constexpr uint64_t kPageBytes = 4096;
  using Page = std::array<std::byte, kPageBytes>;
  using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;

  template <typename Segments>
  static uint64_t Bytes(const Segments& segments) {
    uint64_t bytes = 0;
    for (const auto& segment : segments) bytes += segment.size();
    return bytes;
  }

  void AddBad(Ranges& ranges, uint64_t offset, uint64_t length) {
    std::lock_guard lock(mutex_);
    ranges.emplace_back(offset, offset + length);
  }

  template <typename T>
  T Locked(const T& value) const {
    std::lock_guard lock(mutex_);
    return value;
  }

  absl::Status Check(uint64_t offset, uint64_t length, const Ranges& bad) const {
    if (offset > size_bytes_ || length > size_bytes_ - offset) {
      return absl::OutOfRangeError("outside of the device");
    }
    for (const auto& [begin, end] : bad) {
      if (offset < end && begin < offset + length) return absl::UnavailableError("bad sector");
    }
    return absl::OkStatus();
  }

  void StoreLocked(uint64_t offset, absl::Span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const uint64_t within = offset % kPageBytes;
      const size_t run = std::min<size_t>(bytes.size(), kPageBytes - within);
      Page& page = pages_[offset / kPageBytes];
      std::copy_n(bytes.begin(), run, page.begin() + within);
      bytes.remove_prefix(run);
      offset += run;
    }
  }

  void LoadLocked(uint64_t offset, absl::Span<std::byte> bytes) const {
    while (!bytes.empty()) {
      const uint64_t within = offset % kPageBytes;
      const size_t run = std::min<size_t>(bytes.size(), kPageBytes - within);
      const auto page = pages_.find(offset / kPageBytes);
      if (page == pages_.end()) {
        std::fill_n(bytes.begin(), run, std::byte{0});
      } else {
        std::copy_n(page->second.begin() + within, run, bytes.begin());
      }
      bytes.remove_prefix(run);
      offset += run;
    }
  }

  const std::string name_;
  const uint64_t size_bytes_;
  mutable std::mutex mutex_;  // guards all that follows
  std::map<uint64_t, Page> pages_;
  uint64_t reads_until_failure_ = 0;
  Ranges bad_reads_;
  absl::Status read_error_;
  absl::Status write_error_;
  uint64_t reads_from_now_ = 0;
  uint64_t first_out_of_memory_ = 0;
  uint64_t end_out_of_memory_ = 0;
  bool was_out_of_memory_ = false;
  Ranges bad_writes_;
  bool read_only_ = false;
  std::vector<uint64_t> reads_;
  std::vector<uint64_t> writes_;
  std::vector<size_t> read_batches_;
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_DEVICE_MEMORY_DEVICE_H_
