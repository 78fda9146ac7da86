// Changes trees of files at random, many commits long, and holds them against a map kept beside.
//
//   random_program SEED COMMITS TREES DEVICE...          TREES: 5,256,257
//
// All that it makes are extended attributes of top directories, so that a kernel can read the result.
// It prints what it has left: "attribute TREE NAME BYTES LETTER", the value being BYTES of LETTER; and
// one line "counts ...". Exit code 1, with a reason on stderr, where trees are not what they should be.

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/on_disk.h"
#include "ebcache/transaction.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

// Of these there are few enough for a kernel to list: all names of an inode together have 64 KiB.
constexpr uint64_t kMostNumbers = 3000;
// What attributes of one tree may hold, so that images stay small.
constexpr uint64_t kMostBytes = 1536 << 10;
constexpr int kCommitsBetweenLooks = 6;
constexpr size_t kAttributeHeadBytes = 30;

struct Attribute {
  size_t bytes = 0;
  uint8_t salt = 0;
};

struct TreeModel {
  uint64_t id = 0;
  ItemMap foreign;  // what a kernel has made: never touched
  std::map<uint64_t, Attribute> attributes;
  uint64_t bytes = 0;
};

struct Counts {
  uint64_t commits = 0;
  uint64_t aborts = 0;
  uint64_t changes = 0;
  uint64_t looks = 0;
  TransactionCounts blocks;
};

[[noreturn]] void Fail(const std::string& why) {
  fprintf(stderr, "random_program: %s\n", why.c_str());
  exit(1);
}

void Require(const absl::Status& status, const char* what) {
  if (!status.ok()) Fail(absl::StrCat(what, ": ", status.ToString()));
}

class Program {
 public:
  Program(uint64_t seed, std::vector<std::string> devices)
      : random_(seed), devices_(std::move(devices)) {}

