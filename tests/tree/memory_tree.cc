#include "tests/tree/memory_tree.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/on_disk.h"
#include "lib/base/check.h"

namespace ebcache::testing {
namespace {

constexpr uint32_t kSectorBytes = 4096;

}  // namespace

// ---- MemoryDisk -------------------------------------------------------------------------------

uint64_t MemoryDisk::Allocate() {
  const uint64_t bytenr = next_bytenr_;
  next_bytenr_ += node_bytes_;
  blocks_[bytenr].resize(node_bytes_);
  return bytenr;
}

void MemoryDisk::Store(uint64_t bytenr, size_t offset, uint64_t value, size_t bytes) {
  std::vector<std::byte>& block = blocks_.at(bytenr);
  EBCACHE_CHECK(offset + bytes <= block.size(), "the test writes outside of its block");
  std::memcpy(block.data() + offset, &value, bytes);
}

void MemoryDisk::StoreKey(uint64_t bytenr, size_t offset, const Key& key) {
  Store(bytenr, offset, key.objectid, 8);
  Store(bytenr, offset + 8, key.type, 1);
  Store(bytenr, offset + 9, key.offset, 8);
}

void MemoryDisk::SetHeader(uint64_t bytenr, const BlockHeader& header) {
  Store(bytenr, 48, header.bytenr, 8);
  Store(bytenr, 80, header.generation, 8);
  Store(bytenr, 88, header.owner, 8);
  Store(bytenr, 96, header.item_count, 4);
  Store(bytenr, 100, header.level, 1);
}

void MemoryDisk::SetPointer(uint64_t node, uint32_t slot, const KeyPointer& pointer) {
  const size_t offset = kHeaderBytes + size_t{slot} * kKeyPointerBytes;
  StoreKey(node, offset, pointer.key);
  Store(node, offset + kKeyBytes, pointer.bytenr, 8);
  Store(node, offset + kKeyBytes + 8, pointer.generation, 8);
}

void MemoryDisk::SetPointerBytenr(uint64_t node, uint32_t slot, uint64_t bytenr) {
  Store(node, kHeaderBytes + size_t{slot} * kKeyPointerBytes + kKeyBytes, bytenr, 8);
}

void MemoryDisk::SetItem(uint64_t leaf, uint32_t slot, const Key& key, uint32_t data_offset,
                         const std::string& data) {
  const size_t offset = kHeaderBytes + size_t{slot} * kItemBytes;
  StoreKey(leaf, offset, key);
  Store(leaf, offset + kKeyBytes, data_offset - kHeaderBytes, 4);  // on disk, from the header's end
  Store(leaf, offset + kKeyBytes + 4, data.size(), 4);
  std::memcpy(blocks_.at(leaf).data() + data_offset, data.data(), data.size());
}

void MemoryDisk::Read(absl::Span<BlockRead> reads) {
  largest_batch_ = std::max(largest_batch_, reads.size());
  for (BlockRead& read : reads) {
    reads_.push_back(read.buffer->start());
    const bool failing = reads_until_failure_ > 0 && --reads_until_failure_ == 0;
    read.status =
        failing ? absl::UnavailableError("injected read error") : ReadOne(*read.buffer, read.check);
  }
}

absl::Status MemoryDisk::ReadOne(ExtentBuffer& buffer, const ParentCheck* check) {
  const auto block = blocks_.find(buffer.start());
  if (block == blocks_.end()) return absl::NotFoundError("no such block");
  absl::Status status = buffer.Write(0, block->second);
  if (!status.ok() || !checking_) return status;
  if (Header(buffer).bytenr() != buffer.start()) return absl::DataLossError("wrong address");
  if (check != nullptr) status = CheckParent(buffer, *check);
  return status.ok() ? CheckTreeBlock(buffer, kSectorBytes) : status;
}

absl::Status MemoryDisk::CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) {
  if (!checking_) return absl::OkStatus();
  const Header header(buffer);
  if (check.level.has_value() && header.level() != *check.level) {
    return absl::DataLossError("wrong level");
  }
  if (check.generation != 0 && header.generation() != check.generation) {
    return absl::DataLossError("wrong generation");
  }
  if (check.first_key.has_value() &&
      (header.item_count() == 0 || LoadKey(buffer, kHeaderBytes) != *check.first_key)) {
    return absl::DataLossError("wrong first key");
  }
  // Snapshots share blocks with the subvolume that owns them.
  const bool shared = IsFsTree(check.owner) && IsFsTree(header.owner());
  if (check.owner != 0 && header.owner() != check.owner && !shared) {
    return absl::DataLossError("wrong owner");
  }
  return absl::OkStatus();
}

