// dump_items DEVICE...: parses every item of every tree, sees that it encodes to the bytes that it
// was, and prints a line for each:
//
//   LEAF SLOT TYPE: WORDS
//
// where WORDS are dump-tree's, or nothing for types that are not in item_words.h. Exit code 1 when
// an item, or a block, is not as it is to be; stderr says which.

#include <absl/strings/str_cat.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/filesystem.h"
#include "ebcache/items.h"
#include "tests/format/item_by_key.h"
#include "tests/format/item_words.h"

namespace ebcache::testing {
namespace {

using Bytes = std::vector<std::byte>;

class Dumper : public TreeVisitor {
 public:
  bool VisitBlock(const TreeRoot&, const ExtentBuffer& block) override {
    Bytes bytes(block.length());
    if (absl::Status status = block.Read(0, absl::MakeSpan(bytes)); !status.ok()) {
      Complain(absl::StrCat("block ", block.start()), status.ToString());
      return false;
    }
    DumpFront(block.start(), bytes);
    return true;
  }
  void VisitDamage(const WalkDamage& damage) override { Complain("damage", damage.ToString()); }

  bool complained() const { return complained_; }

 private:
  void Complain(const std::string& where, const std::string& what) {
    std::fprintf(stderr, "%s: %s\n", where.c_str(), what.c_str());
    complained_ = true;
  }

  // Whether the part of the block is what its struct encodes to.
  template <typename T>
  T Part(uint64_t bytenr, absl::Span<const std::byte> part) {
    const absl::StatusOr<T> parsed = ParseItem<T>(part);
    Bytes again;
    if (!parsed.ok() || !AppendItem(*parsed, again).ok() || absl::MakeConstSpan(again) != part) {
      Complain(absl::StrCat("block ", bytenr), "a head is not what it encodes to");
    }
    return parsed.ok() ? *parsed : T{};
  }

  void DumpFront(uint64_t bytenr, absl::Span<const std::byte> block) {
    const auto header = Part<BlockHeader>(bytenr, block.subspan(0, BlockHeader::kBytes));
    absl::Span<const std::byte> rest = block.subspan(BlockHeader::kBytes);
    if (header.bytenr != bytenr || header.backref_revision() != kMixedBackrefRevision) {
      Complain(absl::StrCat("block ", bytenr), "its header is another's");
    }
    for (uint32_t slot = 0; slot < header.item_count; ++slot) {
      if (header.level > 0) {
        Part<KeyPointer>(bytenr, rest.subspan(slot * kKeyPointerBytes, kKeyPointerBytes));
        continue;
      }
      const auto head = Part<DiskItemHead>(
          bytenr, rest.subspan(slot * DiskItemHead::kBytes, DiskItemHead::kBytes));
      DumpItem(absl::StrCat(bytenr, " ", slot), head.key, rest.subspan(head.offset, head.size));
    }
  }

  void DumpItem(const std::string& where, const Key& key, absl::Span<const std::byte> item) {
    Bytes again;
    const absl::Status status = ParseAndEncode(key, item, again);
    std::string words;
    if (status.ok()) {
      if (absl::MakeConstSpan(again) != item) {
        Complain(absl::StrCat(where, ": ", key.ToString()), "encodes to other bytes");
      }
      words = ItemWords(key, item);
    } else if (!absl::IsNotFound(status)) {
      Complain(absl::StrCat(where, ": ", key.ToString()), status.ToString());
    }
    std::printf("%s %d: %s\n", where.c_str(), key.type, words.c_str());
  }

  bool complained_ = false;
};

int Main(const std::vector<std::string>& paths) {
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = Filesystem::Open(paths);
  if (!filesystem.ok()) {
    std::fprintf(stderr, "%s\n", filesystem.status().ToString().c_str());
    return 2;
  }
  Dumper dumper;
  std::vector<WalkDamage> damage;
  const std::vector<TreeRoot> trees = (*filesystem)->Trees(&damage);
  for (const WalkDamage& of : damage) dumper.VisitDamage(of);
  for (const TreeRoot& tree : trees) WalkTree((*filesystem)->cache(), tree, dumper);
  return dumper.complained() ? 1 : 0;
}

}  // namespace
}  // namespace ebcache::testing

int main(int argc, char** argv) {
  return ebcache::testing::Main(std::vector<std::string>(argv + 1, argv + argc));
}
