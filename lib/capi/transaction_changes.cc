// What a transaction changes: items, references, trees, chunks, the label.

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/items_root.h"
#include "ebcache/transaction.h"
#include "lib/capi/errors.h"
#include "lib/capi/handles.h"
#include "lib/capi/session_handles.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {
namespace {

static_assert(EBCACHE_PROFILE_SINGLE == static_cast<int>(RaidProfile::kSingle));
static_assert(EBCACHE_PROFILE_DUP == static_cast<int>(RaidProfile::kDup));
static_assert(EBCACHE_PROFILE_RAID1C4 == static_cast<int>(RaidProfile::kRaid1c4));
static_assert(EBCACHE_PROFILE_RAID10 == static_cast<int>(RaidProfile::kRaid10));
static_assert(EBCACHE_PROFILE_RAID6 == static_cast<int>(RaidProfile::kRaid6));
static_assert(EBCACHE_CHUNK_DATA == kBlockGroupData);
static_assert(EBCACHE_CHUNK_SYSTEM == kBlockGroupSystem);
static_assert(EBCACHE_CHUNK_METADATA == kBlockGroupMetadata);

// More than the largest leaf has.
constexpr size_t kMostItemBytes = 65536;

using ItemChange = absl::Status (Transaction::*)(uint64_t tree, const Key& key,
                                                 absl::Span<const std::byte> data);

// Inserts an item, or replaces it. The data is copied before anything changes: it may be that of
// another item of the same blocks.
int ChangeItem(ebcache_transaction* transaction, uint64_t tree, const ebcache_key* key,
               const void* data, size_t bytes, ItemChange change) {
  if (key == nullptr) return NullArgument("key");
  if (data == nullptr && bytes != 0) return NullArgument("data");
  if (bytes > kMostItemBytes) return Fail(EINVAL, "an item of more bytes than any leaf has");
  return ChangeBy(transaction, [&](Transaction& inside) {
    const auto* const from = static_cast<const std::byte*>(data);
    const std::vector<std::byte> copy(from, from + bytes);
    return ResultOf((inside.*change)(tree, Inside(*key), copy));
  });
}

// 0, or a negative errno.
int ParseGivenRoot(const ebcache_new_tree& given, RootItem& root) {
  if (given.root_item == nullptr) return 0;
  if (given.root_item_bytes > kMostStructBytes) {
    return Fail(EINVAL, "root_item: no root item has so many bytes");
  }
  const auto* const bytes = static_cast<const std::byte*>(given.root_item);
  absl::StatusOr<RootItem> parsed = ParseRootItem({bytes, given.root_item_bytes});
  if (parsed.ok()) {
    root = *parsed;
    return 0;
  }
  if (!absl::IsDataLoss(parsed.status())) return Fail(parsed.status());
  const absl::string_view words = parsed.status().message();
  return Fail(EINVAL, std::string("root_item: ").append(words.data(), words.size()));
}

}  // namespace
}  // namespace ebcache::capi

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

// ---- Items --------------------------------------------------------------------------------------

int ebcache_transaction_insert(ebcache_transaction* transaction, uint64_t tree,
                               const ebcache_key* key, const void* data, size_t bytes) {
  return ChangeItem(transaction, tree, key, data, bytes, &Transaction::Insert);
}

int ebcache_transaction_replace(ebcache_transaction* transaction, uint64_t tree,
                                const ebcache_key* key, const void* data, size_t bytes) {
  return ChangeItem(transaction, tree, key, data, bytes, &Transaction::Replace);
}

int ebcache_transaction_remove(ebcache_transaction* transaction, uint64_t tree,
                               const ebcache_key* key) {
  if (key == nullptr) return NullArgument("key");
  return ChangeBy(transaction,
                  [&](Transaction& inside) { return ResultOf(inside.Remove(tree, Inside(*key))); });
}

int ebcache_transaction_remove_range(ebcache_transaction* transaction, uint64_t tree,
                                     const ebcache_key* from, const ebcache_key* to,
                                     uint64_t* removed) {
  if (removed != nullptr) *removed = 0;
  return ChangeBy(transaction, [&](Transaction& inside) {
    const absl::StatusOr<uint64_t> count = inside.RemoveRange(tree, RangeOf(from, to));
    if (count.ok() && removed != nullptr) *removed = *count;
    return ResultOf(count.status());
  });
}

int ebcache_transaction_change_reference(ebcache_transaction* transaction,
                                         const ebcache_data_reference* reference, int64_t count) {
  if (reference == nullptr) return NullArgument("reference");
  ebcache_data_reference full;
  if (const int error = CopyIn(reference, full, "reference"); error != 0) return error;
  return ChangeBy(transaction, [&](Transaction& inside) {
    return ResultOf(inside.ChangeDataReference({.extent = full.extent,
                                                .bytes = full.bytes,
                                                .tree = full.tree,
                                                .inode = full.inode,
                                                .offset = full.offset},
                                               count));
  });
}

