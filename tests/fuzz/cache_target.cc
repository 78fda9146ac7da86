// The libFuzzer target: bytes as a program of operations.
//
//   tests/fuzz/run.sh cache 600

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/cache_operations.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  ebcache::fuzz::RunProgram(ebcache::fuzz::FromBytes({data, bytes}));
  return 0;
}
