#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <utility>

#include "ebcache/btree.h"
#include "lib/tree/leaf_sequence.h"

namespace ebcache {

ItemRange BTree::Items(KeyRange range, ItemRangeOptions options) const {
  return ItemRange(*this, range, std::move(options));
}

ItemRange::ItemRange(BTree tree, KeyRange range, ItemRangeOptions options)
    : tree_(std::move(tree)), range_(range), options_(std::move(options)) {}

ItemRange::ItemRange(ItemRange&&) = default;
ItemRange& ItemRange::operator=(ItemRange&&) = default;
ItemRange::~ItemRange() = default;

ItemRange::Iterator ItemRange::begin() {
  if (options_.on_gap) {
    leaves_ = std::make_unique<internal::LeafSequence>(tree_, range_, options_.on_gap);
    leaves_->First(path_);
    SettlePastGaps();
    return Iterator(this);
  }
  absl::StatusOr<Path> path = tree_.Search(range_.from);
  status_ = path.status();
  path_ = path.ok() ? *std::move(path) : Path();
  Settle();
  return Iterator(this);
}

void ItemRange::Advance() {
  if (leaves_ != nullptr) {
    if (!tree_.NextInLeaf(path_)) leaves_->Next(path_);
    SettlePastGaps();
    return;
  }
  status_ = tree_.Next(path_);
  Settle();
}

// Loads the item the path has come to, or finds that the range is at its end. The path is dropped
// there: a range that its caller keeps must not keep blocks in memory.
void ItemRange::Settle() {
  done_ = !status_.ok() || !path_.valid() || range_.to < path_.key();
  if (!done_) {
    status_ = path_.Load(item_);
    done_ = !status_.ok();
  }
  if (done_) path_ = Path();
}

void ItemRange::SettlePastGaps() {
  status_ = absl::OkStatus();  // of what the path stands on, as Settle asks
  Settle();
  // A leaf that passed the checker has no item that does not load; that error would be a newer one.
  if (status_.ok()) status_ = leaves_->first_damage();
}

}  // namespace ebcache
