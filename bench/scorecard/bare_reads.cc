#include "bench/scorecard/bare_reads.h"

#include <absl/strings/str_cat.h>
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "bench/scorecard/clock.h"

namespace ebcache::scorecard {
namespace {

constexpr off_t kBlock = 16384;

// The offsets of all blocks that are not in holes.
std::vector<off_t> Blocks(int fd) {
  std::vector<off_t> blocks;
  off_t data = 0;
  while ((data = lseek(fd, data, SEEK_DATA)) >= 0) {
    const off_t hole = lseek(fd, data, SEEK_HOLE);
    for (off_t at = (data + kBlock - 1) / kBlock * kBlock; at + kBlock <= hole; at += kBlock) {
      blocks.push_back(at);
    }
    data = hole;
  }
  std::shuffle(blocks.begin(), blocks.end(), std::mt19937_64(1));
  return blocks;
}

}  // namespace

absl::StatusOr<double> BareReadUs(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::UnavailableError(absl::StrCat(path, " cannot be read"));
  const std::vector<off_t> blocks = Blocks(fd);
  const size_t count = std::max(1u, std::thread::hardware_concurrency());
  std::atomic<bool> good{!blocks.empty()};
  const auto read_part = [&](size_t part) {
    alignas(4096) unsigned char bytes[kBlock];
    for (size_t i = part; i < blocks.size(); i += count) {
      if (pread(fd, bytes, kBlock, blocks[i]) != kBlock) good = false;
      benchmark::DoNotOptimize(crc32_iscsi(bytes, kBlock, ~uint32_t{0}));
    }
  };
  const double begin = WallSeconds();
  std::vector<std::thread> threads;
  for (size_t part = 0; part < count; ++part) threads.emplace_back(read_part, part);
  for (std::thread& thread : threads) thread.join();
  const double spent = WallSeconds() - begin;
  close(fd);
  if (!good) return absl::UnavailableError(absl::StrCat(path, ": could not be read"));
  return spent * 1e6 / static_cast<double>(blocks.size());
}

}  // namespace ebcache::scorecard
