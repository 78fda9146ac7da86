#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "ebcache/block_device.h"
#include "lib/base/unique_fd.h"

namespace ebcache {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string TempPath(const std::string& name) { return ::testing::TempDir() + "/" + name; }

std::string MakeFile(const std::string& name, const std::string& contents) {
  const std::string path = TempPath(name);
  std::ofstream(path, std::ios::binary) << contents;
  return path;
}

std::string ReadAt(BlockDevice& device, uint64_t offset, size_t length, absl::Status* status) {
  std::string text(length, '?');
  DeviceRead read{.offset = offset,
                  .segments = {{reinterpret_cast<std::byte*>(text.data()), text.size()}}};
  device.Read(absl::MakeSpan(&read, 1));
  *status = read.status;
  return text;
}

absl::Status WriteAt(BlockDevice& device, uint64_t offset, const std::string& text) {
  DeviceWrite write{.offset = offset,
                    .segments = {{reinterpret_cast<const std::byte*>(text.data()), text.size()}}};
  device.Write(absl::MakeSpan(&write, 1));
  return write.status;
}

TEST(FileDevice, NameAndSize) {
  const std::string path = MakeFile("name", "0123456789");
  auto device = OpenFileDevice(path);
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ((*device)->name(), path);
  EXPECT_EQ((*device)->size_bytes(), 10);
}

// Descriptor 0 is one like any other in a process that has closed its standard input.
TEST(FileDevice, DescriptorZeroIsUsedAndClosed) {
  const std::string path = MakeFile("zero", "0123456789");
  const UniqueFd saved(dup(0));
  close(0);
  auto device = OpenFileDevice(path);
  EXPECT_TRUE(device.ok()) << device.status();
  EXPECT_NE(fcntl(0, F_GETFD), -1) << "the test tests nothing";
  absl::Status status;
  EXPECT_EQ(device.ok() ? ReadAt(**device, 2, 3, &status) : "", "234");
  EXPECT_TRUE(status.ok()) << status;
  device = absl::UnknownError("over");
  EXPECT_EQ(fcntl(0, F_GETFD), -1);
  if (saved.ok()) {
    EXPECT_EQ(dup2(saved.get(), 0), 0);
  }
}

TEST(FileDevice, ReadsABatch) {
  auto device = OpenFileDevice(MakeFile("batch", "0123456789"));
  std::string one(3, '?'), two(4, '?');
  auto bytes = [](std::string& s) {
    return absl::Span<std::byte>(reinterpret_cast<std::byte*>(s.data()), s.size());
  };
  DeviceRead reads[] = {{.offset = 7, .segments = {bytes(one)}},
                        {.offset = 8, .segments = {bytes(two)}},  // leaves the device
                        {.offset = 0, .segments = {bytes(two)}}};
  (*device)->Read(absl::MakeSpan(reads));
  EXPECT_TRUE(reads[0].status.ok());
  EXPECT_EQ(one, "789");
  EXPECT_EQ(reads[1].status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(reads[1].status.message(), "4 bytes there leave the device, which has 10");
  EXPECT_TRUE(reads[2].status.ok());
  EXPECT_EQ(two, "0123");
}

TEST(FileDevice, Ranges) {
  auto device = OpenFileDevice(MakeFile("ranges", "0123456789"));
  absl::Status status;
  EXPECT_EQ(ReadAt(**device, 9, 1, &status), "9");
  EXPECT_TRUE(status.ok());
  ReadAt(**device, 10, 0, &status);
  EXPECT_TRUE(status.ok());
  for (uint64_t offset : {uint64_t{10}, uint64_t{11}, uint64_t{1} << 63, ~uint64_t{0}}) {
    ReadAt(**device, offset, 1, &status);
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange) << offset;
  }
}

// More pieces than one call takes, of odd lengths, some of them empty.
TEST(FileDevice, ManySegments) {
  std::string contents;
  for (int i = 0; i < 3 * IOV_MAX; ++i) contents.push_back(static_cast<char>('a' + i % 23));
  auto device = OpenFileDevice(MakeFile("segments", contents));
  std::string apart(2 * contents.size(), '?');  // neighbours in memory would be one piece
  DeviceRead read;
  for (size_t at = 0; at < contents.size(); ++at) {
    auto* const to = reinterpret_cast<std::byte*>(&apart[2 * at]);
    if (at % 7 == 3) read.segments.push_back({to, 0});
    read.segments.push_back({to, 1});
  }
  ASSERT_GT(read.segments.size(), 3 * IOV_MAX);
  (*device)->Read(absl::MakeSpan(&read, 1));
  EXPECT_TRUE(read.status.ok()) << read.status;
  for (size_t at = 0; at < contents.size(); ++at) {
    ASSERT_EQ(apart[2 * at], contents[at]);
    ASSERT_EQ(apart[2 * at + 1], '?');
  }
}

TEST(FileDevice, Writes) {
  const std::string path = MakeFile("writes", "0123456789");
  auto device = OpenFileDevice(path, {.writable = true});
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_TRUE(WriteAt(**device, 3, "abc").ok());
  EXPECT_EQ(WriteAt(**device, 8, "abc").code(), absl::StatusCode::kOutOfRange);
  absl::Status status;
  EXPECT_EQ(ReadAt(**device, 0, 10, &status), "012abc6789");
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_size, 10);  // a file does not grow
}

