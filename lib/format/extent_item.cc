// Extent items: a head, perhaps what the block is, and inline references to the end.

#include <absl/strings/str_cat.h>

#include <variant>

#include "ebcache/items_extent.h"
#include "lib/format/codec.h"
#include "lib/format/layout.h"
#include "lib/format/special_codecs.h"

namespace ebcache {
namespace {

using format::DiskType;
constexpr const char* kName = format::Layout<ExtentHead>::kName;

}  // namespace

uint64_t ReferencesOf(const InlineRef& ref) {
  if (const auto* data = std::get_if<ExtentDataRef>(&ref)) return data->count;
  if (const auto* shared = std::get_if<SharedDataRef>(&ref)) return shared->count;
  return std::holds_alternative<ExtentOwnerRef>(ref) ? 0 : 1;
}

absl::StatusOr<ExtentItem> ParseExtentItem(uint8_t type, absl::Span<const std::byte> item) {
  if (type != kExtentItemType && type != kMetadataItemType) {
    return format::Unsayable(kName, "key type ", type, " is none of extents");
  }
  if (item.size() < ExtentHead::kBytes) {
    return format::Damaged(kName, item.size(), " bytes, the head alone has ", ExtentHead::kBytes);
  }
  ExtentItem extent;
  DiskType<ExtentHead>::Decode(item.data(), extent.head);
  item.remove_prefix(ExtentHead::kBytes);
  if (type == kExtentItemType && (extent.head.flags & kExtentTreeBlock) != 0) {
    if (item.size() < TreeBlockInfo::kBytes) {
      return format::Damaged(kName, ExtentHead::kBytes + item.size(), " bytes, of a tree block ",
                             ExtentHead::kBytes + TreeBlockInfo::kBytes);
    }
    DiskType<TreeBlockInfo>::Decode(item.data(), extent.block.emplace());
    item.remove_prefix(TreeBlockInfo::kBytes);
  }
  extent.inline_refs = item;
  return extent;
}

absl::Status AppendExtentItem(const ExtentHead& head, const std::optional<TreeBlockInfo>& block,
                              absl::Span<const InlineRef> refs, std::vector<std::byte>& out) {
  if (block && (head.flags & kExtentTreeBlock) == 0) {
    return format::Unsayable(kName, "of a tree block, by its flags 0x", absl::Hex(head.flags),
                             " it is none");
  }
  size_t at = out.size();
  size_t bytes = ExtentHead::kBytes + (block ? TreeBlockInfo::kBytes : 0);
  for (const InlineRef& ref : refs) bytes += format::Codec<InlineRef>::Bytes(ref);
  out.resize(at + bytes);
  DiskType<ExtentHead>::Encode(head, out.data() + at);
  at += ExtentHead::kBytes;
  if (block) {
    DiskType<TreeBlockInfo>::Encode(*block, out.data() + at);
    at += TreeBlockInfo::kBytes;
  }
  for (const InlineRef& ref : refs) {
    format::Codec<InlineRef>::Encode(ref, out.data() + at);
    at += format::Codec<InlineRef>::Bytes(ref);
  }
  return absl::OkStatus();
}

}  // namespace ebcache
