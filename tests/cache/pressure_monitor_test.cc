// Memory pressure, told by a file of our own.

#include "ebcache/pressure_monitor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "ebcache/buffer_cache.h"

namespace ebcache {
namespace {

constexpr uint64_t kNode = 4096;
constexpr uint64_t kBlocks = 1000;

class PressureMonitorTest : public testing::Test {
 protected:
  PressureMonitorTest() {
    for (uint64_t i = 0; i < kBlocks; ++i) (void)*cache_.Create(i * kNode);
    TellStall(1'000);
  }

  // Replaced as a whole, so that the monitor never reads half of it.
  void TellStall(uint64_t total_us) {
    std::ofstream file(path_, std::ios::in | std::ios::out | std::ios::trunc);
    if (!file) file.open(path_, std::ios::out);
    file << "some avg10=0.00 avg60=0.00 avg300=0.00 total=" << total_us
         << "\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
  }
  PressureMonitorOptions Options() {
    return {.path = path_,
            .window = std::chrono::milliseconds(1),
            .stall_percent = 10,
            .shrink_percent = 20};
  }
  static void AwaitTrue(const std::function<bool()>& condition) {
    while (!condition()) std::this_thread::yield();
  }

  const std::string path_ = testing::TempDir() + "/memory";
  BufferCache cache_{{.node_bytes = kNode, .budget_bytes = 0}};
};

// Descriptor 0 is one like any other in a process that has closed its standard input.
TEST_F(PressureMonitorTest, DescriptorZeroIsUsedAndClosed) {
  const int saved = dup(0);
  close(0);
  auto monitor = PressureMonitor::Start(&cache_, Options());
  EXPECT_TRUE(monitor.ok()) << monitor.status();
  EXPECT_NE(fcntl(0, F_GETFD), -1) << "the test tests nothing";
  monitor = absl::UnknownError("over");
  EXPECT_EQ(fcntl(0, F_GETFD), -1);
  if (saved < 0) return;
  EXPECT_EQ(dup2(saved, 0), 0);
  close(saved);
}

TEST_F(PressureMonitorTest, AStallShrinksTheCache) {
  auto monitor = PressureMonitor::Start(&cache_, Options());
  ASSERT_TRUE(monitor.ok()) << monitor.status();
  EXPECT_FALSE((*monitor)->woken_by_kernel());
  TellStall(50'000);  // 50 ms in a window of 1 ms: more than 10 %
  AwaitTrue([&] { return (*monitor)->pressures() != 0; });
  EXPECT_EQ((*monitor)->pressures(), 1u);
  const uint64_t cached = cache_.stats().cached_buffers;
  EXPECT_LE(cached, kBlocks * 4 / 5);
  EXPECT_GE(cached, kBlocks * 4 / 5 - 1);
  EXPECT_EQ((*monitor)->bytes_freed(), (kBlocks - cached) * kNode);
}

TEST_F(PressureMonitorTest, AStallOfBeforeIsNoPressureNow) {
  TellStall(1'000'000'000);
  auto monitor = PressureMonitor::Start(&cache_, Options());
  ASSERT_TRUE(monitor.ok()) << monitor.status();
  TellStall(1'000'000'050);  // 50 us of 1 ms: less than 10 %
  TellStall(1'000'100'050);
  AwaitTrue([&] { return (*monitor)->pressures() != 0; });
  EXPECT_EQ((*monitor)->pressures(), 1u);
}

TEST_F(PressureMonitorTest, AFileThatTurnsIntoSomethingElseIsNoPressure) {
  auto monitor = PressureMonitor::Start(&cache_, Options());
  ASSERT_TRUE(monitor.ok()) << monitor.status();
  std::ofstream(path_) << "nothing of the kind";
  TellStall(50'000);
  AwaitTrue([&] { return (*monitor)->pressures() != 0; });
  EXPECT_GT(cache_.stats().cached_buffers, 0u);
}

TEST_F(PressureMonitorTest, RefusesWhatItCannotWatch) {
  PressureMonitorOptions options = Options();
  options.path = path_ + ".not-there";
  EXPECT_EQ(PressureMonitor::Start(&cache_, options).status().code(), absl::StatusCode::kNotFound);
  options = Options();
  std::ofstream(path_) << "avg10=0.00\n";
  EXPECT_EQ(PressureMonitor::Start(&cache_, options).status().code(),
            absl::StatusCode::kInvalidArgument);
  TellStall(1);
  options.shrink_percent = 0;
  EXPECT_EQ(PressureMonitor::Start(&cache_, options).status().code(),
            absl::StatusCode::kInvalidArgument);
  options = Options();
  options.window = std::chrono::milliseconds(0);
  EXPECT_EQ(PressureMonitor::Start(&cache_, options).status().code(),
            absl::StatusCode::kInvalidArgument);
}

// Whether the kernel wakes this process for stalls of 0.1 s in windows of 2 s, the default.
bool KernelWakes() {
  const int file = open("/proc/pressure/memory", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return false;
  constexpr char kTrigger[] = "some 100000 2000000";
  const bool armed = write(file, kTrigger, sizeof kTrigger) == sizeof kTrigger;
  close(file);
  return armed;
}

TEST_F(PressureMonitorTest, WatchesTheKernelsFile) {
  auto monitor = PressureMonitor::Start(&cache_, {});
  if (absl::IsNotFound(monitor.status())) GTEST_SKIP() << "SKIPPED: " << monitor.status();
  ASSERT_TRUE(monitor.ok()) << monitor.status();
  EXPECT_EQ((*monitor)->woken_by_kernel(), KernelWakes());
}

TEST(ParseStallTime, TakesTheTotalOfTheFirstLine) {
  EXPECT_EQ(ParseStallTime("some avg10=0.12 avg60=0.00 avg300=0.00 total=4711\nfull total=3\n"),
            4711u);
  EXPECT_EQ(ParseStallTime("some avg10=0.00 avg60=0.00 avg300=0.00 total=0"), 0u);
}

TEST(ParseStallTime, RefusesEverythingElse) {
  for (const char* text :
       {"", "\n", "some", "some total=", "some avg10=0 total=1x\n", "full avg10=0.00 total=5\n",
        "some avg10=0.00 total=-5\n", "some avg10=0.00 total=99999999999999999999999\n"}) {
    EXPECT_EQ(ParseStallTime(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace ebcache
