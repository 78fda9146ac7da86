// Tree blocks: the checker, and then everything that relies on it, on whatever it let pass.
//
// The first byte of the input: bit 0, the rest is the block as it is; bit 1, the block is a page
// array; bits 2 to 4, its level. Otherwise the rest is a list of items, or of pointers, that are
// put in order and laid out soundly, so that what is wrong is wrong inside of them.

#include <absl/strings/match.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "lib/format/check/checked_item.h"
#include "lib/format/check/parent_check.h"
#include "lib/format/check/tree_block_checker.h"
#include "lib/format/checksum.h"
#include "tests/format/format_bytes.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/oracle.h"
#include "tests/fuzz/trusting_decoder.h"

namespace ebcache::fuzz {
namespace {

using testing::Bytes;

constexpr uint32_t kNodeBytes = 4096;
constexpr uint64_t kBytenr = 65536;
constexpr TreeBlockLimits kLimits{
    .sector_bytes = 4096, .checksum_bytes = 4, .newest_generation = 8};

// ---- From bytes to a block ----------------------------------------------------------------------

constexpr uint8_t kTypes[] = {
    kInodeItemType,       kInodeRefType,       kInodeExtrefType,   kXattrItemType,
    kDirItemType,         kDirIndexType,       kExtentDataType,    kExtentCsumType,
    kRootItemType,        kRootRefType,        kRootBackrefType,   kExtentItemType,
    kMetadataItemType,    kTreeBlockRefType,   kExtentDataRefType, kSharedBlockRefType,
    kSharedDataRefType,   kBlockGroupItemType, kFreeSpaceInfoType, kFreeSpaceExtentType,
    kFreeSpaceBitmapType, kDevExtentType,      kDevItemType,       kChunkItemType,
    kQgroupInfoType,      kUuidSubvolType,     kOrphanItemType,    kStringItemType,
};

// A number that keys have: small, in sectors, near the top, or anything.
uint64_t TakeNumber(FuzzInput& input) {
  const uint8_t kind = input.Take<uint8_t>();
  switch (kind % 4) {
    case 0:
      return 256 + kind / 4;
    case 1:
      return uint64_t{input.Take<uint8_t>()} << 12;
    case 2:
      return static_cast<uint64_t>(-1 - static_cast<int64_t>(kind / 4));
    default:
      return input.Take<uint64_t>();
  }
}

Key TakeKey(FuzzInput& input) {
  const uint8_t type = input.Take<uint8_t>();
  Key key{.objectid = TakeNumber(input), .type = kTypes[type % std::size(kTypes)]};
  key.offset = TakeNumber(input);
  return key;
}

// Names are found by their hashes, which no fuzzer guesses.
void MendHash(Key& key, const std::string& data) {
  if (key.type != kDirItemType && key.type != kXattrItemType) return;
  if (data.size() < 30) return;
  uint16_t length;
  std::memcpy(&length, &data[27], sizeof(length));
  const std::string name = data.substr(30, length);
  key.offset = NameHash({reinterpret_cast<const std::byte*>(name.data()), name.size()});
}

Bytes LeafOf(FuzzInput& input, const testing::BlockShape& shape) {
  std::map<Key, std::string> items;
  size_t room = kNodeBytes - kHeaderBytes;
  while (!input.empty()) {
    Key key = TakeKey(input);
    const std::vector<std::byte> bytes = input.TakeBytes(input.Take<uint16_t>() % 512);
    std::string data(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (data.size() + kItemBytes > room) break;
    MendHash(key, data);
    if (items.emplace(key, data).second) room -= data.size() + kItemBytes;
  }
  std::vector<testing::LeafItem> list;
  for (auto& [key, data] : items) list.push_back({key, std::move(data)});
  return testing::LeafBytes(shape, list);
}

Bytes NodeOf(FuzzInput& input, const testing::BlockShape& shape) {
  std::map<Key, uint64_t> pointers;
  while (!input.empty() && pointers.size() < 121) {
    const Key key = TakeKey(input);
    pointers[key] = TakeNumber(input);
  }
  std::vector<KeyPointer> list;
  for (const auto& [key, bytenr] : pointers) list.push_back({key, bytenr, 7});
  return testing::NodeBytes(shape, list);
}

Bytes BlockOf(FuzzInput& input, uint8_t mode) {
  if ((mode & 1) != 0) {
    Bytes block = input.TakeRest();
    block.resize(kNodeBytes);
    testing::Put<uint64_t>(block, 48, kBytenr);
    return block;
  }
  const testing::BlockShape shape{.node_bytes = kNodeBytes,
                                  .bytenr = kBytenr,
                                  .owner = kFsTreeId,
                                  .level = static_cast<uint8_t>(mode >> 2 & 7)};
  return shape.level == 0 ? LeafOf(input, shape) : NodeOf(input, shape);
}

// ---- What relies on the checker -----------------------------------------------------------------

// The block at its address, and wherever a node points to the least that could be there: one item,
// or one pointer further down.
class OneBlock : public BlockSource {
 public:
  void Set(const Bytes* block) { block_ = block; }
  void Read(absl::Span<BlockRead> reads) override {
    for (BlockRead& read : reads) read.status = ReadOne(*read.buffer, *read.check);
  }
  absl::Status CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) override {
    return CheckAgainstParent(buffer, check);
  }
  void Write(absl::Span<BlockWrite>) override {}

 private:
  absl::Status ReadOne(ExtentBuffer& buffer, const ParentCheck& check) const {
    const bool root = buffer.start() == kBytenr;
    absl::Status status = buffer.Write(0, root ? *block_ : Child(buffer, check));
    if (status.ok()) status = CheckAgainstParent(buffer, check);
    return status.ok() ? CheckTreeBlock(buffer, kLimits) : status;
  }
  static Bytes Child(const ExtentBuffer& buffer, const ParentCheck& check) {
    const testing::BlockShape shape{.node_bytes = buffer.length(),
                                    .bytenr = buffer.start(),
                                    .generation = check.generation,
                                    .owner = kFsTreeId,
                                    .level = check.level.value_or(0)};
    const Key key = check.first_key.value_or(kMinKey);
    if (shape.level == 0) return testing::LeafBytes(shape, {{key, ""}});
    return testing::NodeBytes(shape, {{key, buffer.start() + 65536, 7}});
  }

  const Bytes* block_ = nullptr;
};

uint64_t DecodeLeaf(const ExtentBuffer& leaf) {
  uint64_t sum = 0;
  const uint32_t items = Header(leaf).item_count();
  for (uint32_t slot = 0; slot < items; ++slot) {
    const ItemHead head = LoadItemHead(leaf, slot);
    const bool inside = uint64_t{head.offset} + head.size <= leaf.length();
    EBCACHE_ORACLE("item-in-leaf", inside);
    if (!inside) continue;
    Bytes data(head.size);  // of its own, so that a sanitizer sees its ends
    const bool readable = leaf.Read(head.offset, absl::MakeSpan(data)).ok();
    EBCACHE_ORACLE("item-readable", readable);
    if (!readable) continue;
    sum += DecodeTrustingly(head.key, data);
  }
  return sum;
}

class CountingVisitor : public TreeVisitor {
 public:
  bool VisitBlock(const TreeRoot&, const ExtentBuffer& block) override {
    Count();
    if (Header(block).level() == 0) DecodeLeaf(block);
    return true;
  }
  void VisitDamage(const WalkDamage&) override { Count(); }
  bool Stopped() override { return steps_ >= kMostSteps; }

