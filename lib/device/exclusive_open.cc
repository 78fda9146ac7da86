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
#include <utility>

#include "lib/base/status_number.h"
#include "lib/device/file_errors.h"
#include "lib/device/system_devices.h"
#include "lib/device/use_beside_holder.h"

namespace ebcache {
namespace {

// `use` is the end of a sentence that begins with the device's name.
absl::Status InUse(const std::string& path, const std::string& use) {
  return WithNumber(absl::FailedPreconditionError(absl::StrCat(path, " ", use)), EBUSY);
}

absl::Status Replaced(const std::string& path) {
  return absl::UnavailableError(absl::StrCat(path, ": became another file as it was opened"));
}

// The lock of an image file, which goes when it is closed. `kind` is LOCK_EX or LOCK_SH; `whose` is
// what messages begin with.
absl::Status Lock(int fd, int kind, const std::string& whose) {
  int result = 0;
  do {
    result = flock(fd, kind | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return absl::OkStatus();
  const int error = errno;
  if (error == EWOULDBLOCK) {
    return WithNumber(absl::FailedPreconditionError(
                          absl::StrCat(whose, " is open for writing by another program")),
                      EBUSY);
  }
  return ErrorOf(error, absl::StrCat(whose, " cannot be locked: ", ErrnoText(error)));
}

// Where device `number` is a loop device that reads a file: keeps writers of the file out. Those of
// other loop devices are not kept out, which may read other parts of it: what they read is looked
// at. A file that is not to be found by the name that the loop device knows is let be.
absl::Status LockSource(dev_t number, const std::string& path, const SystemPaths& system,
                        OpenedFile& file) {
  for (const LoopDevice& loop : LoopDevices(system)) {
    if (loop.device.number != number) continue;
    UniqueFd source(open(loop.source_name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat info;
    if (!source.ok() || fstat(source.get(), &info) != 0) continue;
    if (!S_ISREG(info.st_mode) || !loop.ReadsFile(info)) continue;
    file.source = std::move(source);
    return Lock(file.source.get(), LOCK_SH,
                absl::StrCat(path, " reads ", loop.source_name, ", which"));
  }
  return absl::OkStatus();
}

absl::StatusOr<OpenedFile> OpenAndLook(const std::string& path, const SystemPaths& system) {
  // O_NONBLOCK: the open of a pipe must not wait for its other end. Files do not care.
  constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NONBLOCK;
  struct stat named;
  const bool device = stat(path.c_str(), &named) == 0 && S_ISBLK(named.st_mode);
  // O_EXCL, of what is no device, would mean something else.
  OpenedFile file{.source = UniqueFd(),
                  .claim = UniqueFd(open(path.c_str(), kFlags | (device ? O_EXCL : 0))),
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
    absl::Status status = Lock(file.claim.get(), LOCK_EX, path);
    if (!status.ok()) return status;
  } else if (device) {
    absl::Status status = LockSource(info.st_rdev, path, system, file);
    if (!status.ok()) return status;
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
