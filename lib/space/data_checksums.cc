#include "lib/space/data_checksums.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <optional>

#include "ebcache/items_file.h"
#include "ebcache/on_disk.h"

namespace ebcache::space {

absl::Status RemoveChecksums(ItemStore& store, const Range& range, uint32_t sector_bytes,
                             uint32_t checksum_bytes) {
  if (range.start % sector_bytes != 0 || range.length % sector_bytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(range.ToString(), " is no run of whole sectors"));
  }
  PlannedChanges plan(&store);
  const auto key_at = [](uint64_t logical) {
    return Key{kDataChecksumsObjectId, kExtentCsumType, logical};
  };
  // From the last item backwards, so that what is left of one in front is not met again.
  uint64_t end = range.end();
  while (end > 0) {
    const absl::StatusOr<std::optional<StoredItem>> found = plan.AtOrBefore(key_at(end - 1));
    if (!found.ok()) return found.status();
    if (!found->has_value()) break;
    const StoredItem& item = **found;
    if (item.key.objectid != kDataChecksumsObjectId || item.key.type != kExtentCsumType) break;
    const uint64_t start = item.key.offset;
    const uint64_t sectors = item.data.size() / checksum_bytes;
    if (item.data.size() % checksum_bytes != 0 || sectors == 0 || start % sector_bytes != 0) {
      return absl::DataLossError(
          absl::StrCat("item ", item.key.ToString(), " of ", item.data.size(),
                       " bytes has no whole number of checksums of whole sectors"));
    }
    const uint64_t item_end = start + sectors * sector_bytes;
    if (item_end <= range.start) break;
    const absl::Span<const std::byte> data(item.data);
    const auto bytes_of = [&](uint64_t from, uint64_t to) {
      return data.subspan((from - start) / sector_bytes * checksum_bytes,
                          (to - from) / sector_bytes * checksum_bytes);
    };
    absl::Status status;
    if (item_end > range.end()) {
      status = plan.Insert(key_at(range.end()), bytes_of(range.end(), item_end));
    }
    if (status.ok()) {
      status = start < range.start ? plan.Replace(item.key, bytes_of(start, range.start))
                                   : plan.Remove(item.key);
    }
    if (!status.ok()) return status;
    end = start;
  }
  return plan.Apply();
}

}  // namespace ebcache::space
