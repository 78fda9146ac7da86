// Recordings of what a cache was asked for: written by the tools, read by the benchmark of eviction orders.

#include "tools/recording.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/eviction/access_trace.h"
#include "tests/support/memory_source.h"
#include "tools/command.h"

namespace ebcache::tools {
namespace {

constexpr uint64_t kNode = 16384;

std::string Contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// As it is after the command line asked for this file; "" asks for none.
void Ask(Recording& recording, const std::string& path) {
  Command command("program", "", "Does things.");
  recording.AddOptions(command);
  std::vector<std::string> arguments;
  if (!path.empty()) arguments.push_back("--record=" + path);
  ASSERT_EQ(command.Parse(arguments), std::nullopt);
}

TEST(Recording, IsWhatTheBenchmarkReads) {
  const std::string path = ::testing::TempDir() + "/recording";
  Recording recording;
  Ask(recording, path);
  ASSERT_TRUE(recording.Begin().ok());
  {
    MemorySource source;
    BufferCache cache({.budget_bytes = 0, .on_access = recording.on_access()}, &source);
    ASSERT_TRUE(cache.ReadBlock(kNode).ok());
    ASSERT_TRUE(cache.ReadBlock(kNode).ok());
    EXPECT_TRUE(cache.Find(kNode));  // a look
    const std::vector<uint64_t> starts = {kNode, 5 * kNode};
    std::vector<absl::StatusOr<ExtentBufferRef>> results(2);
    cache.ReadBlocks(starts, {}, absl::MakeSpan(results));
    ASSERT_TRUE(results[1].ok());
    results[1]->PutStale();
    ASSERT_TRUE(cache.Create(5 * kNode).ok());
    ASSERT_TRUE(recording.End().ok());
    ASSERT_TRUE(cache.Create(9 * kNode).ok());  // after the end, and not in it
  }
  EXPECT_EQ(Contents(path), "a4\nf4\nf4\na14\ns14\na14\n");
  const absl::StatusOr<eviction::AccessTrace> trace = eviction::ReadRecording(path);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->blocks, 2u);
  EXPECT_EQ(trace->touches, 5u);
  EXPECT_EQ(trace->accesses.size(), 6u);
}

TEST(Recording, OfSeveralThreadsHasWholeLines) {
  const std::string path = ::testing::TempDir() + "/recording";
  Recording recording;
  Ask(recording, path);
  ASSERT_TRUE(recording.Begin().ok());
  const auto note = recording.on_access();
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (uint64_t block = 0; block < 3000; ++block) note(CacheAccess::kFound, block * kNode);
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(recording.End().ok());
  const absl::StatusOr<eviction::AccessTrace> trace = eviction::ReadRecording(path);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->touches, 9000u);
  EXPECT_EQ(trace->blocks, 3000u);
}

TEST(Recording, IsNoneWithoutTheOption) {
  Recording recording;
  Ask(recording, "");
  EXPECT_TRUE(recording.Begin().ok());
  EXPECT_FALSE(recording.on_access());
  EXPECT_TRUE(recording.End().ok());
}

TEST(Recording, SaysWhereItCannotWrite) {
  Recording nowhere;
  Ask(nowhere, ::testing::TempDir() + "/no such folder/recording");
  EXPECT_TRUE(absl::IsUnavailable(nowhere.Begin())) << nowhere.Begin();
  Recording full;
  Ask(full, "/dev/full");
  ASSERT_TRUE(full.Begin().ok());
  full.on_access()(CacheAccess::kMade, 0);
  EXPECT_TRUE(absl::IsUnavailable(full.End()));
}

}  // namespace
}  // namespace ebcache::tools
