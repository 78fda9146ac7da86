// Trees: which there are, what is in their blocks, searching and iterating.

#include <absl/status/status.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/btree.h"
#include "lib/base/status_number.h"
#include "lib/capi/damage_tally.h"
#include "lib/capi/errors.h"
#include "lib/capi/handles.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {
namespace {

// 0 when `buffer` is a block of this kind that has such a slot. The slot must lie in the block,
// whatever the header says: the block may not have been checked.
int CheckSlot(const ebcache_buffer* buffer, uint32_t slot, bool leaf) {
  if (buffer == nullptr) return NullArgument(leaf ? "leaf" : "node");
  const Header header(*Inside(buffer));
  if ((header.level() == 0) != leaf) {
    return Fail(EINVAL, leaf ? "the block is not a leaf" : "the block is a leaf");
  }
  const uint64_t slot_bytes = leaf ? kItemBytes : kKeyPointerBytes;
  if (slot >= header.item_count() ||
      kHeaderBytes + (uint64_t{slot} + 1) * slot_bytes > Inside(buffer)->length()) {
    return Fail(ERANGE, "the block has no such slot");
  }
  return 0;
}

// A step that failed. That there is no item is one thing, that a source of the caller's has no such
// block another: by that the path is lost.
int FailToStep(const Path& path, const absl::Status& status) {
  if (path.leaf() || NumberOf(status) != ENOENT) return Fail(status);
  return Fail(EUCLEAN, {status.message().data(), status.message().size()});
}

ebcache_item Outside(const Item& item) {
  return {.size = sizeof(ebcache_item),
          .key = capi::Outside(item.key()),
          .data = item.data().data(),
          .data_bytes = item.data().size()};
}

void TellOf(const ItemGap& gap, void (*tell)(void* context, const ebcache_gap* gap),
            void* context) {
  const std::string message = gap.damage.ToString();
  const ebcache_gap outside{.size = sizeof(outside),
                            .from = capi::Outside(gap.keys.from),
                            .to = capi::Outside(gap.keys.to),
                            .tree = gap.damage.tree,
                            .logical = gap.damage.logical,
                            .level = gap.damage.level,
                            .error = -ErrnoOf(gap.damage.status),
                            .message = message.c_str()};
  tell(context, &outside);
}

absl::StatusOr<Path> Search(const BTree& tree, const ebcache_key* key, int mode) {
  switch (mode) {
    case EBCACHE_SEARCH_EXACT:
      return tree.Find(Inside(*key));
    case EBCACHE_SEARCH_AT_OR_AFTER:
      return tree.Search(key != nullptr ? Inside(*key) : kMinKey);
    default:
      return tree.SearchBackward(key != nullptr ? Inside(*key) : kMaxKey);
  }
}

}  // namespace
}  // namespace ebcache::capi

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

// ---- Blocks -------------------------------------------------------------------------------------

int ebcache_header(const ebcache_buffer* buffer, struct ebcache_header* header) {
  if (buffer == nullptr) return NullArgument("buffer");
  const Header inside(*Inside(buffer));
  return CopyOut({.size = sizeof(*header),
                  .bytenr = inside.bytenr(),
                  .flags = inside.flags(),
                  .generation = inside.generation(),
                  .owner = inside.owner(),
                  .item_count = inside.item_count(),
                  .level = inside.level()},
                 header, "header");
}

int ebcache_leaf_slot(const ebcache_buffer* leaf, uint32_t slot, struct ebcache_leaf_slot* item) {
  if (const int error = CheckSlot(leaf, slot, /*leaf=*/true); error != 0) return error;
  const ItemHead head = LoadItemHead(*Inside(leaf), slot);
  return CopyOut({.size = sizeof(*item),
                  .key = capi::Outside(head.key),
                  .data_offset = head.offset,
                  .data_bytes = head.size},
                 item, "item");
}

