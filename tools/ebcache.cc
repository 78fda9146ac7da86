// ebcache: looks at the metadata of btrfs filesystems.

#include <memory>

#include "tools/allocator_choice.h"
#include "tools/subcommands.h"

int main(int argc, char** argv) {
  using ebcache::tools::AllocatorChoice;
  return ebcache::tools::RunEbcache([] { return std::make_unique<AllocatorChoice>(); }, argc, argv);
}