TEST(FileDevice, ReadOnly) {
  auto device = OpenFileDevice(MakeFile("read_only", "0123456789"));
  EXPECT_EQ(WriteAt(**device, 0, "a").code(), absl::StatusCode::kPermissionDenied);
  absl::Status status;
  EXPECT_EQ(ReadAt(**device, 0, 1, &status), "0");
}

TEST(FileDevice, ShrinksWhileOpen) {
  const std::string path = MakeFile("shrinks", "0123456789");
  auto device = OpenFileDevice(path);
  ASSERT_EQ(truncate(path.c_str(), 4), 0);
  absl::Status status;
  ReadAt(**device, 2, 5, &status);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "read ended early at 4");
}

TEST(FileDevice, ErrnoIsToldOf) {
  auto device = OpenFileDevice(MakeFile("errno", "0123456789"));
  DeviceRead read{.offset = 0, .segments = {{reinterpret_cast<std::byte*>(8), 4}}};
  (*device)->Read(absl::MakeSpan(&read, 1));  // the kernel refuses the address
  EXPECT_EQ(read.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(read.status.message(), "read error: Bad address");
}

TEST(FileDevice, OpenErrors) {
  const std::string directory = TempPath("directory");
  mkdir(directory.c_str(), 0700);
  const std::string pipe = TempPath("pipe");
  mkfifo(pipe.c_str(), 0600);
  struct {
    std::string path;
    bool writable;
    absl::StatusCode code;
    const char* message;
  } const cases[] = {
      {TempPath("nothing"), false, absl::StatusCode::kNotFound, "No such file or directory"},
      {MakeFile("file", "x") + "/below", false, absl::StatusCode::kNotFound, "Not a directory"},
      {"", false, absl::StatusCode::kNotFound, "No such file or directory"},
      {directory, false, absl::StatusCode::kInvalidArgument, "is a directory"},
      {directory, true, absl::StatusCode::kInvalidArgument, "Is a directory"},
      {pipe, false, absl::StatusCode::kInvalidArgument, "is neither a file nor a block device"},
      {"/dev/null", false, absl::StatusCode::kInvalidArgument,
       "is neither a file nor a block device"},
      {TempPath(std::string(300, 'n')), false, absl::StatusCode::kInvalidArgument,
       "File name too long"},
  };
  for (const auto& c : cases) {
    const absl::Status status = OpenFileDevice(c.path, {.writable = c.writable}).status();
    EXPECT_EQ(status.code(), c.code) << status;
    EXPECT_THAT(std::string(status.message()), StartsWith(c.path + ": "));
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
  }
}

// ---- Batches, whichever way they are read -------------------------------------------------------

struct Way {
  const char* name;
  FileDeviceOptions options;
  // How much of the file is in the page cache, in parts of it.
  double cached = 1;
};

// Writes a file out, and takes it out of the page cache from `offset` on.
void Evict(const std::string& path, uint64_t offset) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY));
  ASSERT_TRUE(fd.ok());
  EXPECT_EQ(fdatasync(fd.get()), 0);
  EXPECT_EQ(posix_fadvise(fd.get(), static_cast<off_t>(offset), 0, POSIX_FADV_DONTNEED), 0);
}

class FileDeviceBatches : public ::testing::TestWithParam<Way> {
 protected:
  static constexpr size_t kPage = 4096;

