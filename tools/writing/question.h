// The question that programs ask before they write.

#ifndef EBCACHE_TOOLS_WRITING_QUESTION_H_
#define EBCACHE_TOOLS_WRITING_QUESTION_H_

#include <absl/status/status.h>

#include <string>
#include <vector>

#include "ebcache/on_disk.h"

namespace ebcache::tools {

// "btrfs filesystem UUID (label 'music') on a.img, b.img"; without the devices where there are none.
std::string DescribeFilesystem(const Superblock& superblock, const std::vector<std::string>& paths);

// Asks on the terminal whether to do `what`, as in "rewrite 9 trees of the btrfs filesystem ...". OK:
// yes. Errors: FailedPrecondition, there is no terminal to ask on; Cancelled, the answer was no. Signals
// that are held back come through while it waits: nothing may have been done yet.
absl::Status Ask(const std::string& what);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_WRITING_QUESTION_H_
