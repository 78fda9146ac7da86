// Whether a leaf with these items is let pass, or refused by which rule.

#ifndef EBCACHE_TESTS_FORMAT_RULE_CHECKS_H_
#define EBCACHE_TESTS_FORMAT_RULE_CHECKS_H_

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "lib/format/check/rejection.h"
#include "lib/format/check/tree_block_checker.h"
#include "tests/format/format_bytes.h"
#include "tests/format/item_bytes.h"

namespace ebcache::testing {

inline constexpr uint32_t kNodeBytes = 4096;
inline constexpr uint64_t kMiB = 1 << 20;
inline constexpr uint64_t kLast = ~uint64_t{0} - 4095;  // the last sector of the address space
inline constexpr uint64_t kFreeInodes = static_cast<uint64_t>(-12);

// A filesystem whose superblock has generation 7, with every feature that an item may need.
inline constexpr TreeBlockLimits kLimits{
    .sector_bytes = 4096, .checksum_bytes = 4, .newest_generation = 8, .from_disk = true};
inline TreeBlockLimits With(bool TreeBlockLimits::*field, bool value) {
  TreeBlockLimits limits = kLimits;
  limits.*field = value;
  return limits;
}

using Items = std::vector<LeafItem>;

inline absl::Status Check(const Items& items, uint64_t owner = kFsTreeId,
                          const TreeBlockLimits& limits = kLimits) {
  return CheckTreeBlockBytes(
      LeafBytes({.node_bytes = kNodeBytes, .bytenr = 65536, .owner = owner}, items), limits);
}

inline void Passes(const Items& items, uint64_t owner = kFsTreeId,
                   const TreeBlockLimits& limits = kLimits) {
  EXPECT_EQ(Check(items, owner, limits), absl::OkStatus()) << items.back().key.ToString();
}
inline void Refused(Rejection rejection, const Items& items, uint64_t owner = kFsTreeId,
                    const TreeBlockLimits& limits = kLimits) {
  const absl::Status status = Check(items, owner, limits);
  EXPECT_TRUE(absl::EndsWith(status.message(), absl::StrCat(" [", RejectionName(rejection), "]")))
      << items.back().key.ToString() << ": " << status << ", not " << RejectionName(rejection);
}

inline std::string Joined(const std::string& a, const std::string& b) { return a + b; }

inline Items One(const Key& key, const std::string& data) { return {{key, data}}; }

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_FORMAT_RULE_CHECKS_H_
