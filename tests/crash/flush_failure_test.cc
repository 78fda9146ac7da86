// A commit of which some devices do not make durable what they were given goes on where each block
// has a copy on another device, and else leaves the state before it; whatever becomes of the bytes.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "lib/base/bytes.h"
#include "tests/crash/commit_kinds.h"
#include "tests/crash/disk_state.h"
#include "tests/crash/disks.h"
#include "tests/crash/failing_commit.h"
#include "tests/crash/recorded_commits.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::testing {
namespace {

using Kind = DeviceEvent::Kind;
using DeviceSet = std::set<size_t>;

// Where a block's header has its address.
constexpr size_t kAddressAt = 48;

bool IsSuperblock(uint64_t offset) {
  return std::find(kSuperblockOffsets.begin(), kSuperblockOffsets.end(), offset) !=
         kSuperblockOffsets.end();
}

absl::Status Injected() { return absl::UnavailableError("injected"); }

uint64_t GenerationOf(const Disks& disks) {
  const auto filesystem = OpenDisks(disks);
  return filesystem.ok() ? (*filesystem)->superblock().generation : 0;
}

class BlocksOfGeneration : public TreeVisitor {
 public:
  explicit BlocksOfGeneration(uint64_t generation) : generation_(generation) {}
  bool VisitBlock(const TreeRoot&, const ExtentBuffer& block) override {
    if (Header(block).generation() == generation_) blocks.insert(block.start());
    return true;
  }
  void VisitDamage(const WalkDamage& damage) override { ADD_FAILURE() << damage.ToString(); }
  std::set<uint64_t> blocks;

 private:
  const uint64_t generation_;
};

// The blocks that the newest state has and no older one.
std::set<uint64_t> NewBlocksOf(const Disks& disks) {
  const auto filesystem = OpenDisks(disks);
  EXPECT_TRUE(filesystem.ok()) << filesystem.status();
  if (!filesystem.ok()) return {};
  BlocksOfGeneration collector((*filesystem)->superblock().generation);
  std::vector<WalkDamage> damage;
  for (const TreeRoot& tree : (*filesystem)->Trees(&damage)) {
    WalkTree((*filesystem)->cache(), tree, collector);
  }
  EXPECT_TRUE(damage.empty());
  return std::move(collector.blocks);
}

using Kinds = std::tuple<DiskKind, CommitKind>;

class FlushFailureTest : public ::testing::TestWithParam<Kinds> {
 protected:
  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
    const CommitKind& kind = std::get<1>(GetParam());
    ItemMap items;
    begin_ = AfterSteps(MakeDisks(std::get<0>(GetParam())), kind.before, &items);
    ASSERT_FALSE(begin_.empty());
    step_ = kind.recorded[0];
    old_ = LookAt(begin_);
    ASSERT_EQ(old_.complaint, "");
    old_items_ = FileItemsOf(begin_);
    FailingCommit clean(begin_, step_);
    ASSERT_TRUE(clean.Run().ok());
    flushes_ = clean.log().count(Kind::kFlush);
    writes_ = clean.log().count(Kind::kWrite);
    clean.End();
    const Disks after = clean.Left();
    new_ = LookAt(after);
    ASSERT_EQ(new_.complaint, "");
    new_items_ = FileItemsOf(after);
    blocks_ = NewBlocksOf(after);
    ASSERT_FALSE(blocks_.empty());
    FindHolders(clean.log());
  }

  // On which devices the blocks of the commit lie, by what was written.
  void FindHolders(const DeviceLog& log) {
    for (size_t i = 0; i < log.size(); ++i) {
      const LogEntry entry = log.entry(i);
      if (!entry.IsWrite() || IsSuperblock(entry.offset)) continue;
      const uint64_t address = LoadLe<uint64_t>(entry.bytes->data() + kAddressAt);
      if (!blocks_.contains(address)) continue;  // written early, and freed since
      holders_[address].insert(entry.device);
      places_.insert({entry.device, entry.offset});
    }
    ASSERT_EQ(holders_.size(), blocks_.size());
  }

  // Whether a block of the commit lies on these devices alone.
  bool SomeBlockIsOn(const DeviceSet& devices) const {
    return std::any_of(holders_.begin(), holders_.end(), [&](const auto& block) {
      return std::includes(devices.begin(), devices.end(), block.second.begin(),
                           block.second.end());
    });
  }
  size_t BlocksOn(const DeviceSet& devices) const {
    size_t copies = 0;
    for (const auto& [address, holders] : holders_) {
      for (const size_t device : holders) copies += devices.contains(device) ? 1 : 0;
    }
    return copies;
  }

