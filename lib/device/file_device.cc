// BlockDevice by io_uring, preadv and pwritev.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "ebcache/block_device.h"
#include "lib/base/unique_fd.h"
#include "lib/device/exclusive_open.h"
#include "lib/device/file_errors.h"
#include "lib/device/file_syncer.h"
#include "lib/device/file_transfer.h"
#include "lib/device/ring_pool.h"
#include "lib/device/transfer_range.h"
#include "lib/device/transfer_runs.h"

namespace ebcache {
namespace {

absl::StatusOr<OpenedFile> OpenForReading(const std::string& path) {
  // O_NONBLOCK: the open of a pipe must not wait for its other end. Files do not care.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.ok()) return OpenError(path, errno);
  return OpenedFile{.source = UniqueFd(), .claim = UniqueFd(), .fd = std::move(fd)};
}

absl::StatusOr<uint64_t> FindSize(int fd, const std::string& path) {
  struct stat info;
  if (fstat(fd, &info) != 0) return OpenError(path, errno);
  if (S_ISREG(info.st_mode)) return static_cast<uint64_t>(info.st_size);
  if (S_ISBLK(info.st_mode)) {
    uint64_t bytes = 0;
    if (ioctl(fd, BLKGETSIZE64, &bytes) != 0) return OpenError(path, errno);
    return bytes;
  }
  const char* what = S_ISDIR(info.st_mode) ? "a directory" : "neither a file nor a block device";
  return absl::InvalidArgumentError(absl::StrCat(path, ": is ", what));
}

// Neighbouring bytes that are worth a call of their own to start their transfer.
constexpr uint64_t kMuch = 256 << 10;

class FileDevice : public BlockDevice {
 public:
  // `direct` is a second descriptor of the same file, for direct reads; none without them.
  FileDevice(std::string path, OpenedFile file, UniqueFd direct, uint64_t size_bytes,
             const FileDeviceOptions& options)
      : path_(std::move(path)),
        source_(std::move(file.source)),
        claim_(std::move(file.claim)),
        fd_(std::move(file.fd)),
        direct_(std::move(direct)),
        size_bytes_(size_bytes),
        writable_(options.writable),
        syncer_(fd_.get()) {
    const int fast = direct_.ok() ? direct_.get() : fd_.get();
    if (options.queue_depth > 1) rings_.emplace(fast, fd_.get(), options.queue_depth);
  }

  const std::string& name() const override { return path_; }
  uint64_t size_bytes() const override { return size_bytes_; }

  void Read(absl::Span<DeviceRead> reads) override {
    ReadEach(reads, [](size_t) {});
  }

  void ReadEach(absl::Span<DeviceRead> reads, absl::FunctionRef<void(size_t)> done) override {
    for (DeviceRead& read : reads) {
      read.status = CheckTransferRange(read.offset, read.segments, size_bytes_);
    }
    const TransferRuns plan(reads);
    for (size_t i = 0; i < reads.size(); ++i) {
      if (!reads[i].status.ok()) done(i);
    }
    const auto finish = [&](size_t number, int result) {
      const TransferRun& run = plan.runs[number];
      for (size_t i = run.first; i < run.first + run.count; ++i) {
        // Whatever was wrong with a run, each of its reads gets its own chance, and its own error.
        // An error is no number of bytes.
        if (static_cast<uint64_t>(result) != run.bytes) ReadAlone(reads[i]);
        done(i);
      }
    };
    size_t next = 0;
    const bool together =
        rings_.has_value() && plan.runs.size() > 1 && (!direct_.ok() || AllAligned(plan));
    if (together) {
      // What the page cache has comes one after the other: `done` then finds it in the processor's
      // cache, where after a whole batch it no longer is.
      while (next < plan.runs.size() && ReadRunIfCached(plan, plan.runs[next])) {
        finish(next, static_cast<int>(plan.runs[next].bytes));
        ++next;
      }
      if (rings_->Transfer(RingPool::Direction::kRead, plan, next, finish)) return;
    }
    for (; next < plan.runs.size(); ++next) finish(next, ReadRunNow(plan, plan.runs[next]));
  }

  void Write(absl::Span<DeviceWrite> writes) override {
    const uint32_t failed_before = syncer_.failed();
    if (!WriteToPageCache(writes, rings_.has_value())) return;
    // So far the page cache has them, and the device may refuse them yet.
    const int error = syncer_.Sync(failed_before);
    if (error == 0) return;
    for (DeviceWrite& write : writes) {
      if (write.status.ok()) write.status = NotSynced("", error);
    }
  }

  void WriteCached(absl::Span<DeviceWrite> writes) override {
    const uint32_t failed_before = syncer_.failed();
    // The page cache takes them at once: a ring's threads would only be waited for.
    if (!WriteToPageCache(writes, /*by_ring=*/false)) return;
    syncer_.NoteCached(failed_before);
    StartTransfers(writes);
  }

  absl::Status Flush() override {
    if (!writable_) return absl::OkStatus();  // it has taken nothing
    const int error = syncer_.Flush();
    return error == 0 ? absl::OkStatus() : NotSynced(path_ + ": ", error);
  }

 private:
  static bool AllAligned(const TransferRuns& plan) {
    return std::all_of(plan.runs.begin(), plan.runs.end(),
                       [](const TransferRun& run) { return run.aligned; });
  }

