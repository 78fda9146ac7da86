// Items of the extent tree, and all references to one extent.

#include <variant>

#include "ebcache/btree.h"
#include "lib/capi/handles.h"
#include "lib/capi/items.h"

namespace ebcache::capi {
namespace {

ebcache_extent_ref Ref(uint8_t type, uint32_t count) {
  ebcache_extent_ref ref{};
  ref.size = sizeof ref;
  ref.type = type;
  ref.count = count;
  return ref;
}

ebcache_extent_ref Outside(const TreeBlockRef& of) {
  ebcache_extent_ref ref = Ref(TreeBlockRef::kType, 1);
  ref.root = of.root;
  return ref;
}
ebcache_extent_ref Outside(const SharedBlockRef& of) {
  ebcache_extent_ref ref = Ref(SharedBlockRef::kType, 1);
  ref.parent = of.parent;
  return ref;
}
ebcache_extent_ref Outside(const ExtentDataRef& of) {
  ebcache_extent_ref ref = Ref(ExtentDataRef::kType, of.count);
  ref.root = of.root;
  ref.inode = of.inode;
  ref.offset = of.offset;
  return ref;
}
ebcache_extent_ref Outside(const SharedDataRef& of) {
  ebcache_extent_ref ref = Ref(SharedDataRef::kType, of.count);
  ref.parent = of.parent;
  return ref;
}
ebcache_extent_ref Outside(const ExtentOwnerRef& of) {
  ebcache_extent_ref ref = Ref(ExtentOwnerRef::kType, 0);
  ref.root = of.root;
  return ref;
}

ebcache_extent_item Outside(const ExtentItem& item) {
  ebcache_extent_item full{};
  full.size = sizeof full;
  full.references = item.head.references;
  full.generation = item.head.generation;
  full.flags = item.head.flags;
  if (item.block.has_value()) {
    full.has_block = 1;
    full.level = item.block->level;
    full.first_key = capi::Outside(item.block->first_key);
  }
  full.inline_refs = item.inline_refs.data();
  full.inline_ref_bytes = item.inline_refs.size();
  return full;
}

bool IsKeyedRef(uint8_t type) {
  return type == kTreeBlockRefType || type == kSharedBlockRefType || type == kExtentDataRefType ||
         type == kSharedDataRefType || type == kExtentOwnerRefType;
}

// The one reference of an item that has one: most of it, or all, is in the key.
absl::StatusOr<ebcache_extent_ref> OnlyRef(const Key& key, absl::Span<const std::byte> item) {
  switch (key.type) {
    case kSharedDataRefType: {
      const absl::StatusOr<SharedDataCount> shared = ParseItem<SharedDataCount>(item);
      if (!shared.ok()) return shared.status();
      return Outside(SharedDataRef{.parent = key.offset, .count = shared->count});
    }
    case kExtentOwnerRefType: {
      const absl::StatusOr<ExtentOwnerRef> owner = ParseItem<ExtentOwnerRef>(item);
      if (!owner.ok()) return owner.status();
      return Outside(*owner);
    }
    default: {
      const absl::StatusOr<EmptyItem> empty = ParseItem<EmptyItem>(item);
      if (!empty.ok()) return empty.status();
      return key.type == kTreeBlockRefType ? Outside(TreeBlockRef{.root = key.offset})
                                           : Outside(SharedBlockRef{.parent = key.offset});
    }
  }
}

// Calls the caller's function with each reference of an item, until it returns something else than 0.
class RefTeller {
 public:
  RefTeller(const ebcache_tree* extents, int (*tell)(void* context, const ebcache_extent_ref* ref),
            void* context)
      : extents_(*extents), tell_(tell), context_(context) {}

  int TellInline(absl::Span<const std::byte> refs) {
    size_t position = 0;
    ebcache_extent_ref ref = Ref(0, 0);
    int more = 0;
    while (!refs.empty() &&
           (more = ebcache_next_inline_ref(refs.data(), refs.size(), &position, &ref)) == 1) {
      if (const int result = Tell(ref); result != 0) return result;
    }
    return more;
  }

  int TellKeyed(const Item& item) {
    const ebcache_key key = capi::Outside(item.key());
    size_t position = 0;
    ebcache_extent_ref ref = Ref(0, 0);
    int more;
    while ((more = ebcache_next_keyed_ref(&key, item.data().data(), item.data().size(), &position,
                                          &ref)) == 1) {
      if (const int result = Tell(ref); result != 0) return result;
    }
    return more;
  }