  // The flushes of these devices fail that are to make the blocks durable.
  void FailFlushes(FailingCommit& commit, const DeviceSet& devices) {
    commit.log().FailBy([devices, all = begin_.size()](const DeviceEvent& event) {
      const bool of_blocks = event.kind == Kind::kFlush && event.number <= all;
      return of_blocks && devices.contains(event.device) ? Injected() : absl::OkStatus();
    });
  }

  // What the disks may have after `entries`: all, nothing and every second one of what may be lost;
  // and what was written last at each place lost, with what was there before it.
  static std::vector<Disks> WhatMayBeLeft(const DeviceLog& log, size_t entries) {
    const std::vector<size_t> lost = log.MayBeLost(entries);
    std::vector<size_t> some;
    std::map<std::pair<size_t, uint64_t>, size_t> last;
    for (size_t i = 0; i < lost.size(); ++i) {
      if (i % 2 == 0) some.push_back(lost[i]);
      last[{log.entry(lost[i]).device, log.entry(lost[i]).offset}] = lost[i];
    }
    std::vector<size_t> last_ones;
    for (const auto& [place, entry] : last) last_ones.push_back(entry);
    std::sort(last_ones.begin(), last_ones.end());
    return {log.After({.entries = entries}), log.After({.entries = entries, .lost = lost}),
            log.After({.entries = entries, .lost = some}),
            log.After({.entries = entries, .lost = last_ones})};
  }

  void ExpectOld(FailingCommit& commit) {
    EXPECT_EQ(commit.transaction().stage(), TransactionStage::kAborted);
    EXPECT_EQ(commit.filesystem().superblock().generation, old_.generation);
    EXPECT_EQ(commit.filesystem().cache().stats().dirty_buffers, 0u);
    EXPECT_TRUE(commit.failures().empty());
    for (const Disks& left : WhatMayBeLeft(commit.log(), commit.log().size())) {
      const DiskState state = LookAt(left);
      EXPECT_EQ(state.complaint, "");
      EXPECT_EQ(state.digest, old_.digest);
    }
    ExpectNextWorks(commit);
  }

  // Another transaction of the session commits, and is there whatever the last one has lost.
  void ExpectNextWorks(FailingCommit& commit) {
    const TransactionStage how = commit.transaction().stage();
    commit.End();
    auto next = commit.session().Begin();
    ASSERT_TRUE(next.ok()) << next.status();
    ItemMap items;
    Editor editor(next->get(), &items);
    const bool again = how == TransactionStage::kAborted;
    ASSERT_TRUE((again ? step_.change(editor) : editor.Insert(7000, 40)).ok());
    const absl::Status status = (*next)->Commit();
    ASSERT_TRUE(status.ok()) << status;
    for (const auto& device : SuperblocksOf(commit.Left())) {
      for (const auto& generation : device) {
        EXPECT_EQ(generation, commit.filesystem().superblock().generation);
      }
    }
    ItemMap expected = new_items_;
    expected.merge(items);
    for (const Disks& left : WhatMayBeLeft(commit.log(), commit.log().size())) {
      EXPECT_EQ(SpaceComplaintOf(left), "");
      EXPECT_EQ(FileItemsOf(left), expected);
    }
  }

  // Committed, without what these devices may have lost.
  void ExpectNew(FailingCommit& commit, const DeviceSet& devices) {
    EXPECT_EQ(commit.transaction().stage(), TransactionStage::kCommitted);
    EXPECT_EQ(commit.filesystem().superblock().generation, new_.generation);
    EXPECT_EQ(commit.filesystem().cache().stats().dirty_buffers, 0u);
    EXPECT_EQ(commit.damage(), BlocksOn(devices));
    ExpectOldSuperblocks(commit, devices);
    for (const Disks& left : WhatMayBeLeft(commit.log(), commit.log().size())) {
      EXPECT_EQ(GenerationOf(left), new_.generation);
      EXPECT_EQ(SpaceComplaintOf(left), "");
      EXPECT_EQ(FileItemsOf(left), new_items_);
      ExpectReadableWithout(left, devices);
    }
    ExpectReadHere(commit);
    ExpectNextWorks(commit);
  }

