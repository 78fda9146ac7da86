// Calls of the kernel that find no memory, in the way of a device that is a file. Stands in front
// of libc's functions, and so has a program of its own.

#include <absl/status/status.h>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <memory>
#include <string>

#include "ebcache/block_device.h"

namespace {

int transfer_errno = 0;  // what preadv and pwritev fail with; 0: they do not

ssize_t Transfer(const char* name, int fd, const iovec* vectors, int count, off_t offset) {
  if (transfer_errno != 0) {
    errno = transfer_errno;
    return -1;
  }
  using Function = ssize_t (*)(int, const iovec*, int, off_t);
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name))(fd, vectors, count, offset);
}

}  // namespace

extern "C" {

ssize_t preadv(int fd, const iovec* vectors, int count, off_t offset) {
  return Transfer("preadv", fd, vectors, count, offset);
}
ssize_t pwritev(int fd, const iovec* vectors, int count, off_t offset) {
  return Transfer("pwritev", fd, vectors, count, offset);
}

}  // extern "C"

namespace ebcache {
namespace {

class NoMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = ::testing::TempDir() + "/no_memory.img";
    std::ofstream(path, std::ios::binary) << std::string(8192, 'x');
    device_ = *OpenFileDevice(path, {.writable = true});
  }
  void TearDown() override { transfer_errno = 0; }

  absl::Status Read() {
    DeviceRead read{.offset = 0, .segments = {absl::MakeSpan(bytes_)}};
    device_->Read(absl::MakeSpan(&read, 1));
    return read.status;
  }
  absl::Status Write() {
    DeviceWrite write{.offset = 0, .segments = {absl::MakeSpan(bytes_)}};
    device_->Write(absl::MakeSpan(&write, 1));
    return write.status;
  }

  std::unique_ptr<BlockDevice> device_;
  std::array<std::byte, 4096> bytes_;
};

TEST_F(NoMemoryTest, IsNoFailureOfTheDevice) {
  transfer_errno = ENOMEM;
  for (const absl::Status& status : {Read(), Write()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("Cannot allocate memory"));
  }
  transfer_errno = 0;
  EXPECT_EQ(Read(), absl::OkStatus());
  EXPECT_EQ(Write(), absl::OkStatus());
}

TEST_F(NoMemoryTest, AllElseIs) {
  for (const int error : {EIO, ENODATA, EAGAIN, EINVAL}) {
    transfer_errno = error;
    EXPECT_EQ(Read().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(Write().code(), absl::StatusCode::kUnavailable);
  }
}

}  // namespace
}  // namespace ebcache
