#include <absl/strings/str_cat.h>

#include "ebcache/items_file.h"

namespace ebcache {

absl::StatusOr<DataChecksums> ParseDataChecksums(absl::Span<const std::byte> item,
                                                 size_t checksum_bytes) {
  if (checksum_bytes == 0) return absl::InvalidArgumentError("checksums of 0 bytes");
  if (item.size() % checksum_bytes != 0) {
    return absl::DataLossError(
        absl::StrCat("checksums: ", item.size(), " bytes, each has ", checksum_bytes));
  }
  return DataChecksums(item, checksum_bytes);
}

}  // namespace ebcache
