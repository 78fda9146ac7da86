#include "lib/space/superblock_stripes.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>

#include "lib/format/raid_profile.h"

namespace ebcache::space {
namespace {

// How a chunk's bytes are dealt out: in elements, one after the other, to columns in turn. Each
// column is one stripe, or several that are copies of each other.
struct Columns {
  size_t count = 1;
  size_t stripes_each = 1;
  uint64_t element_bytes = 0;  // 0: there is one column, and it has everything in one piece
};

absl::StatusOr<Columns> ColumnsOf(const Chunk& chunk) {
  const RaidTraits& traits = TraitsOf(chunk.profile);
  if (traits.parity) {
    return absl::UnimplementedError(absl::StrCat("chunk ", chunk.logical, ": parity profiles"));
  }
  const size_t stripes = chunk.stripes.size();
  const size_t each = traits.striped ? traits.copies : stripes;
  if (stripes == 0 || stripes % each != 0 || (traits.striped && chunk.stripe_bytes == 0)) {
    return absl::DataLossError(absl::StrCat("chunk ", chunk.logical, ": ", stripes, " stripes of ",
                                            chunk.stripe_bytes, " bytes"));
  }
  return Columns{stripes / each, each, traits.striped ? chunk.stripe_bytes : 0};
}

}  // namespace

absl::StatusOr<std::vector<Range>> SuperblockStripes(const Chunk& chunk) {
  const absl::StatusOr<Columns> columns = ColumnsOf(chunk);
  if (!columns.ok()) return columns.status();
  const uint64_t column_bytes = chunk.length / columns->count;
  RangeSet found;
  for (size_t i = 0; i < chunk.stripes.size(); ++i) {
    const Range stripe{chunk.stripes[i].physical, column_bytes};
    const uint64_t column = i / columns->stripes_each;
    for (const Range& reserved : kReservedOnDevices) {
      uint64_t at = std::max(reserved.start, stripe.start);
      const uint64_t end = std::min(reserved.end(), stripe.end());
      while (at < end) {
        const uint64_t in_column = at - stripe.start;
        if (columns->element_bytes == 0) {
          found.Unite({chunk.logical + in_column, end - at});
          break;
        }
        const uint64_t row = in_column / columns->element_bytes;
        const uint64_t in_element = in_column % columns->element_bytes;
        const uint64_t piece = std::min(end - at, columns->element_bytes - in_element);
        const uint64_t element = row * columns->count + column;
        found.Unite({chunk.logical + element * columns->element_bytes + in_element, piece});
        at += piece;
      }
    }
  }
  std::vector<Range> ranges;
  for (const auto& [start, end] : found.ends()) ranges.push_back({start, end - start});
  return ranges;
}

}  // namespace ebcache::space
