// Random programs of edits against the model of edit_program.h.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <vector>

#include "lib/tree/edit/result.h"
#include "tests/tree/edit/edit_program.h"

namespace ebcache::testing {
namespace {

// Programs of `bytes` bytes until there were so many steps. EBCACHE_EDIT_SEED begins elsewhere.
EditCounts RunRandomPrograms(uint8_t mode, size_t bytes, uint64_t steps) {
  const char* const given = std::getenv("EBCACHE_EDIT_SEED");
  uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  EditCounts counts;
  std::vector<uint8_t> program(bytes);
  for (; counts.steps < steps; ++seed) {
    // Before, because what does not hold ends the process.
    std::cout << "seed " << seed << " " << std::flush;
    std::mt19937_64 random(seed);
    for (uint8_t& byte : program) byte = static_cast<uint8_t>(random());
    program[0] = mode;
    RunEditProgram(program.data(), program.size(), &counts);
  }
  std::cout << ": " << counts.steps << " steps\n";
  return counts;
}

struct Shape {
  const char* name;
  uint8_t mode;
  size_t bytes;
  uint64_t steps;
  bool leaf;
};

class EditModel : public ::testing::TestWithParam<Shape> {};

TEST_P(EditModel, EveryStepIsAsTheModelSays) {
  const Shape& shape = GetParam();
  const EditCounts counts = RunRandomPrograms(shape.mode, shape.bytes, shape.steps);
  // Every kind of step was made, and every reason given that there is in such programs.
  for (uint64_t done : counts.done) EXPECT_GT(done, 0u);
  for (edit::Result reason : {edit::Result::kBadSlot, edit::Result::kBadCount,
                              edit::Result::kKeyOrder, edit::Result::kNoRoom}) {
    EXPECT_GT(counts.refused[static_cast<size_t>(reason)], 0u) << reason;
  }
  for (edit::Result reason : {edit::Result::kBadData, edit::Result::kTooLarge}) {
    if (!shape.leaf) continue;
    EXPECT_GT(counts.refused[static_cast<size_t>(reason)], 0u) << reason;
  }
  if (!shape.leaf) {
    EXPECT_GT(counts.refused[static_cast<size_t>(edit::Result::kBadPointer)], 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, EditModel,
                         ::testing::Values(Shape{"leaves4096", 0, 4000, 400000, true},
                                           Shape{"leaves16384", 2, 12000, 200000, true},
                                           Shape{"leaves65536", 3, 40000, 100000, true},
                                           Shape{"nodes4096", 4, 12000, 200000, false},
                                           Shape{"nodes16384", 6, 60000, 100000, false},
                                           Shape{"nodes65536", 7, 250000, 50000, false}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ebcache::testing
