#include "lib/format/check/parent_check.h"

#include <absl/strings/str_cat.h>

namespace ebcache {
namespace {

absl::Status CheckFirstKey(const BlockBytes& block, const Header& header, const Key& expected) {
  if (header.item_count() == 0) {
    return absl::DataLossError(
        absl::StrCat("empty, the parent expects first key ", expected.ToString()));
  }
  const Key found = LoadKey(block, kHeaderBytes);  // of leaves and nodes alike
  if (found == expected) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("first key ", found.ToString(), ", the parent expects ", expected.ToString()));
}

absl::Status CheckOwner(uint64_t found, uint64_t expected) {
  // The trees of a log and of a relocation are known by the offset of their keys, and their blocks
  // carry that or the subvolume's id: the kernel lets them pass, too.
  if (expected == kTreeLogId || expected == kTreeRelocId) return absl::OkStatus();
  // Snapshots share blocks, so any file tree's will do.
  if (IsFsTree(expected) && IsFsTree(found)) return absl::OkStatus();
  if (found == expected) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("owner ", TreeName(found), ", read as part of ", TreeName(expected)));
}

}  // namespace

absl::Status CheckAgainstParent(const BlockBytes& block, const ParentCheck& check) {
  const Header header(block);
  if (check.level && header.level() != *check.level) {
    return absl::DataLossError(
        absl::StrCat("level ", header.level(), ", the parent expects ", *check.level));
  }
  if (check.generation != 0 && header.generation() != check.generation) {
    return absl::DataLossError(absl::StrCat("generation ", header.generation(),
                                            ", the parent expects ", check.generation));
  }
  if (check.first_key) {
    absl::Status status = CheckFirstKey(block, header, *check.first_key);
    if (!status.ok()) return status;
  }
  return check.owner == 0 ? absl::OkStatus() : CheckOwner(header.owner(), check.owner);
}

}  // namespace ebcache