int ebcache_node_slot(const ebcache_buffer* node, uint32_t slot, struct ebcache_node_slot* child) {
  if (const int error = CheckSlot(node, slot, /*leaf=*/false); error != 0) return error;
  const KeyPointer pointer = LoadKeyPointer(*Inside(node), slot);
  return CopyOut({.size = sizeof(*child),
                  .key = capi::Outside(pointer.key),
                  .bytenr = pointer.bytenr,
                  .generation = pointer.generation},
                 child, "child");
}

// ---- Trees --------------------------------------------------------------------------------------

int ebcache_for_each_tree(ebcache_filesystem* filesystem,
                          int (*tell)(void* context, const ebcache_root* root), void* context) {
  if (filesystem == nullptr) return NullArgument("filesystem");
  if (tell == nullptr) return NullArgument("tell");
  return Guard([&] {
    std::vector<WalkDamage> damage;
    for (const TreeRoot& root : filesystem->filesystem->Trees(&damage)) {
      const ebcache_root outside = capi::Outside(root);
      const CallbackWords words;
      if (const int result = tell(context, &outside); result != 0)
        return words.Pass(result, "tell");
    }
    DamageTally tally;
    for (const WalkDamage& met : damage) tally.Add(met);
    return tally.Result();
  });
}

int ebcache_tree_open(ebcache_filesystem* filesystem, uint64_t id, ebcache_tree** tree) {
  if (tree == nullptr) return NullArgument("tree");
  *tree = nullptr;
  if (filesystem == nullptr) return NullArgument("filesystem");
  return Guard([&] {
    absl::StatusOr<BTree> found = filesystem->filesystem->Tree(id);
    if (!found.ok()) return Fail(found.status());
    *tree = new ebcache_tree{*std::move(found), nullptr, 0};
    return 0;
  });
}

int ebcache_tree_open_root(ebcache_cache* cache, const ebcache_root* root, ebcache_tree** tree) {
  if (tree == nullptr) return NullArgument("tree");
  *tree = nullptr;
  if (cache == nullptr) return NullArgument("cache");
  return Guard([&] {
    ebcache_root full;
    if (const int error = CopyInRoot(root, full); error != 0) return error;
    *tree = new ebcache_tree{BTree(cache->cache, Inside(full)), nullptr, 0};
    return 0;
  });
}

void ebcache_tree_close(ebcache_tree* tree) { delete tree; }

int ebcache_tree::Check() const {
  if (changes == nullptr || *changes == opened_at) return 0;
  return Fail(ESTALE, "the transaction has changed, or is over, since this tree was opened");
}

int ebcache_tree_root(const ebcache_tree* tree, ebcache_root* root) {
  if (tree == nullptr) return NullArgument("tree");
  return Guard([&] { return CopyOut(capi::Outside(tree->tree.root()), root, "root"); });
}

// ---- Paths --------------------------------------------------------------------------------------

int ebcache_search(const ebcache_tree* tree, const ebcache_key* key, int mode,
                   ebcache_path** path) {
  if (path == nullptr) return NullArgument("path");
  *path = nullptr;
  if (tree == nullptr) return NullArgument("tree");
  if (mode < EBCACHE_SEARCH_EXACT || mode > EBCACHE_SEARCH_AT_OR_BEFORE) {
    return Fail(EINVAL, "no such way to search");
  }
  if (key == nullptr && mode == EBCACHE_SEARCH_EXACT) return NullArgument("key");
  if (const int error = tree->Check(); error != 0) return error;
  return Guard([&] {
    absl::StatusOr<Path> found = Search(tree->tree, key, mode);
    if (!found.ok()) return Fail(found.status());
    if (!found->valid()) return Fail(ENOENT, "the tree has no item at or after this key");
    *path = new ebcache_path{*tree, *std::move(found), Item()};
    return 0;
  });
}

void ebcache_path_close(ebcache_path* path) { delete path; }

