// Trees made of memory, whole or damaged, for tests that need no image.
//
// MemoryDisk is the disk: blocks by address, checked on reading as a volume checks them (but for
// the checksum). BuildTree writes a valid tree of any fan-out into it; what a test wants broken, it
// breaks afterwards, through the source's setters.

#ifndef EBCACHE_TESTS_TREE_MEMORY_TREE_H_
#define EBCACHE_TESTS_TREE_MEMORY_TREE_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/on_disk.h"

namespace ebcache::testing {

// A disk of tree blocks. Not thread-safe.
class MemoryDisk : public BlockSource {
 public:
  explicit MemoryDisk(uint32_t node_bytes = 4096) : node_bytes_(node_bytes) {}

  uint32_t node_bytes() const { return node_bytes_; }

  // ---- Blocks -----------------------------------------------------------------------------------

  // A new block of zeroes at the next free address.
  uint64_t Allocate();
  bool contains(uint64_t bytenr) const { return blocks_.contains(bytenr); }
  void Erase(uint64_t bytenr) { blocks_.erase(bytenr); }

  struct BlockHeader {
    uint64_t bytenr = 0;
    uint64_t generation = 0;
    uint64_t owner = 0;
    uint32_t item_count = 0;
    uint8_t level = 0;
  };
  void SetHeader(uint64_t bytenr, const BlockHeader& header);
  void SetLevel(uint64_t bytenr, uint8_t level) { Store(bytenr, 100, level, 1); }
  void SetGeneration(uint64_t bytenr, uint64_t generation) { Store(bytenr, 80, generation, 8); }
  void SetOwner(uint64_t bytenr, uint64_t owner) { Store(bytenr, 88, owner, 8); }
  void SetPointer(uint64_t node, uint32_t slot, const KeyPointer& pointer);
  // Where the pointer leads, leaving its key and generation as they are.
  void SetPointerBytenr(uint64_t node, uint32_t slot, uint64_t bytenr);
  void SetItem(uint64_t leaf, uint32_t slot, const Key& key, uint32_t data_offset,
               const std::string& data);

  // ---- Behaviour --------------------------------------------------------------------------------

  // Read number `n` from now fails, counting from 1; 0: none.
  void FailRead(uint64_t n) { reads_until_failure_ = n; }
  // Off: every block that is there is handed out, whatever is in it and whatever was expected.
  void set_checking(bool checking) { checking_ = checking; }
  // Addresses of all blocks that were read, in order.
  const std::vector<uint64_t>& reads() const { return reads_; }
  size_t largest_batch() const { return largest_batch_; }

  void Read(absl::Span<BlockRead> reads) override;
  absl::Status CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) override;
  void Write(absl::Span<BlockWrite> writes) override;

 private:
  void Store(uint64_t bytenr, size_t offset, uint64_t value, size_t bytes);
  void StoreKey(uint64_t bytenr, size_t offset, const Key& key);
  absl::Status ReadOne(ExtentBuffer& buffer, const ParentCheck* check);

  const uint32_t node_bytes_;
  std::map<uint64_t, std::vector<std::byte>> blocks_;
  uint64_t next_bytenr_ = uint64_t{1} << 20;
  uint64_t reads_until_failure_ = 0;
  bool checking_ = true;
  std::vector<uint64_t> reads_;
  size_t largest_batch_ = 0;
};

struct TreeShape {
  uint64_t id = kFsTreeId;
  uint64_t generation = 7;
  // Both are upper limits; a leaf that is full by its bytes ends sooner.
  uint32_t leaf_items = 3;
  uint32_t node_children = 2;
};

struct BuiltTree {
  TreeRoot root;
  // Addresses of the blocks on each level, in key order: levels[0] are the leaves.
  std::vector<std::vector<uint64_t>> levels;
  uint64_t blocks() const;
};

using ItemMap = std::map<Key, std::string>;

// Writes a tree with these items. A tree without items is one empty leaf.
BuiltTree BuildTree(MemoryDisk& source, const ItemMap& items, const TreeShape& shape = {});

// Items (first + i, 1, 0) for i in [0, count), the data of each its number in words of digits.
ItemMap NumberedItems(int count, uint64_t first = 256);

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_TREE_MEMORY_TREE_H_
