#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <utility>

#include "ebcache/btree.h"

namespace ebcache {

ItemRange BTree::Items(KeyRange range) const { return ItemRange(*this, range); }

ItemRange::Iterator ItemRange::begin() {
  absl::StatusOr<Path> path = tree_.Search(range_.from);
  status_ = path.status();
  path_ = path.ok() ? *std::move(path) : Path();
  Settle();
  return Iterator(this);
}

void ItemRange::Advance() {
  status_ = tree_.Next(path_);
  Settle();
}

// Loads the item the path has come to, or finds that the range is at its end. The path is dropped
// there: a range that somebody keeps must not keep blocks in memory.
void ItemRange::Settle() {
  done_ = !status_.ok() || !path_.valid() || range_.to < path_.key();
  if (!done_) {
    status_ = path_.Load(item_);
    done_ = !status_.ok();
  }
  if (done_) path_ = Path();
}

}  // namespace ebcache
