// Edits of tree blocks: programs of them beside a model, which tests/tree/edit/edit_program.cc has
// with the oracles.

#include <cstddef>
#include <cstdint>

#include "tests/tree/edit/edit_program.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ebcache::testing::RunEditProgram(data, size);
  return 0;
}
