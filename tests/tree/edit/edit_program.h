// Programs of edits, as bytes: two neighbouring blocks beside a model of sorted entries, which says
// after every step what is in them and what the edit should have answered.
//
// The fuzzer makes these bytes, and so does edit_model_test with random numbers. What does not hold
// ends the process with the name of an oracle.

#ifndef EBCACHE_TESTS_TREE_EDIT_EDIT_PROGRAM_H_
#define EBCACHE_TESTS_TREE_EDIT_EDIT_PROGRAM_H_

#include <cstddef>
#include <cstdint>

namespace ebcache::testing {

// What programs came to, so that a test can see that they were not all of refusals.
struct EditCounts {
  uint64_t steps = 0;
  uint64_t done[13] = {};     // by kind of step
  uint64_t refused[10] = {};  // by Result
};

// Runs one program. Any bytes are one; the first says which node size and whether leaves or nodes.
void RunEditProgram(const uint8_t* data, size_t size, EditCounts* counts = nullptr);

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_TREE_EDIT_EDIT_PROGRAM_H_
