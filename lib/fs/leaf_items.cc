#include "lib/fs/leaf_items.h"

#include <absl/functional/function_ref.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"

namespace ebcache {

void ForEachItemOfType(
    const ExtentBuffer& leaf, uint8_t type,
    absl::FunctionRef<void(const Key& key, absl::Span<const std::byte> data)> visit) {
  std::vector<std::byte> data;
  const uint32_t items = Header(leaf).item_count();
  for (uint32_t slot = 0; slot < items; ++slot) {
    const ItemHead head = LoadItemHead(leaf, slot);
    if (head.key.type != type || head.size > leaf.length()) continue;
    data.resize(head.size);
    if (leaf.Read(head.offset, absl::MakeSpan(data)).ok()) visit(head.key, data);
  }
}

}  // namespace ebcache
