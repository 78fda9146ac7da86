// Bytes between memory and a file, however many calls it takes.

#ifndef EBCACHE_LIB_DEVICE_FILE_TRANSFER_H_
#define EBCACHE_LIB_DEVICE_FILE_TRANSFER_H_

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <limits.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "lib/device/file_errors.h"

namespace ebcache {

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
inline void Consume(IoVectors& vectors, size_t* first, size_t bytes) {
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

// Moves all bytes. `call` is preadv or pwritev, and `what` its name in messages.
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

}  // namespace ebcache

#endif  // EBCACHE_LIB_DEVICE_FILE_TRANSFER_H_
