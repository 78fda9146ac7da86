#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>

#include "ebcache/allocators.h"
#include "tests/support/in_child.h"

namespace ebcache {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

TEST(RealOsCallsTest, MapsAlignedZeroes) {
  OsCalls* const os = OsCalls::Real();
  for (size_t alignment : {size_t{4096}, size_t{65536}, 2 * kMiB, 1024 * kMiB}) {
    auto* const memory = static_cast<std::byte*>(os->Map(3 * 4096, alignment));
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % alignment, 0u);
    for (size_t i = 0; i < 3 * 4096; i += 512) EXPECT_EQ(memory[i], std::byte{0});
    std::memset(memory, 1, 3 * 4096);
    os->Unmap(memory, 3 * 4096);
  }
}

uint64_t MappedBytes() {
  uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * 4096;
}

// What is mapped to find an aligned place goes again, before and behind it.
TEST(RealOsCallsTest, TakesNoMoreAddressesThanItGives) {
  OsCalls* const os = OsCalls::Real();
  const uint64_t before = MappedBytes();
  for (int i = 0; i < 200; ++i) {
    void* const memory = os->Map(16 * 4096, 64 * kMiB);
    ASSERT_NE(memory, nullptr);
    os->Unmap(memory, 16 * 4096);
  }
  EXPECT_LT(MappedBytes(), before + 64 * kMiB);
}

// Nothing behind what was given: it is an address that another mapping may get.
TEST(RealOsCallsTest, LeavesNothingMappedBehindWhatItGives) {
  OsCalls* const os = OsCalls::Real();
  const uint64_t before = MappedBytes();
  void* const memory = os->Map(16 * 4096, 1024 * kMiB);
  ASSERT_NE(memory, nullptr);
  EXPECT_LT(MappedBytes(), before + 64 * kMiB);
  os->Unmap(memory, 16 * 4096);
}

TEST(RealOsCallsTest, MemoryThatCannotBeMappedTakesNoAddresses) {
  OsCalls* const os = OsCalls::Real();
  const uint64_t before = MappedBytes();
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(os->MapMemory(OsCalls::kNoMemory, 64 * kMiB, 4096), nullptr);
  }
  EXPECT_LT(MappedBytes(), before + 64 * kMiB);
}

TEST(RealOsCallsTest, AdviceThatTheOsRefusesIsTold) {
  OsCalls* const os = OsCalls::Real();
  EXPECT_FALSE(os->AdviseHugePages(reinterpret_cast<void*>(1), 4096));
  EXPECT_FALSE(os->CollapseHugePages(reinterpret_cast<void*>(1), 4096));
}

// Another limit than the usual one, seen by a child alone.
TEST(RealOsCallsTest, MappingsAreAsManyAsTheKernelSays) {
  const std::string limit = testing::TempDir() + "/max_map_count";
  std::ofstream(limit) << "1234\n";
  const char* const real = "/proc/sys/vm/max_map_count";
  const auto replaced = [&] {
    return unshare(CLONE_NEWNS) == 0 &&
           mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount(limit.c_str(), real, nullptr, MS_BIND, nullptr) == 0;
  };
  if (InChild([&] { ASSERT_TRUE(replaced()); }) != "") {
    GTEST_SKIP() << "SKIPPED: no mounts without root: another limit cannot be shown";
  }
  EXPECT_EQ(InChild([&] {
              ASSERT_TRUE(replaced());
              EXPECT_EQ(OsCalls::Real()->MaxMappings(), 1234u);
            }),
            "");
}

TEST(RealOsCallsTest, PurgedMemoryReadsAsZero) {
  OsCalls* const os = OsCalls::Real();
  auto* const memory = static_cast<std::byte*>(os->Map(2 * kMiB, 2 * kMiB));
  ASSERT_NE(memory, nullptr);
  std::memset(memory, 1, 2 * kMiB);
  EXPECT_TRUE(os->Purge(memory + 4096, 8192));
  EXPECT_EQ(memory[4095], std::byte{1});
  EXPECT_EQ(memory[4096], std::byte{0});
  EXPECT_EQ(memory[4096 + 8191], std::byte{0});
  EXPECT_EQ(memory[4096 + 8192], std::byte{1});
  os->Unmap(memory, 2 * kMiB);
}

TEST(RealOsCallsTest, RefusesWhatCannotBe) {
  OsCalls* const os = OsCalls::Real();
  EXPECT_EQ(os->Map(0, 4096), nullptr);
  EXPECT_EQ(os->Map(~size_t{0}, 4096), nullptr);
  EXPECT_EQ(os->Map(~size_t{0} - 4095, 2 * kMiB), nullptr);
  EXPECT_EQ(os->Map(size_t{1} << 60, 4096), nullptr);
  EXPECT_DEATH(os->Map(4096, 4095), "alignment of a mapping");
  EXPECT_DEATH(os->Unmap(reinterpret_cast<void*>(1), 4096), "unmapping a range");
}

}  // namespace
}  // namespace ebcache
