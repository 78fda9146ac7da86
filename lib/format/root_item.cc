// Root items: where the trees are.

#include <absl/strings/str_cat.h>

#include "ebcache/on_disk.h"
#include "lib/base/planted.h"
#include "lib/format/byte_reader.h"

namespace ebcache {
namespace {

// Filesystems made before 2012 have items without the second generation and the uuids at the end.
constexpr size_t kLegacyRootItemBytes = 239;
constexpr size_t kRootItemBytes = 439;
// Any sector size is a multiple of this one.
constexpr uint64_t kMinSectorBytes = 4096;

absl::Status CheckRootItem(const RootItem& root) {
  if (root.bytenr % kMinSectorBytes != 0) {
    return absl::DataLossError(
        absl::StrCat("root item: block ", root.bytenr, " is not sector-aligned"));
  }
  if (root.level >= kMaxLevels && !fuzz::Planted("root-too-high")) {
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
  ByteReader reader(item);
  RootItem root;
  root.generation = reader.Load<uint64_t>(160);
  root.bytenr = reader.Load<uint64_t>(176);
  root.refs = reader.Load<uint32_t>(216);
  root.drop_progress = reader.LoadKey(220);
  root.drop_level = reader.Load<uint8_t>(237);
  root.level = reader.Load<uint8_t>(238);
  if (absl::Status status = CheckRootItem(root); !status.ok()) return status;
  return root;
}

}  // namespace ebcache
