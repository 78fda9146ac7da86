// The libFuzzer target: bytes as a program of operations.
//
//   ./bazelw build --config=fuzz //tests/fuzz:cache_fuzz

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/cache_operations.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  ebcache::fuzz::RunProgram(ebcache::fuzz::FromBytes({data, bytes}));
  return 0;
}