  // A file of which each 8 bytes tell where they are, in a place where direct reads work.
  std::string MakeNumbered(size_t pages) {
    std::string contents(pages * kPage, '\0');
    for (uint64_t at = 0; at < contents.size(); at += 8) std::memcpy(&contents[at], &at, 8);
    const std::string path = MakeFile("numbered", contents);
    if (GetParam().cached < 1) {
      Evict(path, static_cast<uint64_t>(static_cast<double>(pages) * GetParam().cached) * kPage);
    }
    return path;
  }
  // Memory for one page, all of its own.
  std::byte* Page() {
    memory_.emplace_back(static_cast<std::byte*>(std::aligned_alloc(kPage, kPage)), &std::free);
    return memory_.back().get();
  }
  static bool Numbered(const DeviceRead& read) {
    uint64_t expected = read.offset;
    for (const auto& segment : read.segments) {
      for (size_t at = 0; at < segment.size(); at += 8, expected += 8) {
        uint64_t found;
        std::memcpy(&found, segment.data() + at, 8);
        if (found != expected) return false;
      }
    }
    return true;
  }
  // A read of two pages of memory that are no neighbours.
  DeviceRead TwoPages(uint64_t offset) {
    return {.offset = offset, .segments = {{Page(), kPage}, {Page(), kPage}}};
  }

  std::vector<std::unique_ptr<std::byte, decltype(&std::free)>> memory_;
};

TEST_P(FileDeviceBatches, EveryReadGetsItsBytesAndIsToldOfOnce) {
  constexpr size_t kReads = 300;
  auto device = OpenFileDevice(MakeNumbered(2 * kReads), GetParam().options);
  ASSERT_TRUE(device.ok()) << device.status();
  std::vector<DeviceRead> reads;
  // Runs of neighbours, and holes between them; and one read that leaves the device.
  for (size_t i = 0; i < kReads; ++i) {
    if (i % 10 != 7) reads.push_back(TwoPages(i * 2 * kPage));
  }
  reads.push_back(TwoPages((2 * kReads - 1) * kPage));
  for (int round = 0; round < 3; ++round) {
    std::vector<int> told(reads.size());
    (*device)->ReadEach(absl::MakeSpan(reads), [&](size_t i) {
      ++told[i];
      EXPECT_TRUE(i + 1 == reads.size() || Numbered(reads[i])) << "told before the bytes are there";
    });
    EXPECT_EQ(std::count(told.begin(), told.end(), 1), static_cast<int>(reads.size()));
    for (size_t i = 0; i + 1 < reads.size(); ++i) EXPECT_TRUE(reads[i].status.ok());
    EXPECT_EQ(reads.back().status.code(), absl::StatusCode::kOutOfRange);
    std::shuffle(reads.begin(), reads.end() - 1, std::mt19937(round));
  }
}

// What is wrong with one read of a run is not wrong with its neighbours.
TEST_P(FileDeviceBatches, AFailureIsThatOfItsReadAlone) {
  const std::string path = MakeNumbered(64);
  auto device = OpenFileDevice(path, GetParam().options);
  ASSERT_TRUE(device.ok()) << device.status();
  std::vector<DeviceRead> reads;
  for (size_t i = 0; i < 32; ++i) reads.push_back(TwoPages(i * 2 * kPage));
  reads[5].segments[1] = {reinterpret_cast<std::byte*>(kPage), kPage};  // no memory there
  ASSERT_EQ(truncate(path.c_str(), 60 * kPage), 0);
  (*device)->Read(absl::MakeSpan(reads));
  for (size_t i = 0; i < reads.size(); ++i) {
    if (i == 5 || i >= 30) {
      EXPECT_EQ(reads[i].status.code(), absl::StatusCode::kUnavailable) << i;
    } else {
      EXPECT_TRUE(reads[i].status.ok() && Numbered(reads[i])) << i << ": " << reads[i].status;
    }
  }
  EXPECT_EQ(reads[31].status.message(), absl::StrCat("read ended early at ", 62 * kPage));
}

TEST_P(FileDeviceBatches, UnalignedMemoryIsReadAsWell) {
  auto device = OpenFileDevice(MakeNumbered(8), GetParam().options);
  ASSERT_TRUE(device.ok()) << device.status();
  std::string odd(1000, '?');
  std::vector<DeviceRead> reads;
  reads.push_back(TwoPages(0));
  reads.push_back(
      {.offset = 2 * kPage, .segments = {{reinterpret_cast<std::byte*>(odd.data()), odd.size()}}});
  (*device)->Read(absl::MakeSpan(reads));
  for (const DeviceRead& read : reads) EXPECT_TRUE(read.status.ok() && Numbered(read));
}

TEST_P(FileDeviceBatches, ManyThreadsAtOnce) {
  auto device = OpenFileDevice(MakeNumbered(256), GetParam().options);
  ASSERT_TRUE(device.ok()) << device.status();
  std::vector<std::vector<DeviceRead>> batches(4);
  for (auto& batch : batches) {
    for (size_t i = 0; i < 128; ++i) batch.push_back(TwoPages(i * 2 * kPage));
  }
  std::vector<std::thread> threads;
  for (auto& batch : batches) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) (*device)->Read(absl::MakeSpan(batch));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& batch : batches) {
    for (const DeviceRead& read : batch) ASSERT_TRUE(read.status.ok() && Numbered(read));
  }
}

