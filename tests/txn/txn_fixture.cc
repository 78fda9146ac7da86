#include "tests/txn/txn_fixture.h"

#include <absl/strings/str_cat.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <utility>

#include "ebcache/item_codec.h"
#include "ebcache/items_file.h"
#include "lib/format/checksum.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::testing {
namespace {

constexpr uint64_t kTopDirectory = 256;

class DamageFinder : public TreeVisitor {
 public:
  bool VisitBlock(const TreeRoot&, const ExtentBuffer&) override { return true; }
  void VisitDamage(const WalkDamage& damage) override {
    if (first.empty()) first = damage.ToString();
  }
  std::string first;
};

}  // namespace

SampleItem MakeAttribute(uint64_t number, size_t value_bytes, uint8_t salt) {
  const std::string name = absl::StrCat("user.", number);
  const std::string value(value_bytes, static_cast<char>('a' + (number + salt) % 26));
  SampleItem item;
  const DirEntry entry{.type = 8, .name = name, .data = value};
  const absl::Status status = AppendItem(entry, item.data);
  EXPECT_TRUE(status.ok()) << status;
  item.key = {
      kTopDirectory, kXattrItemType,
      NameHash(absl::MakeConstSpan(reinterpret_cast<const std::byte*>(name.data()), name.size()))};
  return item;
}

std::unique_ptr<Filesystem> OpenWritable(const std::vector<std::string>& paths,
                                         uint64_t budget_bytes) {
  FilesystemOptions options;
  options.writable = true;
  options.cache.budget_bytes = budget_bytes;
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      Filesystem::Open(paths, std::move(options));
  EXPECT_TRUE(filesystem.ok()) << filesystem.status();
  return filesystem.ok() ? *std::move(filesystem) : nullptr;
}

ItemMap ItemsOf(const BTree& tree) {
  ItemMap items;
  ItemRange range = tree.Items();
  for (const Item& item : range) {
    items[item.key()] = {item.data().begin(), item.data().end()};
  }
  EXPECT_TRUE(range.status().ok()) << range.status();
  return items;
}

ItemMap ItemsOf(const std::vector<std::string>& paths, uint64_t tree) {
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = Filesystem::Open(paths);
  EXPECT_TRUE(filesystem.ok()) << filesystem.status();
  if (!filesystem.ok()) return {};
  const absl::StatusOr<BTree> opened = (*filesystem)->Tree(tree);
  EXPECT_TRUE(opened.ok()) << opened.status();
  return opened.ok() ? ItemsOf(*opened) : ItemMap();
}

std::string SuperblocksOf(const std::string& path) {
  std::string bytes;
  std::ifstream file(path, std::ios::binary);
  for (const uint64_t offset : {kSuperblockOffsets[0], kSuperblockOffsets[1]}) {
    std::string copy(kSuperblockBytes, '\0');
    file.seekg(static_cast<std::streamoff>(offset));
    file.read(copy.data(), static_cast<std::streamsize>(copy.size()));
    EXPECT_TRUE(file.good()) << path;
    bytes += copy;
  }
  return bytes;
}

void PutSuperblocks(const std::string& path, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (size_t i = 0; i < 2; ++i) {
    file.seekp(static_cast<std::streamoff>(kSuperblockOffsets[i]));
    file << bytes.substr(i * kSuperblockBytes, kSuperblockBytes);
  }
  EXPECT_TRUE(file.good()) << path;
}

absl::Status PutAttribute(Transaction& transaction, uint64_t number, size_t value_bytes,
                          uint8_t salt) {
  const SampleItem item = MakeAttribute(number, value_bytes, salt);
  const absl::Status status = transaction.Replace(kFsTreeId, item.key, item.data);
  return absl::IsNotFound(status) ? transaction.Insert(kFsTreeId, item.key, item.data) : status;
}

// ---- SessionTest --------------------------------------------------------------------------------

void SessionTest::SetUp() {
  if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
}

void SessionTest::Make(const std::string& options, int devices, uint64_t device_bytes) {
  paths_ = MakeImages(options, devices, device_bytes);
  ASSERT_FALSE(paths_.empty());
}

void SessionTest::Open(SessionOptions options) {
  Close();
  filesystem_ = OpenWritable(paths_);
  ASSERT_NE(filesystem_, nullptr);
  absl::StatusOr<std::unique_ptr<Session>> session =
      Session::Open(filesystem_.get(), std::move(options));
  ASSERT_TRUE(session.ok()) << session.status();
  session_ = *std::move(session);
}

void SessionTest::Close() {
  session_.reset();
  filesystem_.reset();
}

std::unique_ptr<Transaction> SessionTest::Begin() {
  absl::StatusOr<std::unique_ptr<Transaction>> transaction = session_->Begin();
  EXPECT_TRUE(transaction.ok()) << transaction.status();
  return *std::move(transaction);
}

void SessionTest::ExpectSound() {
  Close();
  EXPECT_EQ(WalkDamageOf(paths_), "");
  EXPECT_EQ(CheckComplaintOf(paths_), "");
}

// ---- What others see ----------------------------------------------------------------------------

std::string WalkDamageOf(const std::vector<std::string>& paths) {
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = Filesystem::Open(paths);
  if (!filesystem.ok()) return filesystem.status().ToString();
  if (!(*filesystem)->open_damage().empty()) return (*filesystem)->open_damage()[0].ToString();
  DamageFinder finder;
  std::vector<WalkDamage> damage;
  BlockSet visited((*filesystem)->superblock().node_bytes);
  for (const TreeRoot& tree : (*filesystem)->Trees(&damage)) {
    WalkTree((*filesystem)->cache(), tree, finder, {.visited = &visited});
  }
  return damage.empty() ? finder.first : damage[0].ToString();
}

std::string CheckComplaintOf(const std::vector<std::string>& paths) {
  // It wants the devices of one filesystem announced to the kernel, which takes loop devices: see
  // tests/kernel.
  if (paths.size() != 1) return "";
  const std::string command = absl::StrCat("btrfs check --readonly ", paths[0], " 2>&1");
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "btrfs check cannot be run";
  std::string words;
  std::array<char, 4096> buffer;
  while (const size_t bytes = fread(buffer.data(), 1, buffer.size(), pipe)) {
    words.append(buffer.data(), bytes);
  }
  const int result = pclose(pipe);
  const bool complains = words.find("ERROR") != std::string::npos ||
                         words.find("mismatch") != std::string::npos ||
                         words.find("WARNING: ") != std::string::npos ||
                         words.find("no error found") == std::string::npos;
  return result == 0 && !complains ? "" : words;
}

}  // namespace ebcache::testing
