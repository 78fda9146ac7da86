// Operations on a cache and on a naive model of it, as data: what fuzzers and drivers make, and
// what named tests are written in.
//
// Each operation performs itself on both and compares all that can be seen from outside.
// Allocations and IO fail when told to, time is a counter, and the device calls back into the cache
// while it reads and writes. What differs ends the process, after the program was printed as the
// C++ of a test that shows it again.

#ifndef EBCACHE_TESTS_OPERATIONS_CACHE_OPERATIONS_H_
#define EBCACHE_TESTS_OPERATIONS_CACHE_OPERATIONS_H_

#include <absl/types/span.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ebcache::operations {

struct Operation {
  enum Kind : uint8_t {
    kFind,
    kCreate,
    kRead,
    kReadBlock,
    kReadBlocks,
    kPut,
    kPutStale,
    kShare,
    kWrite,
    kSetDirty,
    kClearDirty,
    kWriteback,
    kWritebackAll,
    kGiveUpWrite,
    kGiveUpWrites,
    kReinit,
    kClone,
    kCreateDummy,
    kPutPrivate,
    kDropCaches,
    kShrink,
    kFirstAtOrAfter,
    kNextDirty,
    kReleaseFolio,
    kCompact,
    kTrim,
    kNothing,  // was a clock's; recorded programs keep their numbers
    // Switches: what goes wrong from here on.
    kFailReads,
    kFailWrites,
    kFailNextAllocation,
    kReenter,  // what the device does during IO
    kKinds,
  };
  Kind kind = kFind;
  uint8_t address = 0;  // chooses a block
  uint8_t which = 0;    // chooses a reference, or how
};

struct Setup {
  enum Allocator : uint8_t { kHeap, kOrder0, kPageArrays, kLargePages, kRegion, kAllocators };
  Allocator allocator = kOrder0;
  bool drop_to_migrate = false;
  bool background_defragmenter = false;  // of a region
};

struct Program {
  Setup setup;
  std::vector<Operation> operations;
};

// As the body of a test.
std::string ToCpp(const Program& program);

// Runs it; ends the process when the cache and the model differ.
void RunProgram(const Program& program);

// A program out of any bytes, and one of `length` operations out of a seed.
Program FromBytes(absl::Span<const uint8_t> bytes);
Program FromSeed(uint64_t seed, size_t length);

}  // namespace ebcache::operations

#endif  // EBCACHE_TESTS_OPERATIONS_CACHE_OPERATIONS_H_
