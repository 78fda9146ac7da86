// Real loop devices, for tests.

#ifndef EBCACHE_TESTS_DEVICE_LOOP_H_
#define EBCACHE_TESTS_DEVICE_LOOP_H_

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

#include "lib/base/unique_fd.h"

namespace ebcache::testing {

// A loop device that goes with this process, however that ends. Where there is none it is not ok(),
// and why() says why.
class Loop {
 public:
  // Of `length` bytes of it from `offset` on; 0: of all from there on.
  explicit Loop(const std::filesystem::path& file, uint64_t offset = 0, uint64_t length = 0) {
    const UniqueFd control(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
    if (!control.ok()) {
      Fail("/dev/loop-control");
      return;
    }
    const UniqueFd source(open(file.c_str(), O_RDWR | O_CLOEXEC));
    // Another process may take the free one first.
    for (int attempt = 0; attempt < 100 && !ok(); ++attempt) {
      Take(ioctl(control.get(), LOOP_CTL_GET_FREE), source.get(), offset, length);
    }
  }

  bool ok() const { return fd_.ok(); }
  const std::string& why() const { return why_; }
  const std::string& path() const { return path_; }
  std::string name() const { return std::filesystem::path(path_).filename(); }
  dev_t number() const {
    struct stat info = {};
    fstat(fd_.get(), &info);
    return info.st_rdev;
  }

 private:
  void Fail(const std::string& what) { why_ = what + ": " + std::strerror(errno); }
  void Take(int number, int source, uint64_t offset, uint64_t length) {
    if (number < 0) return Fail("no free loop device");
    path_ = "/dev/loop" + std::to_string(number);
    UniqueFd fd(open(path_.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd.ok()) return Fail(path_);
    struct loop_config config = {};
    config.fd = static_cast<unsigned>(source);
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    config.info.lo_offset = offset;
    config.info.lo_sizelimit = length;
    if (ioctl(fd.get(), LOOP_CONFIGURE, &config) != 0) return Fail(path_);
    fd_ = std::move(fd);
  }

  UniqueFd fd_;
  std::string path_;
  std::string why_;
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_DEVICE_LOOP_H_
