// Whole images: a small filesystem with a few edits, opened, walked, searched and scrubbed.
//
// The input is a list of edits. Each says which block and which of its copies, where, how wide, and
// what: a number, the address of some block, an extreme, or so much more than what was there. The
// checksums are made good afterwards (unless an edit says not to), so that the checks behind them
// are what is met.

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/filesystem.h"
#include "tests/device/memory_device.h"
#include "tests/format/format_bytes.h"
#include "tests/fs/sample_device.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/oracle.h"
#include "tests/fuzz/small_image.h"
#include "tests/fuzz/trusting_decoder.h"
#include "tools/progress.h"
#include "tools/verify/scrub.h"

namespace ebcache::fuzz {
namespace {

using testing::Bytes;

constexpr int kMostEdits = 32;
// Reads of the device that a run may take: there are about 15 blocks with two copies, and each can
// be met from some trees. What does not end goes past any limit.
constexpr uint64_t kMostReads = 20000;

constexpr uint64_t kExtremes[] = {0,
                                  1,
                                  8,
                                  255,
                                  4096,
                                  65535,
                                  uint64_t{1} << 31,
                                  ~uint32_t{0},
                                  uint64_t{1} << 63,
                                  ~uint64_t{0} - 4095,
                                  ~uint64_t{0}};

// ---- Edits --------------------------------------------------------------------------------------

// Each copy of each block.
using Copies = std::vector<std::array<Bytes, 2>>;

uint64_t TakeValue(FuzzInput& input, uint8_t kind, uint64_t before) {
  const std::vector<ImageBlock>& image = SmallImage();
  switch (kind) {
    case 0:
      return input.Take<uint64_t>();
    case 1:
      return image[input.Take<uint8_t>() % image.size()].logical;
    case 2:
      return kExtremes[input.Take<uint8_t>() % std::size(kExtremes)];
    default:
      return before + static_cast<uint64_t>(input.Take<int8_t>());
  }
}

void Edit(FuzzInput& input, Copies& copies, std::vector<bool>& unsealed) {
  const size_t block = input.Take<uint8_t>() % copies.size();
  const uint8_t how = input.Take<uint8_t>();
  const size_t width = size_t{1} << (how & 3);
  const size_t at = input.Take<uint16_t>() % (kImageNodeBytes - 7);
  uint64_t value = 0;
  std::memcpy(&value, &copies[block][0][at], width);
  value = TakeValue(input, how >> 2 & 3, value);
  const int which = how >> 4 & 3;  // 1 and 2: one of them
  for (int copy = 0; copy < 2; ++copy) {
    if (which == 2 - copy) continue;
    std::memcpy(&copies[block][copy][at], &value, width);
  }
  if ((how & 0x40) != 0) unsealed[block] = true;
}

std::unique_ptr<testing::MemoryDevice> EditedDevice(FuzzInput& input, Copies& copies) {
  const std::vector<ImageBlock>& image = SmallImage();
  for (const ImageBlock& block : image) copies.push_back({block.bytes, block.bytes});
  std::vector<bool> unsealed(image.size());
  for (int i = 0; i < kMostEdits && !input.empty(); ++i) Edit(input, copies, unsealed);
  auto device = std::make_unique<testing::MemoryDevice>("image", kImageDeviceBytes);
  for (size_t block = 0; block < image.size(); ++block) {
    for (int copy = 0; copy < 2; ++copy) {
      Bytes& bytes = copies[block][copy];
      if (!unsealed[block]) testing::Seal(bytes, ChecksumType::kCrc32c);
      device->Store(image[block].physical[copy], bytes);
    }
  }
  return device;
}

// ---- What is done with it -----------------------------------------------------------------------

class DecodingVisitor : public TreeVisitor {
 public:
  bool VisitBlock(const TreeRoot&, const ExtentBuffer& block) override {
    const uint32_t items = Header(block).item_count();
    if (Header(block).level() > 0) return true;
    for (uint32_t slot = 0; slot < items; ++slot) {
      const ItemHead head = LoadItemHead(block, slot);
      Bytes data(head.size);
      const bool readable = block.Read(head.offset, absl::MakeSpan(data)).ok();
      EBCACHE_ORACLE("item-readable", readable);
      if (!readable) continue;
      DecodeTrustingly(head.key, data);
    }
    return true;
  }
  void VisitDamage(const WalkDamage& found) override {
    ++damage_;
    EBCACHE_ORACLE("damage-has-a-reason", !found.status.ok() && !found.ToString().empty());
  }
  int damage() const { return damage_; }

 private:
  int damage_ = 0;
};

// Searches a tree, and goes through it in both directions.
void Roam(const BTree& tree) {
  absl::StatusOr<Path> path = tree.Search({260, kInodeItemType, 0});
  if (path.ok() && path->leaf()) (void)tree.Previous(*path);
  ItemRange items = tree.Items();
  for (const Item& item : items)
    DecodeTrustingly(item.key(), Bytes(item.data().begin(), item.data().end()));
}

// The damage that was met.
int ReadAll(Filesystem& filesystem) {
  std::vector<WalkDamage> damage = filesystem.open_damage();
  DecodingVisitor visitor;
  for (const TreeRoot& root : filesystem.Trees(&damage)) {
    WalkTree(filesystem.cache(), root, visitor);
    Roam(BTree(&filesystem.cache(), root));
  }
  for (uint64_t id : {kRootTreeId, kFsTreeId, kTreeLogId, kUuidTreeId}) (void)filesystem.Tree(id);
  return visitor.damage() + static_cast<int>(damage.size());
}

}  // namespace

void Run(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  Copies copies;
  const std::unique_ptr<testing::MemoryDevice> device = EditedDevice(input, copies);
  tools::LostCopies lost;
  const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = Filesystem::OpenDevices(
      testing::Borrow(*device), {.cache = {.budget_bytes = 64 << 10},
                                 .on_damage = [&](const MirrorDamage& copy) { lost.Note(copy); }});
  EBCACHE_ORACLE("sound-opens", size > 0 || filesystem.ok());
  if (!filesystem.ok()) return;
  const int damage = ReadAll(**filesystem);
  tools::Progress progress;
  const tools::ScrubReport report = tools::Scrub(**filesystem, lost, progress);
  EBCACHE_ORACLE("sound-is-sound", size > 0 || (damage == 0 && !report.damage()));
  EBCACHE_ORACLE("scrub-finds-it", damage == 0 || report.damage());
  EBCACHE_ORACLE("reads-end", device->reads().size() < kMostReads);
  (*filesystem)->cache().DropCaches();
  EBCACHE_ORACLE("reference-left", (*filesystem)->cache().stats().cached_buffers == 0);
}

}  // namespace ebcache::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ebcache::fuzz::Run(data, size);
  return 0;
}
