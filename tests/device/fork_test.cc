// A device across a fork: docs/forks.md.

#include <absl/types/span.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ebcache/block_device.h"
#include "lib/base/unique_fd.h"
#include "tests/support/in_child.h"

namespace ebcache {
namespace {

constexpr size_t kStep = 65536;
constexpr size_t kReads = 32;
constexpr size_t kBytes = 4096;

class DeviceFork : public testing::TestWithParam<bool> {
 protected:
  DeviceFork() {
    std::vector<char> bytes(kReads * kStep);
    for (size_t i = 0; i < kReads; ++i) std::memset(&bytes[i * kStep], Byte(i), kStep);
    std::ofstream(path_, std::ios::binary).write(bytes.data(), static_cast<long>(bytes.size()));
    const UniqueFd fd(open(path_.c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_EQ(fsync(fd.get()), 0);
  }
  static int Byte(size_t read) { return static_cast<int>(read + 1); }

  // An open file of which the page cache has nothing, where the file system keeps to that.
  UniqueFd OpenEvicted() const {
    UniqueFd fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED), 0);
    return fd;
  }

  // Why batches cannot go through a ring here; "" where they can, and then they must.
  std::string NoRings() const {
    io_uring_params params = {};
    const UniqueFd ring(static_cast<int>(syscall(__NR_io_uring_setup, 1, &params)));
    if (!ring.ok()) return "no io_uring here";
    if (GetParam()) return "";
    const UniqueFd fd = OpenEvicted();
    char byte = 0;
    const iovec vector = {&byte, 1};
    const bool waits = preadv2(fd.get(), &vector, 1, 0, RWF_NOWAIT) < 0 && errno == EAGAIN;
    return waits ? "" : "the page cache has all of the file system where tests have their files";
  }

  // A batch that the page cache has nothing of, so that it goes through a ring.
  void ReadBatch(BlockDevice& device) const {
    OpenEvicted();
    struct Free {
      void operator()(void* memory) const { std::free(memory); }
    };
    const std::unique_ptr<std::byte[], Free> memory(
        static_cast<std::byte*>(std::aligned_alloc(4096, kReads * kBytes)));
    std::memset(memory.get(), 0, kReads * kBytes);
    std::vector<DeviceRead> reads;
    for (size_t i = 0; i < kReads; ++i) {
      reads.push_back(
          {.offset = i * kStep, .segments = {absl::MakeSpan(&memory[i * kBytes], kBytes)}});
    }
    device.Read(absl::MakeSpan(reads));
    for (size_t i = 0; i < kReads; ++i) {
      ASSERT_TRUE(reads[i].status.ok()) << reads[i].status;
      for (std::byte byte : reads[i].segments[0]) ASSERT_EQ(static_cast<int>(byte), Byte(i));
    }
  }

  // io_urings that this process has open.
  static int Rings() {
    int rings = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code error;
      const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
      rings += target.find("io_uring") != std::string::npos;
    }
    return rings;
  }

  const std::string path_ =
      testing::TempDir() + "/fork_" + (GetParam() ? "direct" : "cached") + ".img";
};

INSTANTIATE_TEST_SUITE_P(All, DeviceFork, testing::Bool(),
                         [](const auto& info) { return info.param ? "direct" : "cached"; });

TEST_P(DeviceFork, RingsAreTheParentsAndAChildMakesItsOwn) {
  auto device = OpenFileDevice(path_, {.direct = GetParam()});
  if (GetParam() && absl::IsInvalidArgument(device.status())) {
    GTEST_SKIP() << "SKIPPED: no direct reads where tests have their files";
  }
  ASSERT_TRUE(device.ok()) << device.status();
  if (!NoRings().empty()) GTEST_SKIP() << "SKIPPED: " << NoRings();
  for (int i = 0; i < 3; ++i) ReadBatch(**device);
  EXPECT_EQ(Rings(), 1) << "one after the other they need one";
  EXPECT_EQ(InChild([&] {
              EXPECT_EQ(Rings(), 0) << "a ring of the parent's";
              ReadBatch(**device);
              EXPECT_EQ(Rings(), 1);
              ReadBatch(**device);
              EXPECT_EQ(InChild([&] { ReadBatch(**device); }), "") << "a child of the child's";
              device->reset();
            }),
            "");
  ReadBatch(**device);
  EXPECT_EQ(InChild([&] { device->reset(); }), "");
  ReadBatch(**device);
  EXPECT_EQ(Rings(), 1);
}

// While other threads read, whose rings and locks a child must not wait for.
TEST_P(DeviceFork, BesideThreadsThatRead) {
  if (!kForksBesideMalloc) GTEST_SKIP() << kNoForksBesideMalloc;
  auto device = OpenFileDevice(path_, {.direct = GetParam()});
  if (GetParam() && absl::IsInvalidArgument(device.status())) {
    GTEST_SKIP() << "SKIPPED: no direct reads where tests have their files";
  }
  ASSERT_TRUE(device.ok()) << device.status();
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      while (!stop) ReadBatch(**device);
    });
  }
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(InChild([&] {
                ReadBatch(**device);
                device->reset();
              }),
              "");
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace ebcache
