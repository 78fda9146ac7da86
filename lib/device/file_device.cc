// BlockDevice by io_uring, preadv and pwritev.

#include <absl/container/inlined_vector.h>
#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "ebcache/block_device.h"
#include "lib/base/unique_fd.h"
#include "lib/device/file_syncer.h"
#include "lib/device/read_runs.h"
#include "lib/device/ring_pool.h"
#include "lib/device/transfer_range.h"

namespace ebcache {
namespace {

std::string ErrnoText(int error) { return std::generic_category().message(error); }

// That the kernel had no memory for a call says nothing of the device: the same may succeed later.
absl::Status ErrorOf(int error, const std::string& message) {
  return error == ENOMEM ? absl::ResourceExhaustedError(message) : absl::UnavailableError(message);
}

absl::Status OpenError(const std::string& path, int error) {
  std::string message = absl::StrCat(path, ": ", ErrnoText(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ENXIO:  // a socket
      return absl::InvalidArgumentError(message);
    default:
      return ErrorOf(error, message);
  }
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

using IoVectors = absl::InlinedVector<iovec, 16>;

template <typename Segments>
IoVectors MakeIoVectors(const Segments& segments) {
  IoVectors vectors;
  for (auto segment : segments) {
    // pwritev only reads from them.
    vectors.push_back({const_cast<std::byte*>(segment.data()), segment.size()});
  }
  return vectors;
}

// Takes `bytes` off the front of vectors[*first..].
void Consume(IoVectors& vectors, size_t* first, size_t bytes) {
  while (*first < vectors.size() && bytes >= vectors[*first].iov_len) {
    bytes -= vectors[*first].iov_len;
    ++*first;
  }
  if (bytes > 0) {
    iovec& partial = vectors[*first];
    partial.iov_base = static_cast<std::byte*>(partial.iov_base) + bytes;
    partial.iov_len -= bytes;
  }
}

// Moves all bytes, however many calls it takes. `call` is preadv or pwritev.
template <typename Call>
absl::Status TransferAll(Call call, const char* what, int fd, uint64_t offset, IoVectors vectors) {
  size_t first = 0;
  Consume(vectors, &first, 0);  // empty pieces in front
  while (first < vectors.size()) {
    const int count = static_cast<int>(std::min<size_t>(vectors.size() - first, IOV_MAX));
    const ssize_t moved = call(fd, &vectors[first], count, static_cast<off_t>(offset));
    if (moved < 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      return ErrorOf(error, absl::StrCat(what, " error: ", ErrnoText(error)));
    }
    // The range was on the device when it was opened.
    if (moved == 0) return absl::UnavailableError(absl::StrCat(what, " ended early at ", offset));
    offset += static_cast<uint64_t>(moved);
    Consume(vectors, &first, static_cast<size_t>(moved));
  }
  return absl::OkStatus();
}

class FileDevice : public BlockDevice {
 public:
  // `direct` is a second descriptor of the same file, for direct reads; none without them.
  FileDevice(std::string path, UniqueFd fd, UniqueFd direct, uint64_t size_bytes,
             const FileDeviceOptions& options)
      : path_(std::move(path)),
        fd_(std::move(fd)),
        direct_(std::move(direct)),
        size_bytes_(size_bytes),
        writable_(options.writable),
        syncer_(fd_.get()) {
    const int fast = direct_.ok() ? direct_.get() : fd_.get();
    if (options.queue_depth > 1) rings_.emplace(fast, options.queue_depth);
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
    const ReadRuns plan(reads);
    for (size_t i = 0; i < reads.size(); ++i) {
      if (!reads[i].status.ok()) done(i);
    }
    const auto finish = [&](size_t number, int result) {
      const ReadRun& run = plan.runs[number];
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
      if (rings_->Read(plan, next, finish)) return;
    }
    for (; next < plan.runs.size(); ++next) finish(next, ReadRunNow(plan, plan.runs[next]));
  }

  void Write(absl::Span<DeviceWrite> writes) override {
    const uint32_t failed_before = syncer_.failed();
    bool any_written = false;
    for (DeviceWrite& write : writes) {
      write.status = writable_ ? CheckTransferRange(write.offset, write.segments, size_bytes_)
                               : absl::PermissionDeniedError("opened read-only");
      if (!write.status.ok()) continue;
      write.status =
          TransferAll(pwritev, "write", fd_.get(), write.offset, MakeIoVectors(write.segments));
      any_written |= write.status.ok();
    }
    if (!any_written) return;
    // So far the page cache has them, and the device may refuse them yet.
    const int error = syncer_.Sync(failed_before);
    if (error == 0) return;
    for (DeviceWrite& write : writes) {
      if (!write.status.ok()) continue;
      write.status = absl::UnavailableError(
          absl::StrCat("not known to be on the device: fdatasync error: ", ErrnoText(error)));
    }
  }

 private:
  static bool AllAligned(const ReadRuns& plan) {
    return std::all_of(plan.runs.begin(), plan.runs.end(),
                       [](const ReadRun& run) { return run.aligned; });
  }

  // Whether all of it was in the page cache, and is read. What else there may be to say of it, the
  // next attempt says.
  bool ReadRunIfCached(const ReadRuns& plan, const ReadRun& run) const {
    if (direct_.ok()) return false;
    const auto vectors = plan.VectorsOf(run);
    if (vectors.size() > IOV_MAX) return false;
    const ssize_t moved = preadv2(fd_.get(), vectors.data(), static_cast<int>(vectors.size()),
                                  static_cast<off_t>(run.offset), RWF_NOWAIT);
    return static_cast<uint64_t>(moved) == run.bytes;  // -1 is no number of bytes
  }

  // The bytes read, or -errno.
  int ReadRunNow(const ReadRuns& plan, const ReadRun& run) const {
    const int fd = direct_.ok() && run.aligned ? direct_.get() : fd_.get();
    const auto vectors = plan.VectorsOf(run);
    if (vectors.size() > IOV_MAX) return -EINVAL;
    const ssize_t moved = preadv(fd, vectors.data(), static_cast<int>(vectors.size()),
                                 static_cast<off_t>(run.offset));
    return moved < 0 ? -errno : static_cast<int>(moved);
  }

  // The way that always works, if anything does.
  void ReadAlone(DeviceRead& read) const {
    read.status = TransferAll(preadv, "read", fd_.get(), read.offset, MakeIoVectors(read.segments));
  }

  const std::string path_;
  const UniqueFd fd_;
  const UniqueFd direct_;
  const uint64_t size_bytes_;
  const bool writable_;
  FileSyncer syncer_;
  std::optional<RingPool> rings_;  // reads from direct_ if there is one, else from fd_
};

}  // namespace

absl::StatusOr<std::unique_ptr<BlockDevice>> OpenFileDevice(const std::string& path,
                                                            FileDeviceOptions options) {
  // O_NONBLOCK: the open of a pipe must not wait for its other end. Files do not care.
  const int flags = (options.writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK;
  UniqueFd fd(open(path.c_str(), flags));
  if (!fd.ok()) return OpenError(path, errno);
  absl::StatusOr<uint64_t> size_bytes = FindSize(fd.get(), path);
  if (!size_bytes.ok()) return size_bytes.status();
  UniqueFd direct(options.direct ? open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT) : -1);
  if (options.direct && !direct.ok()) {
    return errno == EINVAL
               ? absl::InvalidArgumentError(absl::StrCat(path, ": no direct reads here"))
               : OpenError(path, errno);
  }
  // What is read the slow way after all comes from the device, too. Only advice: it cannot fail in
  // a way that matters.
  if (options.direct) (void)posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  return std::make_unique<FileDevice>(path, std::move(fd), std::move(direct), *size_bytes, options);
}

}  // namespace ebcache