  // Whether all of it was in the page cache, and is read. What else there may be to say of it, the
  // next attempt says.
  bool ReadRunIfCached(const TransferRuns& plan, const TransferRun& run) const {
    if (direct_.ok()) return false;
    const auto vectors = plan.VectorsOf(run);
    if (vectors.size() > IOV_MAX) return false;
    const ssize_t moved = preadv2(fd_.get(), vectors.data(), static_cast<int>(vectors.size()),
                                  static_cast<off_t>(run.offset), RWF_NOWAIT);
    return static_cast<uint64_t>(moved) == run.bytes;  // -1 is no number of bytes
  }

  // The bytes read, or -errno.
  int ReadRunNow(const TransferRuns& plan, const TransferRun& run) const {
    const int fd = direct_.ok() && run.aligned ? direct_.get() : fd_.get();
    const auto vectors = plan.VectorsOf(run);
    if (vectors.size() > IOV_MAX) return -EINVAL;
    const ssize_t moved = preadv(fd, vectors.data(), static_cast<int>(vectors.size()),
                                 static_cast<off_t>(run.offset));
    return moved < 0 ? -errno : static_cast<int>(moved);
  }

  // The ways that always work, if anything does.
  void ReadAlone(DeviceRead& read) const {
    read.status = TransferAll(preadv, "read", fd_.get(), read.offset, MakeIoVectors(read.segments));
  }
  void WriteAlone(DeviceWrite& write) const {
    write.status =
        TransferAll(pwritev, "write", fd_.get(), write.offset, MakeIoVectors(write.segments));
  }

  // Whether any of them is there.
  bool WriteToPageCache(absl::Span<DeviceWrite> writes, bool by_ring) {
    for (DeviceWrite& write : writes) {
      write.status = writable_ ? CheckTransferRange(write.offset, write.segments, size_bytes_)
                               : absl::PermissionDeniedError("opened read-only");
    }
    const TransferRuns plan(writes);
    for (DeviceWrite& write : writes) {
      if (write.status.ok()) write.status = absl::Status(absl::StatusCode::kUnknown, "");
    }
    bool any_written = false;
    const auto finish = [&](size_t number, int result) {
      const TransferRun& run = plan.runs[number];
      const bool whole = static_cast<uint64_t>(result) == run.bytes;
      for (DeviceWrite& write : writes.subspan(run.first, run.count)) {
        // As with reads: each has its own chance, and its own error.
        whole ? void(write.status = absl::OkStatus()) : WriteAlone(write);
        any_written |= write.status.ok();
      }
    };
    const bool together = by_ring && plan.runs.size() > 1;
    if (together && rings_->Transfer(RingPool::Direction::kWrite, plan, 0, finish)) {
      return any_written;
    }
    for (size_t i = 0; i < plan.runs.size(); ++i) finish(i, WriteRunNow(plan, plan.runs[i]));
    return any_written;
  }

  // Has the device begin with what was written, where it is much: a flush then waits for less. Whether
  // it does, and how it goes, the flush says; this consumes no error of the file's.
  void StartTransfers(absl::Span<const DeviceWrite> writes) const {
    uint64_t begin = 0;
    uint64_t end = 0;
    const auto start = [&] {
      if (end - begin < kMuch) return;
      (void)sync_file_range(fd_.get(), static_cast<off_t>(begin), static_cast<off_t>(end - begin),
                            SYNC_FILE_RANGE_WRITE);
    };
    for (const DeviceWrite& write : writes) {
      if (write.offset != end) {
        start();
        begin = write.offset;
        end = begin;
      }
      for (const auto& segment : write.segments) end += segment.size();
    }
    start();
  }

  // The bytes written, or -errno, which is EINVAL of more pieces than a call takes.
  int WriteRunNow(const TransferRuns& plan, const TransferRun& run) const {
    const auto vectors = plan.VectorsOf(run);
    const ssize_t moved = pwritev(fd_.get(), vectors.data(), static_cast<int>(vectors.size()),
                                  static_cast<off_t>(run.offset));
    return moved < 0 ? -errno : static_cast<int>(moved);
  }

  static absl::Status NotSynced(const std::string& whose, int error) {
    return absl::UnavailableError(
        absl::StrCat(whose, "not known to be on the device: fdatasync error: ", ErrnoText(error)));
  }

  const std::string path_;
  const UniqueFd source_;  // as in OpenedFile; before the others, so that they are closed last
  const UniqueFd claim_;
  const UniqueFd fd_;
  const UniqueFd direct_;
  const uint64_t size_bytes_;
  const bool writable_;
  FileSyncer syncer_;
  std::optional<RingPool> rings_;  // reads from direct_ if there is one; else it is fd_
};

}  // namespace

absl::StatusOr<std::unique_ptr<BlockDevice>> OpenFileDevice(const std::string& path,
                                                            FileDeviceOptions options) {
  absl::StatusOr<OpenedFile> file = options.writable ? OpenForWriting(path) : OpenForReading(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<uint64_t> size_bytes = FindSize(file->fd.get(), path);
  if (!size_bytes.ok()) return size_bytes.status();
  UniqueFd direct(options.direct ? open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT) : -1);
  if (options.direct && !direct.ok()) {
    return errno == EINVAL
               ? absl::InvalidArgumentError(absl::StrCat(path, ": no direct reads here"))
               : OpenError(path, errno);
  }
  // What is read the slow way after all comes from the device, too. Only advice: it cannot fail in
  // a way that matters.
  if (options.direct) (void)posix_fadvise(file->fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  return std::make_unique<FileDevice>(path, *std::move(file), std::move(direct), *size_bytes,
                                      options);
}

}  // namespace ebcache
