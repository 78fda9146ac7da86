#include "lib/device/exclusive_open.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <new>
#include <optional>
#include <string>

#include "lib/device/file_errors.h"
#include "lib/device/use_beside_holder.h"

namespace ebcache {
namespace {

absl::Status InUse(const std::string& path, const std::string& use) {
  return absl::FailedPreconditionError(absl::StrCat(path, ": ", use));
}

absl::Status Replaced(const std::string& path) {
  return absl::UnavailableError(absl::StrCat(path, ": became another file as it was opened"));
}

// The lock of an image file, which goes when it is closed.
absl::Status Lock(int fd, const std::string& path) {
  int result = 0;
  do {
    result = flock(fd, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return absl::OkStatus();
  const int error = errno;
  if (error == EWOULDBLOCK) return InUse(path, "is open for writing by another program");
  return ErrorOf(error, absl::StrCat(path, ": cannot be locked: ", ErrnoText(error)));
}

absl::StatusOr<OpenedFile> OpenAndLook(const std::string& path, const SystemPaths& system) {
  // O_NONBLOCK: the open of a pipe must not wait for its other end. Files do not care.
  constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NONBLOCK;
  struct stat named;
  const bool device = stat(path.c_str(), &named) == 0 && S_ISBLK(named.st_mode);
  // O_EXCL, of what is no device, would mean something else.
  OpenedFile file{.claim = UniqueFd(open(path.c_str(), kFlags | (device ? O_EXCL : 0))),
                  .fd = UniqueFd()};
  if (!file.claim.ok()) {
    const int error = errno;
    if (!device || error != EBUSY) return OpenError(path, error);
    const std::optional<std::string> use = FindDeviceUse(path, system);
    return InUse(path, use.value_or("is in use by the kernel or by another program"));
  }
  struct stat info;
  if (fstat(file.claim.get(), &info) != 0) return OpenError(path, errno);
  if (S_ISBLK(info.st_mode) != device) return Replaced(path);
  if (S_ISREG(info.st_mode)) {
    if (absl::Status status = Lock(file.claim.get(), path); !status.ok()) return status;
  }
  const std::optional<std::string> use = FindUseBesideHolder(path, info, system);
  if (use) return InUse(path, *use);
  file.fd.Reset(open(path.c_str(), kFlags));
  if (!file.fd.ok()) return OpenError(path, errno);
  struct stat again;
  if (fstat(file.fd.get(), &again) != 0) return OpenError(path, errno);
  const bool same =
      again.st_dev == info.st_dev && again.st_ino == info.st_ino && again.st_rdev == info.st_rdev;
  if (!same) return Replaced(path);
  return file;
}

}  // namespace

absl::StatusOr<OpenedFile> OpenForWriting(const std::string& path, const SystemPaths& system) {
  try {
    return OpenAndLook(path, system);
  } catch (const std::bad_alloc&) {
    // What uses it is then not known.
    return OpenError(path, ENOMEM);
  }
}

}  // namespace ebcache
