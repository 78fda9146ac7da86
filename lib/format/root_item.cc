// Root items: where the trees are.

#include <absl/strings/str_cat.h>

#include "ebcache/item_codec.h"
#include "ebcache/on_disk.h"

namespace ebcache {
namespace {

// Filesystems made before 2012 have items without the extension.
constexpr size_t kLegacyRootItemBytes = RootItem::kBytes;
constexpr size_t kRootItemBytes = RootItem::kBytes + RootItemExtension::kBytes;
// Any sector size is a multiple of this one.
constexpr uint64_t kMinSectorBytes = 4096;

absl::Status CheckRootItem(const RootItem& root) {
  if (root.bytenr % kMinSectorBytes != 0) {
    return absl::DataLossError(
        absl::StrCat("root item: block ", root.bytenr, " is not sector-aligned"));
  }
  if (root.level >= kMaxLevels) {
    return absl::DataLossError(
        absl::StrCat("root item: level ", root.level, ", the highest is ", kMaxLevels - 1));
  }
  if (root.drop_level >= kMaxLevels) {
    return absl::DataLossError(absl::StrCat("root item: drop level ", root.drop_level,
                                            ", the highest is ", kMaxLevels - 1));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RootItem> ParseRootItem(absl::Span<const std::byte> item) {
  if (item.size() != kLegacyRootItemBytes && item.size() != kRootItemBytes) {
    return absl::DataLossError(absl::StrCat("root item of ", item.size(), " bytes, they have ",
                                            kLegacyRootItemBytes, " or ", kRootItemBytes));
  }
  absl::StatusOr<RootItem> root = ParseItem<RootItem>(item);
  if (!root.ok()) return root.status();
  if (absl::Status status = CheckRootItem(*root); !status.ok()) return status;
  return root;
}

}  // namespace ebcache
