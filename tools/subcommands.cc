#include "tools/subcommands.h"

namespace ebcache::tools {
namespace {

constexpr char kAbout[] =
    R"(Looks at the metadata of btrfs filesystems through an extent buffer cache, and changes it

Devices are image files or block devices, all of one filesystem, not mounted. Only subcommands whose
help says so write to them. `ebcache help <subcommand>` tells the options of a subcommand; ebcache(8)
and ebcache-<subcommand>(8) tell more.

Exit code: 0 what was looked at is good, or what was to be done is done; 1 it is not, or not wholly;
2 cannot tell, nothing can be done, or the command line is wrong.)";

}  // namespace

int RunEbcache(const AllocatorChoiceMaker& make_allocator_choice, int argc, char** argv) {
  return RunSubcommands("ebcache", kAbout,
                        {
                            TreeStats(make_allocator_choice),
                            Verify(),
                            Check(),
                            FindBlock(),
                            Top(make_allocator_choice),
                            Tune(),
                            Rewrite(),
                            ZeroLog(),
                            RepairCopies(),
                            UndoSubcommand(),
                        },
                        argc, argv);
}

}  // namespace ebcache::tools