 private:
  // The caller may have changed the tree, and with it the item that the next one is in.
  int Tell(const ebcache_extent_ref& ref) {
    const CallbackWords words;
    const int result = words.Pass(tell_(context_, &ref), "tell");
    return result != 0 ? result : extents_.Check();
  }

  const ebcache_tree& extents_;
  int (*const tell_)(void* context, const ebcache_extent_ref* ref);
  void* const context_;
};

}  // namespace
}  // namespace ebcache::capi

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

int ebcache_parse_extent_item(uint8_t type, const void* data, size_t bytes,
                              struct ebcache_extent_item* extent) {
  if (data == nullptr) return NullArgument("data");
  return Guard([&] {
    const absl::StatusOr<ExtentItem> item = ParseExtentItem(type, Bytes(data, bytes));
    return item.ok() ? CopyOut(Outside(*item), extent, "extent") : Fail(item.status());
  });
}

int ebcache_next_inline_ref(const void* data, size_t bytes, size_t* position,
                            struct ebcache_extent_ref* ref) {
  return NextAs<InlineRef>(data, bytes, position, ref, "ref", [](const InlineRef& entry) {
    return std::visit([](const auto& of) { return Outside(of); }, entry);
  });
}

int ebcache_next_keyed_ref(const struct ebcache_key* key, const void* data, size_t bytes,
                           size_t* position, struct ebcache_extent_ref* ref) {
  if (key == nullptr) return NullArgument("key");
  if (data == nullptr && bytes != 0) return NullArgument("data");
  if (position == nullptr) return NullArgument("position");
  if (!IsKeyedRef(key->type)) return Fail(EINVAL, "key: no type of a reference to an extent");
  if (key->type == kExtentDataRefType) {
    if (data == nullptr) return Fail(EUCLEAN, "an item of references to data has no bytes");
    return NextAs<ExtentDataRef>(data, bytes, position, ref, "ref",
                                 [](const ExtentDataRef& entry) { return Outside(entry); });
  }
  // Behind its end: there is one, be the item's length 0.
  if (*position > bytes) return 0;
  if (*position != 0) return Fail(EINVAL, "position is not one that this function has set");
  return Guard([&] {
    const absl::StatusOr<ebcache_extent_ref> only = OnlyRef(capi::Inside(*key), Bytes(data, bytes));
    if (!only.ok()) return Fail(only.status());
    if (const int error = CopyOut(*only, ref, "ref"); error != 0) return error;
    *position = bytes + 1;
    return 1;
  });
}

int ebcache_for_each_extent_ref(const ebcache_tree* extents, uint64_t start,
                                struct ebcache_extent_item* extent,
                                int (*tell)(void* context, const ebcache_extent_ref* ref),
                                void* context) {
  if (extents == nullptr) return NullArgument("extents");
  if (tell == nullptr) return NullArgument("tell");
  if (const int error = extents->Check(); error != 0) return error;
  return Guard([&] {
    RefTeller teller(extents, tell, context);
    bool found = false;
    ItemRange items = extents->tree.Items({.from = {start, kExtentItemType, 0},
                                           .to = {start, kBlockGroupItemType - 1, ~uint64_t{0}}});
    for (const Item& item : items) {
      const uint8_t type = item.key().type;
      int result = 0;
      if (type == kExtentItemType || type == kMetadataItemType) {
        const absl::StatusOr<ExtentItem> parsed = ParseExtentItem(type, item.data());
        if (!parsed.ok()) return Fail(parsed.status());
        found = true;
        ebcache_extent_item full = Outside(*parsed);
        full.inline_refs = nullptr;  // they do not outlive the call
        full.inline_ref_bytes = 0;
        if (extent != nullptr) result = CopyOut(full, extent, "extent");
        if (result == 0) result = teller.TellInline(parsed->inline_refs);
      } else if (found && IsKeyedRef(type)) {
        result = teller.TellKeyed(item);
      }
      if (result != 0) return result;
    }
    if (!items.status().ok()) return Fail(items.status());
    return found ? 0 : Fail(ENOENT, "nothing is allocated at this address");
  });
}