void MemoryDisk::Write(absl::Span<BlockWrite> writes) {
  for (BlockWrite& write : writes) write.status = absl::PermissionDeniedError("read-only");
}

// ---- Building -----------------------------------------------------------------------------------

namespace {

// A block that is in no node yet.
struct Orphan {
  Key first_key;
  uint64_t bytenr;
};

Orphan WriteLeaf(MemoryDisk& source, const TreeShape& shape, ItemMap::const_iterator& next,
                 ItemMap::const_iterator end) {
  const Orphan leaf{next == end ? kMinKey : next->first, source.Allocate()};
  uint32_t count = 0;
  uint32_t data_offset = source.node_bytes();
  for (; next != end && count < shape.leaf_items; ++next, ++count) {
    const std::string& data = next->second;
    if (kHeaderBytes + (count + 1) * kItemBytes + data.size() > data_offset) break;
    data_offset -= data.size();
    source.SetItem(leaf.bytenr, count, next->first, data_offset, data);
  }
  EBCACHE_CHECK(count > 0 || next == end, "an item of the test is larger than a leaf");
  source.SetHeader(leaf.bytenr, {.bytenr = leaf.bytenr,
                                 .generation = shape.generation,
                                 .owner = shape.id,
                                 .item_count = count,
                                 .level = 0});
  return leaf;
}

Orphan WriteNode(MemoryDisk& source, const TreeShape& shape, uint8_t level,
                 absl::Span<const Orphan> children) {
  const Orphan node{children[0].first_key, source.Allocate()};
  for (uint32_t slot = 0; slot < children.size(); ++slot) {
    source.SetPointer(node.bytenr, slot,
                      {children[slot].first_key, children[slot].bytenr, shape.generation});
  }
  source.SetHeader(node.bytenr, {.bytenr = node.bytenr,
                                 .generation = shape.generation,
                                 .owner = shape.id,
                                 .item_count = static_cast<uint32_t>(children.size()),
                                 .level = level});
  return node;
}

std::vector<uint64_t> Addresses(absl::Span<const Orphan> blocks) {
  std::vector<uint64_t> addresses;
  for (const Orphan& block : blocks) addresses.push_back(block.bytenr);
  return addresses;
}

}  // namespace

uint64_t BuiltTree::blocks() const {
  uint64_t count = 0;
  for (const std::vector<uint64_t>& level : levels) count += level.size();
  return count;
}

BuiltTree BuildTree(MemoryDisk& source, const ItemMap& items, const TreeShape& shape) {
  std::vector<Orphan> blocks;
  auto next = items.begin();
  do {
    blocks.push_back(WriteLeaf(source, shape, next, items.end()));
  } while (next != items.end());

  BuiltTree tree;
  tree.levels.push_back(Addresses(blocks));
  uint8_t level = 0;
  while (blocks.size() > 1) {
    ++level;
    EBCACHE_CHECK(level < kMaxLevels, "the test's tree is too high");
    std::vector<Orphan> parents;
    for (size_t first = 0; first < blocks.size(); first += shape.node_children) {
      parents.push_back(WriteNode(source, shape, level,
                                  absl::MakeConstSpan(blocks).subspan(first, shape.node_children)));
    }
    blocks = std::move(parents);
    tree.levels.push_back(Addresses(blocks));
  }
  tree.root = {.id = shape.id,
               .bytenr = blocks[0].bytenr,
               .generation = shape.generation,
               .level = level,
               .name = TreeRootName(shape.id, 0),
               .drop_progress = kMinKey};
  return tree;
}

ItemMap NumberedItems(int count, uint64_t first) {
  ItemMap items;
  for (int i = 0; i < count; ++i) {
    items[{first + i, kStringItemType, 0}] = absl::StrCat("item number ", i);
  }
  return items;
}

}  // namespace ebcache::testing
