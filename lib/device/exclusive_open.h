// Opening of a device or an image file for writing: for one writer alone, and not while it is in
// use.
//
// What keeps others out is taken first, and what uses the file is looked for afterwards, so that of
// two that open it at the same time one is refused. It belongs to an open file, which a child of a
// fork shares: it is there until parent and child have both closed it, and neither gives it back in
// a way that would take it from the other. No bytes go through that open file: an io_uring keeps
// the files that it was given for a while after it was closed, and would keep others out so long.
//
// Thread safety: any thread.

#ifndef EBCACHE_LIB_DEVICE_EXCLUSIVE_OPEN_H_
#define EBCACHE_LIB_DEVICE_EXCLUSIVE_OPEN_H_

#include <absl/status/statusor.h>

#include <string>

#include "ebcache/device_use.h"
#include "lib/base/unique_fd.h"

namespace ebcache {

struct OpenedFile {
  UniqueFd source;  // of a loop device that reads a file: keeps writers of that file out
  UniqueFd claim;   // keeps other writers out; to be closed last. None of what is only read
  UniqueFd fd;      // what bytes go through
};

// Errors: FailedPrecondition, when it is in use or open for writing, with the path and by what;
// those of OpenFileDevice.
absl::StatusOr<OpenedFile> OpenForWriting(const std::string& path, const SystemPaths& system = {});

}  // namespace ebcache

#endif  // EBCACHE_LIB_DEVICE_EXCLUSIVE_OPEN_H_