int ebcache_path_next(ebcache_path* path) {
  if (path == nullptr) return NullArgument("path");
  if (!path->path.leaf()) return Fail(EINVAL, "the path was lost by an error");
  if (const int error = path->of.Check(); error != 0) return error;
  return Guard([&] {
    const absl::Status status = path->of.tree.Next(path->path);
    if (!status.ok()) return FailToStep(path->path, status);
    if (path->path.valid()) return 0;
    // Behind the last item, where only the way back leads.
    const absl::Status back = path->of.tree.Previous(path->path);
    return back.ok() ? Fail(ENOENT, "there is no item behind this one") : Fail(back);
  });
}

int ebcache_path_previous(ebcache_path* path) {
  if (path == nullptr) return NullArgument("path");
  if (!path->path.leaf()) return Fail(EINVAL, "the path was lost by an error");
  if (const int error = path->of.Check(); error != 0) return error;
  return Guard([&] {
    const absl::Status status = path->of.tree.Previous(path->path);
    return status.ok() ? 0 : FailToStep(path->path, status);
  });
}

int ebcache_path_item(ebcache_path* path, ebcache_item* item) {
  if (path == nullptr) return NullArgument("path");
  if (const int error = path->of.Check(); error != 0) return error;
  if (!path->path.valid()) return Fail(EINVAL, "the path was lost by an error");
  return Guard([&] {
    const absl::Status status = path->path.Load(path->item);
    return status.ok() ? CopyOut(Outside(path->item), item, "item") : Fail(status);
  });
}

ebcache_buffer* ebcache_path_buffer(const ebcache_path* path, int level) {
  if (path == nullptr || level < 0 || level >= kMaxLevels) return nullptr;
  return capi::Outside(path->path.node(level).get());
}

uint32_t ebcache_path_slot(const ebcache_path* path, int level) {
  if (path == nullptr || level < 0 || level >= kMaxLevels) return 0;
  return path->path.slot(level);
}

int ebcache_iterate(const ebcache_tree* tree, const ebcache_key* from, const ebcache_key* to,
                    int (*visit)(void* context, const ebcache_item* item), void* context) {
  if (tree == nullptr) return NullArgument("tree");
  if (visit == nullptr) return NullArgument("visit");
  if (const int error = tree->Check(); error != 0) return error;
  return Guard([&] {
    ItemRange items = tree->tree.Items(RangeOf(from, to));
    for (const Item& item : items) {
      const ebcache_item outside = Outside(item);
      const CallbackWords words;
      if (const int result = visit(context, &outside); result != 0) {
        return words.Pass(result, "visit");
      }
      if (const int error = tree->Check(); error != 0) return error;
    }
    return items.status().ok() ? 0 : Fail(items.status());
  });
}

int ebcache_iterate_past_damage(const ebcache_tree* tree, const ebcache_key* from,
                                const ebcache_key* to, const ebcache_item_visitor* visitor,
                                void* context) {
  if (tree == nullptr) return NullArgument("tree");
  if (visitor == nullptr) return NullArgument("visitor");
  if (const int error = tree->Check(); error != 0) return error;
  return Guard([&] {
    ebcache_item_visitor functions;
    if (const int error = CopyIn(visitor, functions, "visitor"); error != 0) return error;
    if (functions.item == nullptr) return NullArgument("visitor->item");
    DamageTally damages;
    ItemRange items = tree->tree.Items(RangeOf(from, to), {.on_gap = [&](const ItemGap& gap) {
                                         damages.Add(gap.damage);
                                         if (functions.gap != nullptr) {
                                           TellOf(gap, functions.gap, context);
                                         }
                                       }});
    for (const Item& item : items) {
      const ebcache_item outside = Outside(item);
      const CallbackWords words;
      if (const int result = functions.item(context, &outside); result != 0) {
        return words.Pass(result, "item");
      }
      if (const int error = tree->Check(); error != 0) return error;
    }
    return damages.Result();
  });
}
