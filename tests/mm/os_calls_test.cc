#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <fstream>

#include "ebcache/allocators.h"

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

// What is mapped to find an aligned place goes again, before and behind it.
TEST(RealOsCallsTest, TakesNoMoreAddressesThanItGives) {
  const auto mapped_bytes = [] {
    uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * 4096;
  };
  OsCalls* const os = OsCalls::Real();
  const uint64_t before = mapped_bytes();
  for (int i = 0; i < 200; ++i) {
    void* const memory = os->Map(16 * 4096, 64 * kMiB);
    ASSERT_NE(memory, nullptr);
    os->Unmap(memory, 16 * 4096);
  }
  EXPECT_LT(mapped_bytes(), before + 64 * kMiB);
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
