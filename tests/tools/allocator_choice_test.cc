#include "tools/allocator_choice.h"

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace ebcache::tools {
namespace {

using ::testing::HasSubstr;

absl::Status Made(const std::string& kind, const std::string& page_size, uint64_t memory_mib) {
  AllocatorChoice choice;
  choice.kind = kind;
  choice.page_size = page_size;
  choice.memory_mib = memory_mib;
  return choice.Make().status();
}

// As many as there are numbers for, and no more: the library would end the program.
TEST(AllocatorChoice, PagesThatAnArenaCanHave) {
  constexpr uint64_t kMost = 1 << 20;  // that the flag takes
  for (const std::string& kind : AllocatorKinds()) {
    SCOPED_TRACE(kind);
    EXPECT_TRUE(Made(kind, "4096", kMost - 2).ok());
    EXPECT_TRUE(Made(kind, "16384", kMost).ok());
    EXPECT_TRUE(Made(kind, "65536", kMost).ok());
    const absl::Status status = Made(kind, "4096", kMost);
    if (kind == "heap") {
      EXPECT_TRUE(status.ok()) << status;
      continue;
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("--memory-mib"));
    EXPECT_FALSE(Made(kind, "16384", 4 * kMost).ok());
    EXPECT_FALSE(Made(kind, "65536", 16 * kMost).ok());
  }
}

}  // namespace
}  // namespace ebcache::tools
