#include "bench/scorecard/scratch_image.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <unistd.h>

#include "bench/scorecard/process.h"

namespace ebcache::scorecard {

ScratchImage::~ScratchImage() { unlink(path_.c_str()); }

absl::Status ScratchImage::Sync() const {
  const int fd = open(path_.c_str(), O_RDWR | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return synced ? absl::OkStatus()
                : absl::UnavailableError(absl::StrCat(path_, " cannot be written"));
}

absl::Status ScratchImage::CopyOf(const std::string& image) {
  unlink(path_.c_str());
  const auto copied = RunWell({"cp", "--sparse=always", "--reflink=never", image, path_});
  return copied.ok() ? Sync() : copied.status();
}

absl::Status ScratchImage::Empty(uint64_t bytes) {
  unlink(path_.c_str());
  const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const bool made = fd >= 0 && ftruncate(fd, static_cast<off_t>(bytes)) == 0;
  if (fd >= 0) close(fd);
  if (!made) return absl::UnavailableError(absl::StrCat(path_, " cannot be made"));
  const auto formatted = RunWell({"mkfs.btrfs", "-q", "-f", "-m", "single", path_});
  return formatted.ok() ? Sync() : formatted.status();
}

}  // namespace ebcache::scorecard
