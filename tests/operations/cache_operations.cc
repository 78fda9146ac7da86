#include "tests/operations/cache_operations.h"

#include <csignal>
#include <cstdio>
#include <iterator>
#include <random>

#include "tests/operations/cache_world.h"

// In sanitized builds: called before the process ends.
extern "C" void __sanitizer_set_death_callback(void (*)()) __attribute__((weak));

namespace ebcache::operations {

namespace {

constexpr const char* kNames[] = {
    "kFind",       "kCreate",         "kRead",         "kReadBlock",    "kReadBlocks",
    "kPut",        "kPutStale",       "kShare",        "kWrite",        "kSetDirty",
    "kClearDirty", "kWriteback",      "kWritebackAll", "kGiveUpWrite",  "kGiveUpWrites",
    "kReinit",     "kClone",          "kCreateDummy",  "kPutPrivate",   "kDropCaches",
    "kShrink",     "kFirstAtOrAfter", "kNextDirty",    "kReleaseFolio", "kCompact",
    "kTrim",       "kNothing",        "kFailReads",    "kFailWrites",   "kFailNextAllocation",
    "kReenter"};
static_assert(std::size(kNames) == Operation::kKinds);

constexpr const char* kAllocatorNames[] = {"kHeap", "kOrder0", "kPageArrays", "kLargePages",
                                           "kRegion"};
static_assert(std::size(kAllocatorNames) == Setup::kAllocators);

// What is running, for whoever has to tell of its end.
const Program* running = nullptr;
size_t done = 0;

void PrintRunning() {
  if (running == nullptr) return;
  Program shown = *running;
  running = nullptr;  // once
  if (shown.operations.size() > done + 1) shown.operations.resize(done + 1);
  std::fprintf(stderr, "%s", ToCpp(shown).c_str());
}

void OnAbort(int) { PrintRunning(); }

void InstallHandlers() {
  static const bool installed = [] {
    std::signal(SIGABRT, &OnAbort);
    if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(&PrintRunning);
    return true;
  }();
  (void)installed;
}

Setup SetupFrom(unsigned bits) {
  return {.allocator = static_cast<Setup::Allocator>(bits % Setup::kAllocators),
          .drop_to_migrate = (bits >> 4 & 1) != 0};
}

}  // namespace

std::string ToCpp(const Program& program) {
  std::string text =
      "TEST(CacheOperationsTest, NameMe) {\n  RunProgram({.setup = {.allocator = Setup::";
  text += kAllocatorNames[program.setup.allocator];
  if (program.setup.drop_to_migrate) text += ", .drop_to_migrate = true";
  if (program.setup.background_defragmenter) text += ", .background_defragmenter = true";
  text += "},\n       .operations = {\n";
  for (const Operation& operation : program.operations) {
    text += std::string("           {Operation::") + kNames[operation.kind] + ", " +
            std::to_string(operation.address) + ", " + std::to_string(operation.which) + "},\n";
  }
  return text + "       }});\n}\n";
}

void RunProgram(const Program& program) {
  InstallHandlers();
  running = &program;
  done = 0;
  {
    World world(program.setup);
    for (const Operation& operation : program.operations) {
      world.Perform(operation);
      world.Compare();
      ++done;
    }
    world.Finish();
  }
  running = nullptr;
}

Program FromBytes(absl::Span<const uint8_t> bytes) {
  Program program;
  if (bytes.empty()) return program;
  program.setup = SetupFrom(bytes[0]);
  bytes.remove_prefix(1);
  for (; bytes.size() >= 3; bytes.remove_prefix(3)) {
    program.operations.push_back({static_cast<Operation::Kind>(bytes[0] % Operation::kKinds),
                                  static_cast<uint8_t>(bytes[1] % World::kAddresses), bytes[2]});
  }
  return program;
}

Program FromSeed(uint64_t seed, size_t length) {
  std::mt19937_64 random(seed);
  Program program;
  program.setup = SetupFrom(static_cast<unsigned>(random()));
  program.setup.background_defragmenter =
      program.setup.allocator == Setup::kRegion && random() % 4 == 0;
  // A few kinds are left out of each program: one that always drops never gets far.
  uint64_t kinds = random() | random();
  kinds |= uint64_t{1} << Operation::kCreate;
  while (program.operations.size() < length) {
    const auto kind = static_cast<Operation::Kind>(random() % Operation::kKinds);
    if ((kinds >> kind & 1) == 0) continue;
    program.operations.push_back(
        {kind, static_cast<uint8_t>(random() % World::kAddresses), static_cast<uint8_t>(random())});
  }
  return program;
}

}  // namespace ebcache::operations
