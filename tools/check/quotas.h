// Quota groups: what they count against what trees have.

#ifndef EBCACHE_TOOLS_CHECK_QUOTAS_H_
#define EBCACHE_TOOLS_CHECK_QUOTAS_H_

#include <string>
#include <vector>

#include "ebcache/btree.h"
#include "tools/check/state.h"

namespace ebcache::tools {

// When simple quotas began to count: the generation; none where they are not on.
std::optional<uint64_t> SimpleQuotasSince(CheckState& state);

// Ordinary quotas: goes through all subvolumes, as often as it takes to have `bytes` of memory suffice.
// Simple ones: state.charges. `notices` says where counts could not be held against anything.
void CheckQuotas(CheckState& state, const std::vector<TreeRoot>& roots, uint64_t bytes,
                 std::vector<std::string>& notices);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_QUOTAS_H_
