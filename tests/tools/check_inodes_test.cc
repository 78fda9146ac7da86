// Parts of inodes, joined in every way that leaves and subtrees may divide them.

#include <absl/types/span.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/items.h"
#include "ebcache/on_disk.h"
#include "tools/check/findings.h"
#include "tools/check/inode_part.h"

namespace ebcache::tools {
namespace {

constexpr uint32_t kSector = 4096;

struct Raw {
  Key key;
  std::vector<std::byte> data;
};

template <typename T>
Raw Make(const Key& key, const T& value) {
  Raw raw{key, {}};
  EXPECT_TRUE(AppendItem(value, raw.data).ok());
  return raw;
}

Raw File(uint64_t inode, uint64_t size, uint64_t disk_bytes) {
  InodeItem item;
  item.size = size;
  item.disk_bytes = disk_bytes;
  item.link_count = 1;
  item.mode = S_IFREG | 0644;
  return Make({inode, kInodeItemType, 0}, item);
}
Raw Name(uint64_t inode) {
  return Make({inode, kInodeRefType, 256}, InodeRef{.index = inode, .name = "name"});
}
Raw Extent(uint64_t inode, uint64_t start, uint64_t bytes) {
  FileExtentItem item;
  item.type = static_cast<uint8_t>(FileExtentType::kRegular);
  item.ram_bytes = bytes;
  item.place = FileExtentPlace{
      .disk_bytenr = 1 << 20, .disk_bytes = bytes, .offset = 0, .file_bytes = bytes};
  return Make({inode, kExtentDataType, start}, item);
}

// Keeps what facts come to, as a list that is sorted.
class Facts : public FileFacts {
 public:
  void Add(const Fact& fact, int64_t times) override {
    if (times != 0) list_.push_back(std::to_string(times) + " " + KeptFact(fact).ToString());
  }
  std::vector<std::string> Sorted() const {
    std::vector<std::string> sorted = list_;
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }

 private:
  std::vector<std::string> list_;
};

// The kinds that are found, in the order of the enum, and the facts: with the items divided at these places.
std::pair<std::vector<std::string>, std::vector<std::string>> Judge(
    const std::vector<Raw>& items, const std::vector<size_t>& divided) {
  FindingLog log(10);
  const FileRules rules{.tree = 5,
                        .generation = 10,
                        .sector_bytes = kSector,
                        .holes_have_items = true,
                        .findings = &log};
  Facts facts;
  InodeRun all;
  size_t at = 0;
  for (size_t part = 0; part <= divided.size(); ++part) {
    InodeRun run;
    const size_t end = part < divided.size() ? divided[part] : items.size();
    for (; at < end; ++at) TakeFileItem(items[at].key, items[at].data, rules, run, facts);
    all.Join(run, rules, facts);
  }
  all.Close(rules, facts);
  std::vector<std::string> kinds;
  for (size_t i = 0; i < kFindingKinds; ++i) {
    const auto kind = static_cast<FindingKind>(i);
    kinds.insert(kinds.end(), log.count(kind), std::string(FindingKindName(kind)));
  }
  return {kinds, facts.Sorted()};
}

// The same, however the items are divided in three.
std::vector<std::string> KindsOf(const std::vector<Raw>& items) {
  const auto whole = Judge(items, {});
  for (size_t first = 0; first <= items.size(); ++first) {
    for (size_t second = first; second <= items.size(); ++second) {
      EXPECT_EQ(Judge(items, {first, second}), whole) << first << " " << second;
    }
  }
  return whole.first;
}

using Kinds = std::vector<std::string>;

TEST(InodeRunTest, NothingIsSound) { EXPECT_EQ(KindsOf({}), Kinds()); }

TEST(InodeRunTest, SoundFiles) {
  EXPECT_EQ(
      KindsOf({File(257, 12288, 12288), Name(257), Extent(257, 0, 4096), Extent(257, 4096, 8192),
               File(258, 0, 0), Name(258), File(259, 5000, 8192), Name(259), Extent(259, 0, 8192)}),
      Kinds());
}

TEST(InodeRunTest, ExtentsThatOverlap) {
  EXPECT_EQ(KindsOf({File(256, 0, 0), Name(256), File(257, 12288, 16384), Name(257),
                     Extent(257, 0, 8192), Extent(257, 4096, 8192), File(258, 0, 0), Name(258)}),
            Kinds({"file-extent-overlap"}));
}

TEST(InodeRunTest, Gaps) {
  EXPECT_EQ(
      KindsOf({File(257, 12288, 8192), Name(257), Extent(257, 0, 4096), Extent(257, 8192, 4096)}),
      Kinds({"file-extent-gap"}));
  EXPECT_EQ(KindsOf({File(257, 12288, 4096), Name(257), Extent(257, 4096, 4096)}),
            Kinds({"file-extent-gap"}));
  EXPECT_EQ(KindsOf({File(257, 12288, 4096), Name(257), Extent(257, 0, 4096)}),
            Kinds({"file-extent-gap"}));
}

TEST(InodeRunTest, ItemsWithoutTheirInode) {
  EXPECT_EQ(KindsOf({File(256, 0, 0), Name(256), Name(257), Extent(257, 0, 4096),
                     Extent(257, 4096, 4096), File(258, 0, 0), Name(258)}),
            Kinds({"inode-missing"}));
}

TEST(InodeRunTest, Counts) {
  EXPECT_EQ(KindsOf({File(257, 0, 4096), Name(257), Name(257), File(258, 0, 0), Name(258)}),
            Kinds({"inode-link-count", "inode-bytes"}));
}

}  // namespace
}  // namespace ebcache::tools