 private:
  static constexpr int kMostSteps = 1000;

  void Count() { EBCACHE_ORACLE("walk-ends", ++steps_ < kMostSteps); }

  int steps_ = 0;
};

void SearchAndIterate(BufferCache& cache, uint8_t level) {
  const BTree tree(&cache, {.id = kFsTreeId, .bytenr = kBytenr, .level = level, .name = "tree"});
  for (const Key& key : {kMinKey, kMaxKey, Key{256, kInodeItemType, 0}}) {
    (void)tree.Find(key);
    const absl::StatusOr<Path> at = tree.Search(key);
    if (at.ok() && at->valid()) EBCACHE_ORACLE("search", at->key() >= key);
    const absl::StatusOr<Path> before = tree.SearchBackward(key);
    if (before.ok()) EBCACHE_ORACLE("search-backward", before->key() <= key);
  }
  int items = 0;
  ItemRange range = tree.Items();
  for (const Item& item : range) {
    const bool ends = ++items <= 10000;
    EBCACHE_ORACLE("iteration-ends", ends);
    if (!ends) break;
    DecodeTrustingly(item.key(), Bytes(item.data().begin(), item.data().end()));
  }
  CountingVisitor visitor;
  WalkTree(cache, tree.root(), visitor);
}

// The same caches for all inputs: making one costs more than a run.
struct Caches {
  OneBlock source;
  BufferCache contiguous{{.node_bytes = kNodeBytes, .budget_bytes = 0}, &source};
  BufferCache paged{{.node_bytes = 4 * kNodeBytes,
                     .budget_bytes = 0,
                     .allocator = Order0Allocator(
                         {.arena_bytes = size_t{64} << 20, .contiguous_by_luck = false})},
                    &source};
};

// A page array is only one with several pages: the block is laid out anew in a larger one.
Bytes Enlarged(const Bytes& block) {
  Bytes large(4 * kNodeBytes);
  std::copy(block.begin(), block.end(), large.begin());
  const uint32_t grown = 3 * kNodeBytes;
  if (static_cast<uint8_t>(block[100]) != 0) return large;
  uint32_t count;
  std::memcpy(&count, &block[96], sizeof(count));
  for (uint32_t slot = 0; slot < count; ++slot) {
    const size_t at = kHeaderBytes + size_t{slot} * kItemBytes + kKeyBytes;
    uint32_t offset;
    std::memcpy(&offset, &large[at], sizeof(offset));
    testing::Put<uint32_t>(large, at, offset + grown);
  }
  std::copy(block.begin() + kHeaderBytes + count * kItemBytes, block.end(),
            large.begin() + grown + kHeaderBytes + count * kItemBytes);
  return large;
}

}  // namespace

void Run(const uint8_t* data, size_t size) {
  static Caches* const caches = new Caches;
  FuzzInput input(data, size);
  const uint8_t mode = input.Take<uint8_t>();
  Bytes block = BlockOf(input, mode);
  const absl::Status status = CheckTreeBlockBytes(block, kLimits);
  if (!status.ok()) {
    EBCACHE_ORACLE("rejection-named", absl::EndsWith(status.message(), "]"));
    return;
  }
  const bool paged = (mode & 2) != 0;
  if (paged) block = Enlarged(block);
  BufferCache& cache = paged ? caches->paged : caches->contiguous;
  caches->source.Set(&block);
  SearchAndIterate(cache, static_cast<uint8_t>(block[100]));
  cache.DropCaches();
  EBCACHE_ORACLE("reference-left", cache.stats().cached_buffers == 0);
}

}  // namespace ebcache::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ebcache::fuzz::Run(data, size);
  return 0;
}