// Who verifies a block then finds it in the processor's cache still.
TEST_P(FileDeviceBatches, WhatIsCachedIsToldOfBeforeTheNextIsRead) {
  if (GetParam().cached < 1 || GetParam().options.direct) return;  // nothing is promised
  const std::string path = MakeNumbered(16);
  std::byte first_byte;
  iovec probe = {&first_byte, 1};
  const UniqueFd fd(open(path.c_str(), O_RDONLY));
  if (preadv2(fd.get(), &probe, 1, 0, RWF_NOWAIT) != 1)
    GTEST_SKIP() << "SKIPPED: no reads without waiting on the file system of " << path;
  auto device = OpenFileDevice(path, GetParam().options);
  ASSERT_TRUE(device.ok()) << device.status();
  std::vector<DeviceRead> reads;
  for (size_t i = 0; i < 4; ++i) reads.push_back(TwoPages(i * 4 * kPage));
  for (DeviceRead& read : reads) std::memset(read.segments[0].data(), '?', kPage);
  size_t told = 0;
  (*device)->ReadEach(absl::MakeSpan(reads), [&](size_t i) {
    EXPECT_EQ(i, told++);
    for (size_t later = told; later < reads.size(); ++later) {
      EXPECT_EQ(reads[later].segments[0][0], std::byte{'?'}) << later << " is there with " << i;
    }
  });
  EXPECT_EQ(told, reads.size());
}

INSTANTIATE_TEST_SUITE_P(
    Ways, FileDeviceBatches,
    ::testing::Values(Way{"cached", {}}, Way{"io_uring", {}, 0}, Way{"half_cached", {}, 0.5},
                      Way{"shallow", {.queue_depth = 2}, 0}, Way{"preadv", {.queue_depth = 1}},
                      Way{"direct", {.direct = true}},
                      Way{"direct_preadv", {.direct = true, .queue_depth = 1}}),
    [](const auto& info) { return info.param.name; });

// ---- A ring that breaks -------------------------------------------------------------------------

// The descriptors of rings that this process has.
std::vector<int> Rings() {
  std::vector<int> rings;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(entry.path(), error);
    if (!error && target == "anon_inode:[io_uring]") {
      rings.push_back(std::stoi(entry.path().filename()));
    }
  }
  return rings;
}

// The kernel refuses to go on with it: all runs are read the other way, and later batches have a
// ring of their own.
TEST(FileDevice, WhatABrokenRingDoesNotBringIsReadWithoutIt) {
  constexpr size_t kPage = 4096;
  constexpr size_t kReads = 100;  // more than are under way at once
  std::string contents(kReads * 2 * kPage, '\0');
  for (size_t at = 0; at < contents.size(); at += 8) std::memcpy(&contents[at], &at, 8);
  const std::string path = MakeFile("ring", contents);
  auto device = OpenFileDevice(path);
  ASSERT_TRUE(device.ok()) << device.status();
  std::vector<std::string> texts(kReads);
  const auto read_all = [&] {
    Evict(path, 0);
    std::vector<DeviceRead> reads;
    for (size_t i = 0; i < kReads; ++i) {
      texts[i].assign(kPage, '?');
      reads.push_back({.offset = i * 2 * kPage,
                       .segments = {{reinterpret_cast<std::byte*>(texts[i].data()), kPage}}});
    }
    std::vector<int> told(kReads);
    (*device)->ReadEach(absl::MakeSpan(reads), [&](size_t i) { ++told[i]; });
    for (size_t i = 0; i < kReads; ++i) {
      EXPECT_TRUE(reads[i].status.ok()) << reads[i].status;
      EXPECT_EQ(texts[i], contents.substr(i * 2 * kPage, kPage)) << i;
      EXPECT_EQ(told[i], 1) << i;
    }
  };
  read_all();
  const std::vector<int> rings = Rings();
  if (rings.empty()) GTEST_SKIP() << "SKIPPED: the kernel has no rings for this process";
  for (const int ring : rings) {
    const UniqueFd other(open("/dev/null", O_RDWR | O_CLOEXEC));
    ASSERT_EQ(dup2(other.get(), ring), ring);
  }
  read_all();
  EXPECT_EQ(Rings(), std::vector<int>()) << "a broken ring is not there any more";
  read_all();
  EXPECT_EQ(Rings().size(), 1u);
}

TEST(FileDevice, PermissionDenied) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read everything";
  const std::string path = MakeFile("secret", "x");
  ASSERT_EQ(chmod(path.c_str(), 0), 0);
  EXPECT_EQ(OpenFileDevice(path).status().code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace ebcache
