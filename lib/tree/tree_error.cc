#include "lib/tree/tree_error.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>
#include <absl/strings/strip.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "ebcache/btree.h"
#include "ebcache/on_disk.h"
#include "lib/base/status_number.h"

namespace ebcache {
namespace {

// The message of a failed read has mostly named the block already.
absl::string_view WithoutBlock(uint64_t logical, absl::string_view message) {
  absl::ConsumePrefix(&message, absl::StrCat("block ", logical, ": "));
  return message;
}

std::string Describe(const std::string& tree, int level, uint64_t logical,
                     const absl::Status& status) {
  return absl::StrCat("tree ", tree, ", level ", level, ", block ", logical, ": ",
                      WithoutBlock(logical, status.message()));
}

}  // namespace

std::string TreeRootName(uint64_t id, uint64_t key_offset) {
  // The key offset of a snapshot's root item is a generation; only these two have a subvolume's id.
  const bool of_subvolume = (id == kTreeLogId && key_offset != 0) || id == kTreeRelocId;
  return of_subvolume ? absl::StrCat(TreeName(id), " ", key_offset) : TreeName(id);
}

std::string WalkDamage::reason() const {
  return std::string(WithoutBlock(logical, status.message()));
}

std::string WalkDamage::ToString() const {
  return Describe(TreeRootName(tree, key_offset), level, logical, status);
}

absl::Status InTree(const TreeRoot& tree, int level, uint64_t logical, const absl::Status& status) {
  const std::string words = Describe(tree.name, level, logical, status);
  // What a tree leads to has to be somewhere. NotFound is the answer about items alone. The number
  // that a source gave stays its own.
  if (absl::IsNotFound(status)) return WithNumber(absl::DataLossError(words), NumberOf(status));
  return Reworded(status, words);
}

absl::Status TreeError(const TreeRoot& tree, int level, uint64_t logical, std::string_view reason) {
  return InTree(tree, level, logical,
                absl::DataLossError(absl::string_view(reason.data(), reason.size())));
}

}  // namespace ebcache
