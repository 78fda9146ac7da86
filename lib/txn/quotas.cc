#include "lib/txn/quotas.h"

#include <optional>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/items_quota.h"
#include "ebcache/on_disk.h"
#include "lib/txn/tree_store.h"

namespace ebcache::txn {
namespace {

template <typename T>
absl::Status ReplaceItem(TreeStore& store, const Key& key, const T& item) {
  std::vector<std::byte> data;
  absl::Status status = AppendItem(item, data);
  return status.ok() ? store.Replace(key, data) : status;
}

// The numbers of all groups become 0.
absl::Status ForgetCounts(TreeStore& quotas) {
  Key from{0, kQgroupInfoType, 0};
  while (true) {
    const absl::StatusOr<std::optional<space::StoredItem>> item = quotas.AtOrAfter(from);
    if (!item.ok()) return item.status();
    if (!item->has_value()) return absl::OkStatus();
    const Key key = (*item)->key;
    if (key.objectid != 0 || key.type != kQgroupInfoType) return absl::OkStatus();
    const absl::StatusOr<QgroupInfo> info = ParseItem<QgroupInfo>((*item)->data);
    if (!info.ok()) return info.status();
    const QgroupInfo none{.generation = info->generation};
    if (*info != none) {
      if (absl::Status status = ReplaceItem(quotas, key, none); !status.ok()) return status;
    }
    if (key.offset == kMaxKey.offset) return absl::OkStatus();
    from.offset = key.offset + 1;
  }
}

}  // namespace

absl::Status MarkQuotasInconsistent(TransactionTrees& trees) {
  absl::StatusOr<TreeStore> quotas = trees.Store(kQuotaTreeId);
  if (absl::IsNotFound(quotas.status())) return absl::OkStatus();
  if (!quotas.ok()) return quotas.status();
  const Key key{0, kQgroupStatusType, 0};
  const absl::StatusOr<std::optional<space::StoredItem>> item = quotas->Find(key);
  if (!item.ok()) return item.status();
  if (!item->has_value()) return absl::OkStatus();
  const absl::StatusOr<QgroupStatus> found = ParseItem<QgroupStatus>((*item)->data);
  if (!found.ok()) return found.status();
  if ((found->flags & kQgroupStatusOn) == 0) return absl::OkStatus();
  QgroupStatus status = *found;
  status.flags |= kQgroupStatusInconsistent;
  if ((status.flags & kQgroupStatusRescan) != 0) {
    status.rescan = 0;
    if (absl::Status forgot = ForgetCounts(*quotas); !forgot.ok()) return forgot;
  }
  return status == *found ? absl::OkStatus() : ReplaceItem(*quotas, key, status);
}

}  // namespace ebcache::txn
