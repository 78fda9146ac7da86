#include "tools/subcommands.h"

namespace ebcache::tools {
namespace {

constexpr char kAbout[] =
    R"(Looks at the metadata of btrfs filesystems through an extent buffer cache

Devices are image files or block devices, all of one filesystem, not mounted. Nothing is written to
them. `ebcache help <subcommand>` tells the options of a subcommand; ebcache(8) and
ebcache-<subcommand>(8) tell more.

Exit code: 0 what was looked at is good; 1 it is not; 2 cannot tell, or the command line is wrong.)";

}  // namespace

int RunEbcache(const AllocatorChoiceMaker& make_allocator_choice, int argc, char** argv) {
  return RunSubcommands("ebcache", kAbout,
                        {
                            TreeStats(make_allocator_choice),
                            Verify(),
                            FindBlock(),
                            Top(make_allocator_choice),
                        },
                        argc, argv);
}

}  // namespace ebcache::tools
