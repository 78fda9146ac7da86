// What the OS says of a file, as a status.

#ifndef EBCACHE_LIB_DEVICE_FILE_ERRORS_H_
#define EBCACHE_LIB_DEVICE_FILE_ERRORS_H_

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace ebcache {

inline std::string ErrnoText(int error) { return std::generic_category().message(error); }

// That the kernel had no memory for a call says nothing of the device: the same may succeed later.
inline absl::Status ErrorOf(int error, const std::string& message) {
  return error == ENOMEM ? absl::ResourceExhaustedError(message) : absl::UnavailableError(message);
}

// Why `path` could not be opened.
inline absl::Status OpenError(const std::string& path, int error) {
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

}  // namespace ebcache

#endif  // EBCACHE_LIB_DEVICE_FILE_ERRORS_H_
