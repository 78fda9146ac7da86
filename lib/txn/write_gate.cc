#include "lib/txn/write_gate.h"

#include <absl/strings/str_cat.h>

#include <optional>
#include <string>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/items_device.h"
#include "ebcache/items_quota.h"
#include "lib/base/messages.h"
#include "lib/txn/tree_store.h"

namespace ebcache::txn {
namespace {

absl::Status Refusal(const char* why) {
  return absl::FailedPreconditionError(absl::StrCat("cannot be written: ", why));
}

// What cannot be kept exact.
absl::Status CheckFeatures(const Superblock& superblock) {
  if (!superblock.has(IncompatFlag::kRaidStripeTree)) return absl::OkStatus();
  return absl::UnimplementedError(
      "cannot be written: it has a raid stripe tree, which data that is freed has items in");
}

absl::Status CheckSuperblock(const Superblock& superblock, bool drop_log) {
  if (superblock.has(SuperblockFlag::kError)) {
    return Refusal("a kernel has met errors in it and marked it so");
  }
  if (superblock.log_root != 0 && !drop_log) {
    return Refusal(
        "it has a log, of what was synced and not committed: mounting it replays that, zero-log "
        "drops it");
  }
  for (const SuperblockFlag flag :
       {SuperblockFlag::kChangingFsid, SuperblockFlag::kChangingMetadataUuid,
        SuperblockFlag::kChangingBlockGroupTree, SuperblockFlag::kChangingDataChecksums,
        SuperblockFlag::kChangingBlockChecksums}) {
    if (superblock.has(flag)) return Refusal("a change of all of it was begun and not ended");
  }
  for (const SuperblockFlag flag : {SuperblockFlag::kMetadump, SuperblockFlag::kMetadumpV2}) {
    if (superblock.has(flag)) return Refusal("it is an image of metadata, without data");
  }
  return absl::OkStatus();
}

// The data of an item; nullopt when there is no such item, or no such tree.
absl::StatusOr<std::optional<space::StoredItem>> Lookup(Filesystem& filesystem, uint64_t tree,
                                                        const Key& key) {
  const absl::StatusOr<BTree> opened = filesystem.Tree(tree);
  if (absl::IsNotFound(opened.status())) return std::optional<space::StoredItem>();
  if (!opened.ok()) return opened.status();
  return ReadStore(*opened).Find(key);
}

absl::Status CheckDeviceReplacement(Filesystem& filesystem) {
  const auto item = Lookup(filesystem, kDevTreeId, {0, kDevReplaceType, 0});
  if (!item.ok()) return item.status();
  if (!item->has_value()) return absl::OkStatus();
  const absl::StatusOr<DeviceReplaceItem> replacement = ParseItem<DeviceReplaceItem>((*item)->data);
  if (!replacement.ok()) return replacement.status();
  const auto state = static_cast<DeviceReplaceState>(replacement->state);
  if (state == DeviceReplaceState::kStarted || state == DeviceReplaceState::kSuspended) {
    return Refusal("the replacement of a device is not ended");
  }
  return absl::OkStatus();
}

absl::Status CheckQuotas(Filesystem& filesystem) {
  const auto item = Lookup(filesystem, kQuotaTreeId, {0, kQgroupStatusType, 0});
  if (!item.ok()) return item.status();
  if (!item->has_value()) return absl::OkStatus();
  const absl::StatusOr<QgroupStatus> status = ParseItem<QgroupStatus>((*item)->data);
  if (!status.ok()) return status.status();
  const uint64_t simple = kQgroupStatusOn | kQgroupStatusSimple;
  if ((status->flags & simple) == simple) {
    return absl::UnimplementedError(
        "cannot be written: simple quotas are on, whose counts would not be exact any more");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckMayWrite(Filesystem& filesystem, bool drop_log) {
  absl::Status superblock = CheckFeatures(filesystem.superblock());
  if (superblock.ok()) superblock = CheckSuperblock(filesystem.superblock(), drop_log);
  if (!superblock.ok()) return superblock;
  if (!filesystem.open_damage().empty()) {
    return absl::DataLossError(
        absl::StrCat("cannot be written: not all of the chunk tree can be "
                     "read: ",
                     filesystem.open_damage()[0].ToString()));
  }
  const auto balance = Lookup(filesystem, kRootTreeId, {kBalanceObjectId, kTemporaryItemType, 0});
  if (!balance.ok()) return balance.status();
  if (balance->has_value()) return Refusal("a balance is not ended");
  const absl::StatusOr<BTree> roots = filesystem.Tree(kRootTreeId);
  if (!roots.ok()) return roots.status();
  const auto relocation = ReadStore(*roots).AtOrAfter({kTreeRelocId, kRootItemType, 0});
  if (!relocation.ok()) return relocation.status();
  if (relocation->has_value() && (*relocation)->key.objectid == kTreeRelocId) {
    return Refusal("a relocation of block groups was interrupted");
  }
  if (absl::Status status = CheckDeviceReplacement(filesystem); !status.ok()) return status;
  return CheckQuotas(filesystem);
}

}  // namespace ebcache::txn
