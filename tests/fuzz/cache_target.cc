// The libFuzzer target: bytes as a program of operations.
//
//   tests/fuzz/run.sh cache 600

#include <cstddef>
#include <cstdint>

#include "tests/operations/cache_operations.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  ebcache::operations::RunProgram(ebcache::operations::FromBytes({data, bytes}));
  return 0;
}