  // Their superblocks stay, lead to a state that they have, and are told of.
  void ExpectOldSuperblocks(FailingCommit& commit, const DeviceSet& devices) {
    const SuperblockGenerations generations = SuperblocksOf(commit.Left());
    size_t kept = 0;
    for (size_t device = 0; device < generations.size(); ++device) {
      const bool failed = devices.contains(device);
      kept += failed ? generations[device].size() : 0;
      for (const auto& generation : generations[device]) {
        EXPECT_EQ(generation, failed ? old_.generation : new_.generation) << "disk" << device;
      }
    }
    EXPECT_EQ(commit.failures().size(), kept);
    for (const SuperblockFailure& failure : commit.failures()) {
      EXPECT_TRUE(devices.contains(static_cast<size_t>(failure.device.back() - '0')));
      EXPECT_TRUE(failure.status.message().find("its blocks may be lost: ") == 0) << failure.status;
    }
  }

  // The devices that have flushed have all of it; of two that mirror each other the other one has
  // the state before it.
  void ExpectReadableWithout(const Disks& left, const DeviceSet& devices) {
    Disks others;
    Disks failed;
    for (size_t i = 0; i < left.size(); ++i) {
      (devices.contains(i) ? failed : others).push_back(left[i]);
    }
    EXPECT_EQ(FileItemsOf(others), new_items_);
    const std::string name = std::get<0>(GetParam()).name;
    if (name != "Raid1" && name != "Raid1c3") return;
    EXPECT_EQ(GenerationOf(failed), old_.generation);
    EXPECT_EQ(FileItemsOf(failed), old_items_);
  }

  // As long as the filesystem is open, no copy is read that may be lost.
  void ExpectReadHere(FailingCommit& commit) {
    const absl::StatusOr<BTree> tree = commit.filesystem().Tree(kFsTreeId);
    ASSERT_TRUE(tree.ok()) << tree.status();
    EXPECT_EQ(ItemsOf(*tree), new_items_);
    for (const auto& [address, holders] : holders_) {
      const auto copies = commit.filesystem().volume().Map(address, 4096);
      ASSERT_TRUE(copies.ok()) << copies.status();
      for (size_t copy = 0; copy < copies->size(); ++copy) {
        const size_t device = static_cast<size_t>((*copies)[copy].device->name().back() - '0');
        const absl::Status read =
            commit.filesystem().volume().CheckCopy(address, static_cast<int>(copy) + 1);
        EXPECT_EQ(read.ok(), !failed_.contains(device)) << read;
      }
    }
  }

  // A crash between the flush and the end leaves either state, whatever was lost.
  void ExpectEitherOnTheWay(const DeviceLog& log) {
    size_t first = log.size();
    while (first > 0 &&
           !(log.entry(first - 1).IsWrite() && !IsSuperblock(log.entry(first - 1).offset))) {
      --first;
    }
    for (size_t entries = first; entries < log.size(); ++entries) {
      for (const Disks& left : WhatMayBeLeft(log, entries)) {
        const bool is_new = GenerationOf(left) == new_.generation;
        EXPECT_EQ(SpaceComplaintOf(left), "");
        EXPECT_EQ(FileItemsOf(left), is_new ? new_items_ : old_items_);
        if (::testing::Test::HasFailure()) return;
      }
    }
  }

  // One run in which the flushes of these devices fail.
  void Run(const DeviceSet& devices) {
    SCOPED_TRACE(absl::StrCat("devices ", absl::StrJoin(devices, ",")));
    failed_ = devices;
    FailingCommit commit(begin_, step_);
    FailFlushes(commit, devices);
    const absl::Status status = commit.Run();
    const bool lost = SomeBlockIsOn(devices);
    EXPECT_EQ(status.ok(), !lost) << status;
    if (!status.ok()) {
      EXPECT_TRUE(absl::IsUnavailable(status)) << status;
      EXPECT_NE(status.message().find("flushing: block "), std::string::npos) << status;
      return ExpectOld(commit);
    }
    ++committed_;
    ExpectEitherOnTheWay(commit.log());
    ExpectNew(commit, devices);
  }

  Disks begin_;
  Step step_;
  DiskState old_;
  DiskState new_;
  ItemMap old_items_;
  ItemMap new_items_;
  std::set<uint64_t> blocks_;
  std::map<uint64_t, DeviceSet> holders_;         // by address of a block of the commit
  std::set<std::pair<size_t, uint64_t>> places_;  // device and offset of each of their copies
  DeviceSet failed_;
  uint64_t flushes_ = 0;
  uint64_t writes_ = 0;
  size_t committed_ = 0;
};

TEST_P(FlushFailureTest, OfOneDevice) {
  for (size_t device = 0; device < begin_.size() && !HasFailure(); ++device) Run({device});
  const std::string name = std::get<0>(GetParam()).name;
  if (name == "Dup") {
    EXPECT_EQ(committed_, 0u);
  } else if (name != "Raid0") {
    EXPECT_EQ(committed_, begin_.size());
  }
}

