#include "tests/model/programs.h"

namespace ebcache::model {
void AddAllocatorPrograms(std::vector<Program>&) {}
}  // namespace ebcache::model
