// Programs that found something once, by name; and random ones, short and long.

#include "tests/operations/cache_operations.h"

#include <gtest/gtest.h>

#include <vector>

namespace ebcache::operations {
namespace {

TEST(CacheOperationsTest, Seeds) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) RunProgram(FromSeed(seed, seed % 100));
  for (uint64_t seed = 1; seed <= 300; ++seed) RunProgram(FromSeed(seed, 200));
  // Which reach states that short ones do not.
  for (uint64_t seed = 1; seed <= 40; ++seed) RunProgram(FromSeed(seed, 1000));
}

TEST(CacheOperationsTest, EmptyProgram) { RunProgram({}); }

TEST(CacheOperationsTest, AnyBytesAreAProgram) {
  const std::vector<uint8_t> bytes(1000, 0xff);
  for (size_t length = 0; length <= bytes.size(); length += 99) {
    RunProgram(FromBytes(absl::MakeConstSpan(bytes).first(length)));
  }
}

// Nobody gives them back, and memory is small.
TEST(CacheOperationsTest, PrivateBuffersWithoutEnd) {
  for (const auto allocator : {Setup::kRegion, Setup::kPageArrays, Setup::kLargePages}) {
    RunProgram({.setup = {.allocator = allocator},
                .operations = std::vector<Operation>(600, {Operation::kCreateDummy, 9, 189})});
  }
}

TEST(CacheOperationsTest, PrintsAsATest) {
  const Program program{.setup = {.allocator = Setup::kRegion},
                        .operations = {{Operation::kFind, 3, 5}}};
  EXPECT_EQ(ToCpp(program),
            "TEST(CacheOperationsTest, NameMe) {\n"
            "  RunProgram({.setup = {.allocator = Setup::kRegion},\n"
            "       .operations = {\n"
            "           {Operation::kFind, 3, 5},\n"
            "       }});\n"
            "}\n");
}

}  // namespace
}  // namespace ebcache::operations
