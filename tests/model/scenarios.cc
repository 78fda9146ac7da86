#include "tests/model/cache_scene.h"
#include "tests/model/programs.h"

namespace ebcache::model {
void AddScenarios(std::vector<Program>&) {}
void AddAllocatorPrograms(std::vector<Program>&) {}
}  // namespace ebcache::model
