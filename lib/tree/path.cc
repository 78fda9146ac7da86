// Going sideways from where a path stands, and reading what is there.

#include <absl/cleanup/cleanup.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "ebcache/btree.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"
#include "lib/base/check.h"
#include "lib/tree/slots.h"
#include "lib/tree/tree_error.h"

namespace ebcache {

namespace {

// Without words where there is no memory for them: an exception would say that the path is lost.
absl::Status NoItemBefore(const TreeRoot& root) noexcept {
  try {
    return absl::NotFoundError(absl::StrCat("tree ", root.name, " has no item before this one"));
  } catch (const std::bad_alloc&) {
    return absl::NotFoundError("");
  }
}

}  // namespace

absl::Status Path::Load(Item& item) const {
  EBCACHE_CHECK(valid(), "Load needs a path that stands on an item");
  const ExtentBuffer& buffer = *leaf();
  const ItemHead head = LoadItemHead(buffer, slot(0));
  if (head.offset > buffer.length() || head.size > buffer.length() - head.offset) {
    return absl::DataLossError(
        absl::StrCat("block ", buffer.start(), ": item ", slot(0), " lies outside of the block"));
  }
  item.key_ = head.key;
  // Room for a copy, should the data straddle pages.
  if (buffer.contiguous() == nullptr && item.copy_.size() < head.size) item.copy_.resize(head.size);
  item.data_ = {buffer.View(head.offset, head.size, item.copy_.data()), head.size};
  return absl::OkStatus();
}

void BTree::CheckOurs(const Path& path) const {
  EBCACHE_CHECK(path.empty() || (path.root_bytenr_ == root_.bytenr &&
                                 path.root_level_ == root_.level && path.cache_ == cache_),
                "a path of another tree was given to this one");
}

absl::Status BTree::Descend(Path& path, int level, Edge edge) const {
  for (; level > 0; --level) {
    absl::StatusOr<ExtentBufferRef> child = ReadChild(path, level);
    if (!child.ok()) return child.status();
    path.slots_[level - 1] = edge == Edge::kFirst ? 0 : Header(**child).item_count() - 1;
    path.nodes_[level - 1] = *std::move(child);
  }
  return absl::OkStatus();
}

absl::Status BTree::NextLeaf(Path& path) const {
  const uint32_t items = Header(*path.leaf()).item_count();
  int level = 1;
  while (level <= path.root_level_ &&
         path.slots_[level] + 1 >= Header(*path.nodes_[level]).item_count()) {
    ++level;
  }
  if (level > path.root_level_) {
    path.slots_[0] = items;
    return absl::OkStatus();
  }
  const Key last = LeafKey(*path.leaf(), items - 1);  // a leaf with a parent is never empty
  absl::Cleanup lost = [&] { path = Path(); };        // also when memory is out on the way
  ++path.slots_[level];
  absl::Status status = Descend(path, level, Edge::kFirst);
  if (status.ok() && path.key() <= last) {
    status = TreeError(root_, 0, path.leaf()->start(),
                       absl::StrCat("starts with ", path.key().ToString(),
                                    ", but the leaf before it ends with ", last.ToString()));
  }
  if (status.ok()) std::move(lost).Cancel();
  return status;
}

absl::Status BTree::Next(Path& path) const {
  EBCACHE_CHECK(path.leaf(), "Next needs a path that stands in a tree");
  CheckOurs(path);
  if (NextInLeaf(path)) return absl::OkStatus();
  return NextLeaf(path);
}

absl::Status BTree::Previous(Path& path) const {
  EBCACHE_CHECK(path.leaf(), "Previous needs a path that stands in a tree");
  CheckOurs(path);
  if (path.slots_[0] > 0) {
    --path.slots_[0];
    return absl::OkStatus();
  }
  int level = 1;
  while (level <= path.root_level_ &&
         path.slots_[level] <= FirstSlotLeft(root_, *path.nodes_[level], level)) {
    ++level;
  }
  if (level > path.root_level_) {
    return NoItemBefore(root_);
  }
  const Key first = LeafKey(*path.leaf(), 0);
  absl::Cleanup lost = [&] { path = Path(); };
  --path.slots_[level];
  absl::Status status = Descend(path, level, Edge::kLast);
  if (status.ok() && path.key() >= first) {
    status = TreeError(root_, 0, path.leaf()->start(),
                       absl::StrCat("ends with ", path.key().ToString(),
                                    ", but the leaf after it starts with ", first.ToString()));
  }
  if (status.ok()) std::move(lost).Cancel();
  return status;
}

}  // namespace ebcache
