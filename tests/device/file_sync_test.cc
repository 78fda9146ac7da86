// OK of a write, or of the flush behind a cached one, says that the device has it, and not only the page cache. The kernel's answer is
// the test's: fdatasync and pwritev of this program are its own.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ebcache/block_device.h"
#include "lib/base/unique_fd.h"
#include "lib/device/file_syncer.h"
#include "tests/support/in_child.h"

namespace {
std::atomic<int> syncs{0};
std::atomic<int> writes_of_bytes{0};
// What fdatasync does, after it was counted: 0, or errno's number.
std::function<int()> answer;  // NOLINT: each test sets it before it has threads
}  // namespace

extern "C" int fdatasync(int fd) {
  ++syncs;
  const int error = answer ? answer() : 0;
  if (error == 0) return static_cast<int>(syscall(SYS_fdatasync, fd));
  errno = error;
  return -1;
}

extern "C" ssize_t pwritev(int fd, const iovec* vectors, int count, off_t offset) {
  ++writes_of_bytes;
  return syscall(SYS_pwritev, fd, vectors, count, offset, 0);
}

namespace ebcache {
namespace {

using ::testing::HasSubstr;

class FileSyncTest : public ::testing::Test {
 protected:
  FileSyncTest() {
    std::ofstream(path_, std::ios::binary) << std::string(4096, '.');
    // One call after the other, which can be counted.
    device_ = *OpenFileDevice(path_, {.writable = true, .queue_depth = 1});
    syncs = 0;
    writes_of_bytes = 0;
    answer = nullptr;
  }
  ~FileSyncTest() override { answer = nullptr; }

  // Writes of the numbers 0, 1, ... each at ten times its number.
  std::vector<absl::Status> Write(size_t count, size_t beyond = 0) {
    return Write(count, beyond, &BlockDevice::Write);
  }
  std::vector<absl::Status> WriteCached(size_t count, size_t beyond = 0) {
    return Write(count, beyond, &BlockDevice::WriteCached);
  }
  std::vector<absl::Status> Write(size_t count, size_t beyond,
                                  void (BlockDevice::*how)(absl::Span<DeviceWrite>)) {
    std::vector<std::string> texts;
    for (size_t i = 0; i < count; ++i) texts.push_back(std::to_string(i));
    std::vector<DeviceWrite> writes;
    for (size_t i = 0; i < count; ++i) {
      writes.push_back({.offset = i * 10 + (i < beyond ? 4096 : 0),
                        .segments = {{reinterpret_cast<const std::byte*>(texts[i].data()), 1}}});
    }
    ((*device_).*how)(absl::MakeSpan(writes));
    std::vector<absl::Status> statuses;
    for (const DeviceWrite& write : writes) statuses.push_back(write.status);
    return statuses;
  }

