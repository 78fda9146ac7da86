#include "lib/base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <utility>

namespace ebcache {
namespace {

int OpenNull() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool IsOpen(int fd) { return fcntl(fd, F_GETFD) != -1; }

TEST(UniqueFd, ClosesWithItsOwner) {
  const int fd = OpenNull();
  ASSERT_GE(fd, 0);
  {
    const UniqueFd owner(fd);
    EXPECT_TRUE(owner.ok());
    EXPECT_EQ(owner.get(), fd);
    EXPECT_TRUE(IsOpen(fd));
  }
  EXPECT_FALSE(IsOpen(fd));
}

TEST(UniqueFd, MovesTheDuty) {
  const int fd = OpenNull();
  UniqueFd first(fd);
  UniqueFd second(std::move(first));
  EXPECT_FALSE(first.ok());
  EXPECT_EQ(second.get(), fd);
  const int other = OpenNull();
  UniqueFd third(other);
  third = std::move(second);
  EXPECT_FALSE(IsOpen(other));
  EXPECT_TRUE(IsOpen(fd));
  UniqueFd& same = third;
  third = std::move(same);
  EXPECT_TRUE(IsOpen(fd));
  third.Reset();
  EXPECT_FALSE(third.ok());
  EXPECT_FALSE(IsOpen(fd));
}

TEST(UniqueFd, WhatFailedToOpenIsNothingToClose) {
  UniqueFd none(open("/no/such/file", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(errno, ENOENT);
  EXPECT_FALSE(none.ok());
  EXPECT_FALSE(UniqueFd().ok());
  none.Reset(OpenNull());
  EXPECT_TRUE(none.ok());
}

TEST(UniqueFd, LeavesErrnoAlone) {
  const int fd = OpenNull();
  UniqueFd owner(fd);
  close(fd);  // so that closing it fails
  errno = EAGAIN;
  owner.Reset();
  EXPECT_EQ(errno, EAGAIN);
}

}  // namespace
}  // namespace ebcache
