// UniqueFd: a file descriptor that is closed with its owner.

#ifndef EBCACHE_LIB_BASE_UNIQUE_FD_H_
#define EBCACHE_LIB_BASE_UNIQUE_FD_H_

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace ebcache {

// Thread safety: belongs to one thread at a time.
class UniqueFd {
 public:
  UniqueFd() = default;
  // Owns it from here on. Below 0: what open() answers when it fails, and nothing to close.
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) Reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { Reset(); }

  bool ok() const { return fd_ >= 0; }
  // Below 0 where there is none. Stays the owner's.
  int get() const { return fd_; }

  // Closes what it had. Leaves errno as it is: what closing may have to say is not what the caller
  // is about to tell of.
  void Reset(int fd = -1) {
    const int old = std::exchange(fd_, fd);
    if (old < 0) return;
    const int error = errno;
    close(old);
    errno = error;
  }

 private:
  int fd_ = -1;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_BASE_UNIQUE_FD_H_