  const std::string path_ = ::testing::TempDir() + "/synced";
  std::unique_ptr<BlockDevice> device_;
};

TEST_F(FileSyncTest, OnceForABatch) {
  for (const absl::Status& status : Write(5)) EXPECT_EQ(status, absl::OkStatus());
  EXPECT_EQ(syncs, 1);
  EXPECT_EQ(writes_of_bytes, 5);
}

TEST_F(FileSyncTest, NotWhereNothingWasWritten) {
  EXPECT_TRUE(absl::IsOutOfRange(Write(2, 2)[1]));
  device_ = *OpenFileDevice(path_);
  EXPECT_TRUE(absl::IsPermissionDenied(Write(1)[0]));
  (void)Write(0);
  EXPECT_EQ(syncs, 0);
}

TEST_F(FileSyncTest, AFailureIsThatOfTheBatchAndARetryWritesAgain) {
  answer = [] { return syncs == 1 ? EIO : 0; };
  const std::vector<absl::Status> statuses = Write(3, 1);
  EXPECT_TRUE(absl::IsOutOfRange(statuses[0])) << "it has an error of its own";
  for (size_t i = 1; i < 3; ++i) {
    EXPECT_EQ(statuses[i],
              absl::UnavailableError(
                  "not known to be on the device: fdatasync error: Input/output error"));
  }
  EXPECT_EQ(writes_of_bytes, 2);
  for (const absl::Status& status : Write(2)) EXPECT_EQ(status, absl::OkStatus());
  EXPECT_EQ(syncs, 2);
  EXPECT_EQ(writes_of_bytes, 4) << "the page cache may take them for written";
}

TEST_F(FileSyncTest, CachedWritesWaitForAFlush) {
  for (const absl::Status& status : WriteCached(3)) EXPECT_EQ(status, absl::OkStatus());
  for (const absl::Status& status : WriteCached(2)) EXPECT_EQ(status, absl::OkStatus());
  EXPECT_EQ(syncs, 0);
  EXPECT_EQ(device_->Flush(), absl::OkStatus());
  EXPECT_EQ(syncs, 1);
}

TEST_F(FileSyncTest, AFlushThatFailsIsToldOnceWithTheDevicesName) {
  answer = [] { return syncs == 1 ? EIO : 0; };
  EXPECT_EQ(WriteCached(2)[0], absl::OkStatus());
  EXPECT_EQ(device_->Flush(),
            absl::UnavailableError(
                path_ + ": not known to be on the device: fdatasync error: Input/output error"));
  EXPECT_EQ(WriteCached(2)[0], absl::OkStatus());
  EXPECT_EQ(device_->Flush(), absl::OkStatus());
  EXPECT_EQ(writes_of_bytes, 4);
}

// The kernel told the write, and tells it once: the cached bytes are lost as well.
TEST_F(FileSyncTest, AFlushCoversAFailureThatAWriteWasTold) {
  EXPECT_EQ(WriteCached(1)[0], absl::OkStatus());
  answer = [] { return syncs == 1 ? EIO : 0; };
  EXPECT_TRUE(absl::IsUnavailable(Write(1)[0]));
  EXPECT_EQ(WriteCached(1)[0], absl::OkStatus()) << "taken, behind the failure";
  EXPECT_TRUE(absl::IsUnavailable(device_->Flush()));
  EXPECT_EQ(device_->Flush(), absl::OkStatus());
}

TEST_F(FileSyncTest, AFailureBeforeTheFirstCachedWriteIsNotTheFlushs) {
  answer = [] { return syncs == 1 ? EIO : 0; };
  EXPECT_TRUE(absl::IsUnavailable(Write(1)[0]));
  EXPECT_EQ(device_->Flush(), absl::OkStatus());
  EXPECT_EQ(WriteCached(1)[0], absl::OkStatus());
  EXPECT_EQ(device_->Flush(), absl::OkStatus());
}

// It may have been among what the kernel could not write, and may not.
TEST_F(FileSyncTest, WhatIsCachedDuringAFlushThatFailsIsLostAsWell) {
  EXPECT_EQ(WriteCached(1)[0], absl::OkStatus());
  answer = [&] {
    if (syncs != 1) return 0;
    EXPECT_EQ(WriteCached(1)[0], absl::OkStatus());
    return EIO;
  };
  EXPECT_TRUE(absl::IsUnavailable(device_->Flush()));
  EXPECT_TRUE(absl::IsUnavailable(device_->Flush()));
  EXPECT_EQ(device_->Flush(), absl::OkStatus());
}

TEST_F(FileSyncTest, CachedWritesThatWereNotTakenAreNoFlushs) {
  answer = [] { return syncs == 1 ? EIO : 0; };
  EXPECT_TRUE(absl::IsOutOfRange(WriteCached(1, 1)[0]));
  EXPECT_TRUE(absl::IsUnavailable(Write(1)[0]));
  EXPECT_EQ(device_->Flush(), absl::OkStatus());
  device_.reset();
  device_ = *OpenFileDevice(path_);
  EXPECT_TRUE(absl::IsPermissionDenied(WriteCached(1)[0]));
  syncs = 0;
  EXPECT_EQ(device_->Flush(), absl::OkStatus());
  EXPECT_EQ(syncs, 0) << "what is only read has nothing to flush";
}

// A write that was under way while a flush failed is noted behind it.
TEST_F(FileSyncTest, WhatIsNotedAfterAFailureThatItMayHaveBeenPartOf) {
  const UniqueFd file(open(path_.c_str(), O_RDWR | O_CLOEXEC));
  FileSyncer syncer(file.get());
  const uint32_t before = syncer.failed();
  answer = [] { return syncs == 1 ? EIO : 0; };
  EXPECT_EQ(syncer.Sync(before), EIO);
  syncer.NoteCached(syncer.failed());
  syncer.NoteCached(before);
  syncer.NoteCached(syncer.failed());
  EXPECT_EQ(syncer.Flush(), EIO);
  syncer.NoteCached(syncer.failed());
  EXPECT_EQ(syncer.Flush(), 0);
}

TEST_F(FileSyncTest, ASignalIsNoFailure) {
  answer = [] { return syncs <= 3 ? EINTR : 0; };
  EXPECT_EQ(Write(1)[0], absl::OkStatus());
  EXPECT_EQ(syncs, 4);
}

TEST_F(FileSyncTest, AFileThatKnowsNoSync) {
  answer = [] { return EINVAL; };
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(std::string(Write(1)[0].message()),
                HasSubstr("not known to be on the device: fdatasync error: Invalid argument"));
  }
}

// The kernel tells one of two threads of a failure. The other's bytes may be those that are lost.
TEST_F(FileSyncTest, AFailureIsThatOfAllWhoHadWritten) {
  const UniqueFd file(open(path_.c_str(), O_RDWR | O_CLOEXEC));
  FileSyncer syncer(file.get());
  const uint32_t before_first = syncer.failed();
  const uint32_t before_second = syncer.failed();
  answer = [] { return syncs == 1 ? ENOSPC : 0; };
  EXPECT_EQ(syncer.Sync(before_first), ENOSPC);
  EXPECT_EQ(syncer.Sync(before_second), ENOSPC) << "it had written before the failure was told";
  EXPECT_EQ(syncer.Sync(syncer.failed()), 0);
}

// A thread that asks the kernel while another one is being told of a failure waits until that is
// known.
TEST_F(FileSyncTest, OneAtATime) {
  std::atomic<int> inside{0};
  answer = [&] {
    EXPECT_EQ(inside.fetch_add(1), 0);
    std::this_thread::yield();
    inside.fetch_sub(1);
    return syncs % 3 == 0 ? EIO : 0;
  };
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) failures += Write(1)[0].ok() ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(syncs, 200);
  EXPECT_GE(failures, 66);
}

TEST_F(FileSyncTest, AChildDoesNotWaitForAThreadOfItsParents) {
  if (!kForksBesideMalloc) GTEST_SKIP() << kNoForksBesideMalloc;
  std::atomic<bool> asked{false};
  std::atomic<bool> forked{false};
  answer = [&] {
    asked = true;
    asked.notify_all();
    forked.wait(false);
    return 0;
  };
  std::thread writer([&] { EXPECT_EQ(Write(1)[0], absl::OkStatus()); });
  asked.wait(false);
  EXPECT_EQ(InChild([&] {
              answer = nullptr;
              EXPECT_EQ(Write(1)[0], absl::OkStatus());
              device_.reset();
            }),
            "");
  forked = true;
  forked.notify_all();
  writer.join();
}

}  // namespace
}  // namespace ebcache