TEST_P(FlushFailureTest, OfMoreDevices) {
  for (uint32_t bits = 1; bits < (1u << begin_.size()) && !HasFailure(); ++bits) {
    DeviceSet devices;
    for (size_t device = 0; device < begin_.size(); ++device) {
      if ((bits >> device & 1) != 0) devices.insert(device);
    }
    if (devices.size() > 1) Run(devices);
  }
  const std::string name = std::get<0>(GetParam()).name;
  if (name == "Raid1c3") {
    EXPECT_EQ(committed_, 3u);  // one is enough
  }
}

// The copy on the device that flushes was not taken.
TEST_P(FlushFailureTest, AndAWriteToTheOther) {
  if (begin_.size() < 2) return;
  failed_ = {0};
  for (uint64_t n = 1; n <= writes_ && !HasFailure(); ++n) {
    SCOPED_TRACE(absl::StrCat("write ", n, " of ", writes_));
    FailingCommit commit(begin_, step_);
    std::optional<size_t> superblock_of;
    bool other = false;
    commit.log().FailBy([&](const DeviceEvent& event) {
      const bool flush = event.kind == Kind::kFlush && event.number == 1;
      const bool write = event.kind == Kind::kWrite && event.number == n;
      if (write && IsSuperblock(event.offset)) superblock_of = event.device;
      if (write) other = event.device != 0 && places_.contains({event.device, event.offset});
      return flush || write ? Injected() : absl::OkStatus();
    });
    const absl::Status status = commit.Run();
    const TransactionStage stage = commit.transaction().stage();
    if (status.ok()) {
      EXPECT_EQ(stage, TransactionStage::kCommitted);
      EXPECT_EQ(FileItemsOf(WhatMayBeLeft(commit.log(), commit.log().size())[1]), new_items_);
    } else if (superblock_of) {
      // The only primary that was to be written.
      EXPECT_EQ(begin_.size(), 2u);
      EXPECT_EQ(stage, TransactionStage::kUnknown);
      for (const Disks& left : WhatMayBeLeft(commit.log(), commit.log().size())) {
        EXPECT_EQ(LookAt(left).digest, old_.digest);
      }
    } else {
      EXPECT_LT(begin_.size(), 5u);
      ExpectOld(commit);
    }
    // Of two that mirror each other none has such a block.
    if (std::get<0>(GetParam()).name == std::string("Raid1") && other) {
      EXPECT_FALSE(status.ok());
    }
  }
}

// Those behind the superblocks are about mirrors: committed, and told of.
TEST_P(FlushFailureTest, BehindTheSuperblocks) {
  ASSERT_EQ(flushes_, 2 * begin_.size());
  for (size_t device = 0; device < begin_.size() && !HasFailure(); ++device) {
    FailingCommit commit(begin_, step_);
    commit.log().FailNth(Kind::kFlush, begin_.size() + device + 1);
    const absl::Status status = commit.Run();
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(commit.transaction().stage(), TransactionStage::kCommitted);
    EXPECT_EQ(commit.damage(), 0u);
    ASSERT_EQ(commit.failures().size(), 1u);
    EXPECT_EQ(commit.failures()[0].device, absl::StrCat("disk", device));
    EXPECT_EQ(commit.failures()[0].offset, kSuperblockOffsets[1]);
    for (const Disks& left : WhatMayBeLeft(commit.log(), commit.log().size())) {
      const DiskState state = LookAt(left);
      EXPECT_EQ(state.complaint, "");
      EXPECT_EQ(state.digest, new_.digest);
    }
    ExpectNextWorks(commit);
  }
}

std::vector<DiskKind> SomeDisks() {
  std::vector<DiskKind> some;
  for (const DiskKind& kind : kDiskKinds) {
    const std::string name = kind.name;
    if (name != "DupNoTree" && name != "MixedFat") some.push_back(kind);
  }
  return some;
}

std::vector<CommitKind> SomeCommits() {
  std::vector<CommitKind> some;
  for (const CommitKind& kind : kCommitKinds) {
    const std::string name = kind.name;
    if (name == "Label" || name == "Splits" || name == "Early") some.push_back(kind);
  }
  return some;
}

INSTANTIATE_TEST_SUITE_P(All, FlushFailureTest,
                         ::testing::Combine(::testing::ValuesIn(SomeDisks()),
                                            ::testing::ValuesIn(SomeCommits())),
                         [](const auto& info) {
                           return absl::StrCat(std::get<0>(info.param).name,
                                               std::get<1>(info.param).name);
                         });

}  // namespace
}  // namespace ebcache::testing