  void Run(int commits, const std::vector<uint64_t>& trees) {
    for (const uint64_t id : trees) {
      models_.push_back({.id = id, .foreign = ItemsOf(devices_, id), .attributes = {}, .bytes = 0});
      if (models_.back().foreign.empty()) Fail(absl::StrCat("tree ", id, " is empty"));
    }
    Open();
    for (int i = 0; i < commits; ++i) {
      OneTransaction();
      if (i % kCommitsBetweenLooks == kCommitsBetweenLooks - 1) Look();
    }
    Look();
    Close();
    Print();
  }

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }

  void Open() {
    filesystem_ = OpenWritable(devices_);
    if (filesystem_ == nullptr) Fail("cannot be opened for writing");
    SessionOptions options;
    options.join_neighbours = Below(4) != 0;
    options.most_unwritten_bytes = Below(2) == 0 ? 1 : 0;
    options.rewrite_threads = Below(3) == 0 ? 2 : 0;
    absl::StatusOr<std::unique_ptr<Session>> session = Session::Open(filesystem_.get(), options);
    Require(session.status(), "no session");
    session_ = *std::move(session);
  }
  void Close() {
    session_.reset();
    filesystem_.reset();
  }

  // Compares every tree, as one finds it that opens the filesystem anew.
  void Look() {
    Close();
    ++counts_.looks;
    for (const TreeModel& model : models_) {
      ItemMap expected = model.foreign;
      for (const auto& [number, attribute] : model.attributes) {
        SampleItem item = MakeAttribute(number, attribute.bytes, attribute.salt);
        expected[item.key] = std::move(item.data);
      }
      const ItemMap found = ItemsOf(devices_, model.id);
      if (found == expected) continue;
      Fail(absl::StrCat("tree ", model.id, " has ", found.size(), " items, not those ",
                        expected.size(), " that it should have"));
    }
    Open();
  }

  void OneTransaction() {
    absl::StatusOr<std::unique_ptr<Transaction>> begun = session_->Begin();
    Require(begun.status(), "Begin");
    Transaction& transaction = **begun;
    const bool aborts = Below(8) == 0;
    std::vector<TreeModel> before;
    if (aborts) before = models_;
    const uint64_t changes = Below(4) == 0 ? 1 + Below(600) : 1 + Below(80);
    for (uint64_t i = 0; i < changes; ++i) {
      TreeModel& model = models_[Below(models_.size())];
      Change(transaction, model);
      if (model.bytes > kMostBytes) RemoveMany(transaction, model);
    }
    if (Below(5) == 0) RewriteOne(transaction);
    if (aborts) {
      transaction.Abort();
      models_ = std::move(before);
      ++counts_.aborts;
    } else {
      std::vector<SuperblockFailure> failures;
      Require(transaction.Commit(&failures), "Commit");
      if (!failures.empty()) Fail("superblocks were not written");
      ++counts_.commits;
      counts_.changes += changes;
    }
    Add(transaction.counts());
  }

  void Add(const TransactionCounts& more) {
    counts_.blocks.blocks_copied += more.blocks_copied;
    counts_.blocks.blocks_written += more.blocks_written;
    counts_.blocks.blocks_written_early += more.blocks_written_early;
    counts_.blocks.blocks_freed += more.blocks_freed;
    counts_.blocks.blocks_recycled += more.blocks_recycled;
  }

  size_t SomeBytes(uint64_t number) {
    const size_t name = absl::StrCat("user.", number).size();
    const size_t most = filesystem_->superblock().node_bytes - kHeaderBytes - kItemBytes -
                        kAttributeHeadBytes - name;
    switch (Below(16)) {
      case 0:
        return most - Below(3);  // the largest that there may be
      case 1:
      case 2:
        return Below(most);
      default:
        return Below(400);
    }
  }

  void Change(Transaction& transaction, TreeModel& model) {
    const uint64_t number = Below(kMostNumbers);
    const auto at = model.attributes.find(number);
    const Attribute attribute{SomeBytes(number), static_cast<uint8_t>(Below(26))};
    const SampleItem item = MakeAttribute(number, attribute.bytes, attribute.salt);
    if (at == model.attributes.end()) {
      Require(transaction.Insert(model.id, item.key, item.data), "Insert");
    } else {
      model.bytes -= at->second.bytes;
      if (Below(2) == 0) {
        Require(transaction.Remove(model.id, item.key), "Remove");
        model.attributes.erase(at);
        return;
      }
      Require(transaction.Replace(model.id, item.key, item.data), "Replace");
    }
    model.attributes[number] = attribute;
    model.bytes += attribute.bytes;
  }

  // A range of keys with some of the attributes: about half of them, all at times.
  void RemoveMany(Transaction& transaction, TreeModel& model) {
    KeyRange range{.from = MakeAttribute(0, 0).key, .to = MakeAttribute(0, 0).key};
    range.from.offset = Below(3) == 0 ? 0 : Below(uint64_t{1} << 31);
    range.to.offset = range.from.offset + (uint64_t{1} << 32);
    uint64_t expected = 0;
    for (auto at = model.attributes.begin(); at != model.attributes.end();) {
      if (MakeAttribute(at->first, 0).key < range.from) {
        ++at;
        continue;
      }
      model.bytes -= at->second.bytes;
      at = model.attributes.erase(at);
      ++expected;
    }
    const absl::StatusOr<uint64_t> removed = transaction.RemoveRange(model.id, range);
    Require(removed.status(), "RemoveRange");
    if (*removed != expected) {
      Fail(absl::StrCat("RemoveRange: ", *removed, " items, not ", expected));
    }
  }

  void RewriteOne(Transaction& transaction) {
    const uint64_t others[] = {kRootTreeId, kExtentTreeId, kChunkTreeId, kDevTreeId, kCsumTreeId};
    const uint64_t tree =
        Below(2) == 0 ? others[Below(std::size(others))] : models_[Below(models_.size())].id;
    std::optional<Key> from = kMinKey;
    // The extent tree grows by its own rewriting: only part of it.
    for (int rounds = tree == kExtentTreeId ? 4 : 1 << 20; from && rounds > 0; --rounds) {
      const absl::StatusOr<std::optional<Key>> next = transaction.Rewrite(tree, *from, 8);
      Require(next.status(), "Rewrite");
      from = *next;
    }
  }

  void Print() const {
    for (const TreeModel& model : models_) {
      for (const auto& [number, attribute] : model.attributes) {
        printf("attribute %" PRIu64 " user.%" PRIu64 " %zu %c\n", model.id, number, attribute.bytes,
               static_cast<char>('a' + (number + attribute.salt) % 26));
      }
    }
    printf("counts commits=%" PRIu64 " aborts=%" PRIu64 " changes=%" PRIu64 " looks=%" PRIu64
           " copied=%" PRIu64 " written=%" PRIu64 " early=%" PRIu64 " freed=%" PRIu64
           " recycled=%" PRIu64 "\n",
           counts_.commits, counts_.aborts, counts_.changes, counts_.looks,
           counts_.blocks.blocks_copied, counts_.blocks.blocks_written,
           counts_.blocks.blocks_written_early, counts_.blocks.blocks_freed,
           counts_.blocks.blocks_recycled);
  }

  std::mt19937_64 random_;
  const std::vector<std::string> devices_;
  std::vector<TreeModel> models_;
  std::unique_ptr<Filesystem> filesystem_;
  std::unique_ptr<Session> session_;
  Counts counts_;
};

int Main(int argc, char** argv) {
  uint64_t seed = 0;
  int commits = 0;
  if (argc < 5 || !absl::SimpleAtoi(argv[1], &seed) || !absl::SimpleAtoi(argv[2], &commits)) {
    Fail("usage: random_program SEED COMMITS TREES DEVICE...");
  }
  std::vector<uint64_t> trees;
  for (const absl::string_view word : absl::StrSplit(argv[3], ',')) {
    trees.emplace_back();
    if (!absl::SimpleAtoi(word, &trees.back())) Fail("TREES are numbers with commas between");
  }
  Program(seed, {argv + 4, argv + argc}).Run(commits, trees);
  return 0;
}

}  // namespace
}  // namespace ebcache::testing

int main(int argc, char** argv) { return ebcache::testing::Main(argc, argv); }
