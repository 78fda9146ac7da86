// Batches of writes, whichever way they are written.

#include <absl/strings/str_cat.h>
#include <absl/types/span.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <limits.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/block_device.h"
#include "lib/base/unique_fd.h"

namespace ebcache {
namespace {

constexpr size_t kPage = 4096;

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

struct Way {
  const char* name;
  FileDeviceOptions options;
  bool cached;
};

class FileWriteTest : public ::testing::TestWithParam<Way> {
 protected:
  // A device of so many pages of '.'.
  void Open(size_t pages) {
    expected_.assign(pages * kPage, '.');
    std::ofstream(path_, std::ios::binary) << expected_;
    auto device = OpenFileDevice(path_, GetParam().options);
    ASSERT_TRUE(device.ok()) << device.status();
    device_ = *std::move(device);
  }
  // A write of these bytes, in two pieces.
  void Add(uint64_t offset, std::string text) {
    expected_.replace(offset, text.size(), text);
    texts_.push_back(std::make_unique<std::string>(std::move(text)));
    const auto* const bytes = reinterpret_cast<const std::byte*>(texts_.back()->data());
    const size_t half = texts_.back()->size() / 2;
    writes_.push_back(
        {.offset = offset,
         .segments = {{bytes, half}, {}, {bytes + half, texts_.back()->size() - half}}});
  }
  void Write() {
    if (GetParam().cached) {
      device_->WriteCached(absl::MakeSpan(writes_));
    } else {
      device_->Write(absl::MakeSpan(writes_));
    }
  }
  std::string Contents() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  const std::string path_ = ::testing::TempDir() + "/written_" + GetParam().name;
  std::unique_ptr<BlockDevice> device_;
  std::string expected_;
  std::vector<std::unique_ptr<std::string>> texts_;
  std::vector<DeviceWrite> writes_;
};

TEST_P(FileWriteTest, EveryWriteIsThere) {
  constexpr size_t kWrites = 300;  // more than are under way at once
  Open(2 * kWrites);
  // Neighbours, and holes between them.
  for (size_t i = 0; i < kWrites; ++i) {
    if (i % 10 != 7) Add(i * 2 * kPage, std::string(2 * kPage, static_cast<char>('a' + i % 26)));
  }
  for (int round = 0; round < 3; ++round) {
    Write();
    for (const DeviceWrite& write : writes_) EXPECT_EQ(write.status, absl::OkStatus());
    EXPECT_EQ(Contents() == expected_, true) << round;
    std::shuffle(writes_.begin(), writes_.end(), std::mt19937(round));
    for (auto& text : texts_) {
      for (char& c : *text) ++c;
    }
    for (char& c : expected_) c = c == '.' ? c : static_cast<char>(c + 1);
  }
  EXPECT_EQ(device_->Flush(), absl::OkStatus());
}

// What is wrong with one write of a run is not wrong with its neighbours.
TEST_P(FileWriteTest, AFailureIsThatOfItsWriteAlone) {
  Open(64);
  for (size_t i = 0; i < 32; ++i) {
    if (i != 5 && i != 9) Add(i * kPage, std::string(kPage, 'x'));
  }
  writes_.push_back(
      {.offset = 5 * kPage, .segments = {{reinterpret_cast<const std::byte*>(kPage), kPage}}});
  std::sort(writes_.begin(), writes_.end(),
            [](const DeviceWrite& a, const DeviceWrite& b) { return a.offset < b.offset; });
  Add(64 * kPage - 1, "x");
  writes_.back().offset += 1;
  writes_.push_back({.offset = 60 * kPage, .segments = {}});
  expected_.back() = '.';
  Write();
  for (const DeviceWrite& write : writes_) {
    if (write.offset == 5 * kPage) {
      EXPECT_EQ(write.status, absl::UnavailableError("write error: Bad address"));
    } else if (write.offset == 64 * kPage) {
      EXPECT_TRUE(absl::IsOutOfRange(write.status));
    } else {
      EXPECT_EQ(write.status, absl::OkStatus()) << write.offset;
    }
  }
  EXPECT_EQ(Contents() == expected_, true);
}

// More than one call takes.
TEST_P(FileWriteTest, ManyPieces) {
  Open(3);
  const std::string text(3 * IOV_MAX, 'p');
  DeviceWrite many{.offset = 0};
  for (size_t i = 0; i < text.size(); i += 2) {  // neighbours in memory would be one piece
    many.segments.push_back({reinterpret_cast<const std::byte*>(&text[i]), 1});
  }
  ASSERT_GT(many.segments.size(), static_cast<size_t>(IOV_MAX));
  expected_.replace(0, many.segments.size(), many.segments.size(), 'p');
  writes_.push_back(std::move(many));
  Add(2 * kPage, "another run");
  Write();
  EXPECT_EQ(writes_[0].status, absl::OkStatus());
  EXPECT_EQ(writes_[1].status, absl::OkStatus());
  EXPECT_EQ(Contents() == expected_, true);
}

TEST_P(FileWriteTest, WhatABrokenRingDoesNotTakeIsWrittenWithoutIt) {
  constexpr size_t kWrites = 100;
  Open(2 * kWrites);
  for (size_t i = 0; i < kWrites; ++i) Add(i * 2 * kPage, std::string(kPage, 'r'));
  Write();
  const std::vector<int> rings = Rings();
  if (GetParam().cached || GetParam().options.queue_depth == 1) {
    EXPECT_EQ(rings, std::vector<int>());
    return;
  }
  if (rings.empty()) GTEST_SKIP() << "SKIPPED: the kernel has no rings for this process";
  for (const int ring : rings) {
    const UniqueFd other(open("/dev/null", O_RDWR | O_CLOEXEC));
    ASSERT_EQ(dup2(other.get(), ring), ring);
  }
  for (auto& text : texts_) std::fill(text->begin(), text->end(), 's');
  std::replace(expected_.begin(), expected_.end(), 'r', 's');
  Write();
  for (const DeviceWrite& write : writes_) EXPECT_EQ(write.status, absl::OkStatus());
  EXPECT_EQ(Contents() == expected_, true);
  EXPECT_EQ(Rings(), std::vector<int>()) << "a broken ring is not there any more";
}

// A ring lives on in the kernel for a while after it was closed, with the files that it had.
TEST_P(FileWriteTest, CanBeOpenedAgainAtOnce) {
  for (int i = 0; i < 20; ++i) {
    Open(64);
    for (size_t page = 0; page < 64; page += 2) Add(page * kPage, std::string(kPage, 'o'));
    Write();
    device_.reset();
    writes_.clear();
    EXPECT_TRUE(Contents() == expected_);
    // Open has refused where the one before still has its claim.
    ASSERT_FALSE(HasFailure()) << "after " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Ways, FileWriteTest,
    ::testing::Values(Way{"cached", {.writable = true}, true},
                      Way{"io_uring_synced", {.writable = true}, false},
                      Way{"shallow", {.writable = true, .queue_depth = 2}, false},
                      Way{"pwritev", {.writable = true, .queue_depth = 1}, true},
                      Way{"pwritev_synced", {.writable = true, .queue_depth = 1}, false}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ebcache
