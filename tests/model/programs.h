// The programs whose interleavings are explored.

#ifndef EBCACHE_TESTS_MODEL_PROGRAMS_H_
#define EBCACHE_TESTS_MODEL_PROGRAMS_H_

#include <vector>

#include "tests/model/scene.h"

namespace ebcache::model {

// All pairs, and all triples, of the operations on one block.
void AddCombinations(std::vector<Program>& programs);
// One for each race of the kernel's that could exist here, by the numbers of docs/races.md.
void AddScenarios(std::vector<Program>& programs);
// Writes that fail, are tried again, or meet each other.
void AddWritePrograms(std::vector<Program>& programs);
// A writer that copies blocks, beside readers, reclaim and compaction.
void AddTransactionPrograms(std::vector<Program>& programs);
// What ports of other caches ask for: puts that keep nothing, bytes that are read again, new buffers
// that say so.
void AddPortPrograms(std::vector<Program>& programs);
// Sources that use the cache.
void AddSourcePrograms(std::vector<Program>& programs);
// Those of our own.
void AddOwnScenarios(std::vector<Program>& programs);
// The page allocators' concurrent parts.
void AddAllocatorPrograms(std::vector<Program>& programs);
// A cache on a movable region.
void AddRegionPrograms(std::vector<Program>& programs);
// The thread that reclaims.
void AddBackgroundPrograms(std::vector<Program>& programs);
// Threads that read ahead.
void AddReadaheadPrograms(std::vector<Program>& programs);

std::vector<Program> AllPrograms();

}  // namespace ebcache::model

#endif  // EBCACHE_TESTS_MODEL_PROGRAMS_H_
