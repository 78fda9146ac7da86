#include "tests/support/mkfs_image.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "lib/base/unique_fd.h"

namespace ebcache::testing {
namespace {

// The tests' environment has no sbin in its path.
constexpr char kMkfs[] = "/usr/sbin/mkfs.btrfs";

}  // namespace

bool HaveMkfs() { return access(kMkfs, X_OK) == 0; }

std::vector<std::string> MakeImages(const std::string& options, int devices,
                                    uint64_t device_bytes) {
  static int counter = 0;
  std::vector<std::string> paths;
  for (int i = 0; i < devices; ++i) {
    paths.push_back(
        absl::StrCat(::testing::TempDir(), "/image-", getpid(), "-", ++counter, ".img"));
    const UniqueFd fd(open(paths.back().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd.ok() || ftruncate(fd.get(), static_cast<off_t>(device_bytes)) != 0) return {};
  }
  const std::string command =
      absl::StrCat(kMkfs, " -q -f ", options, " ", absl::StrJoin(paths, " "), " >&2");
  if (std::system(command.c_str()) != 0) return {};
  return paths;
}

}  // namespace ebcache::testing