// ---- Trees --------------------------------------------------------------------------------------

int ebcache_transaction_create_tree(ebcache_transaction* transaction, uint64_t tree,
                                    const ebcache_new_tree* how) {
  return ChangeBy(transaction, [&](Transaction& inside) {
    ebcache_new_tree full;
    if (const int error = CopyIn(how, full, "how"); error != 0) return error;
    RootItem root;
    if (const int error = ParseGivenRoot(full, root); error != 0) return error;
    return ResultOf(inside.CreateTree(tree, root, full.key_offset));
  });
}

int ebcache_transaction_drop_tree(ebcache_transaction* transaction, uint64_t tree) {
  return ChangeBy(transaction,
                  [&](Transaction& inside) { return ResultOf(inside.DropTree(tree)); });
}

int ebcache_transaction_rewrite(ebcache_transaction* transaction, uint64_t tree,
                                const ebcache_key* from, uint64_t most, ebcache_key* next) {
  if (next == nullptr) return NullArgument("next");
  if (most == 0) return Fail(EINVAL, "most is 0, which gets to no end");
  return ChangeBy(transaction, [&](Transaction& inside) {
    const absl::StatusOr<std::optional<Key>> behind =
        inside.Rewrite(tree, from != nullptr ? Inside(*from) : kMinKey, most);
    if (!behind.ok()) return ResultOf(behind.status());
    if (!behind->has_value()) return 0;
    *next = capi::Outside(**behind);
    return 1;
  });
}

// ---- Space, the superblock ----------------------------------------------------------------------

int ebcache_transaction_make_chunk(ebcache_transaction* transaction,
                                   const ebcache_new_chunk* wanted, ebcache_chunk* chunk) {
  if (wanted == nullptr) return NullArgument("wanted");
  ebcache_new_chunk full;
  if (const int error = CopyIn(wanted, full, "wanted"); error != 0) return error;
  if (full.profile > EBCACHE_PROFILE_RAID6) {
    return Fail(EINVAL, "profile is none of ebcache_profile");
  }
  if (chunk != nullptr) {
    if (const int error = CheckSize(chunk->size, "chunk"); error != 0) return error;
  }
  return ChangeBy(transaction, [&](Transaction& inside) {
    const absl::StatusOr<Chunk> made =
        inside.MakeChunk(full.type, static_cast<RaidProfile>(full.profile), full.most_bytes);
    if (!made.ok() || chunk == nullptr) return ResultOf(made.status());
    return CopyOut({.size = sizeof(*chunk),
                    .logical = made->logical,
                    .length = made->length,
                    .type = made->type,
                    .profile = static_cast<uint32_t>(made->profile),
                    .stripes = static_cast<uint32_t>(made->stripes.size())},
                   chunk, "chunk");
  });
}

int ebcache_transaction_set_space_form(ebcache_transaction* transaction, uint32_t form, int on) {
  using Convert = absl::StatusOr<bool> (Transaction::*)();
  Convert convert = nullptr;
  if (form == EBCACHE_FREE_SPACE_TREE) {
    convert = on != 0 ? &Transaction::MakeFreeSpaceTree : &Transaction::RemoveFreeSpaceTree;
  } else if (form == EBCACHE_BLOCK_GROUP_TREE) {
    convert = on != 0 ? &Transaction::MakeBlockGroupTree : &Transaction::RemoveBlockGroupTree;
  } else {
    return Fail(EINVAL, "form is none of ebcache_space_form");
  }
  return ChangeBy(transaction, [&](Transaction& inside) {
    const absl::StatusOr<bool> changed = (inside.*convert)();
    return changed.ok() ? static_cast<int>(*changed) : ResultOf(changed.status());
  });
}

int ebcache_transaction_set_fsid(ebcache_transaction* transaction, const void* fsid) {
  if (fsid == nullptr) return NullArgument("fsid");
  Uuid uuid;
  std::memcpy(uuid.data(), fsid, uuid.size());
  return ChangeBy(transaction, [&](Transaction& inside) {
    const absl::Status status = inside.SetFsid(uuid);
    return status.ok() ? 0 : FailAs(EPERM, status);
  });
}

int ebcache_transaction_set_label(ebcache_transaction* transaction, const char* label) {
  if (label == nullptr) return NullArgument("label");
  return ChangeBy(transaction,
                  [&](Transaction& inside) { return ResultOf(inside.SetLabel(label)); });
}
