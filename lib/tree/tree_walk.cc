// Walks over whole trees.
//
// The walk holds one node a level, with those of its children that were read together and are still
// to be visited. It ends because a block is entered at most once in a tree (visits_), and because
// the level that counts is the walk's own, which falls with every step down.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_set>
#include <utility>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"
#include "ebcache/readahead.h"
#include "lib/tree/block_visits.h"
#include "lib/tree/slots.h"

namespace ebcache {
namespace {

// Nodes come in batches this much smaller than those of leaves: what was read ahead stays in memory
// while the subtrees before it are walked, and each node brings batches of its own anyway.
constexpr int kNodeBatchDivisor = 8;

// Newcomers that no reader comes for are the first to go, when about this part of the cache is full
// of newer ones.
constexpr uint64_t kBudgetPerAhead = 16;

uint32_t BlocksAhead(const BufferCache& cache, int wanted) {
  const auto most = static_cast<uint32_t>(std::max(0, wanted));
  if (cache.budget_bytes() == 0) return most;
  const uint64_t room = cache.budget_bytes() / cache.node_bytes() / kBudgetPerAhead;
  return static_cast<uint32_t>(std::min<uint64_t>(most, room));
}

// A node on the way down, and the next of its children.
struct Frame {
  ExtentBufferRef node;
  bool node_is_ours = false;  // it was read for this walk
  uint32_t next_slot = 0;  // the first that is not in the batch yet
  // The batch, in key order. A result is moved from once its block was visited.
  std::vector<uint64_t> starts;
  std::vector<ParentCheck> checks;
  std::vector<bool> read_ahead;  // whether it was asked for before; empty without readahead
  std::vector<bool> ours;        // whether it was read for this walk; empty when that is all one
  std::vector<absl::StatusOr<ExtentBufferRef>> results;
  size_t next_result = 0;
  uint32_t next_ahead = 0;  // the first slot that was not asked for ahead
};

class Walk {
 public:
  Walk(BufferCache& cache, const TreeRoot& root, TreeVisitor& visitor, const WalkOptions& options)
      : cache_(cache),
        root_(root),
        visitor_(visitor),
        visited_(options.visited),
        readahead_(options.readahead),
        ahead_(BlocksAhead(cache, options.ahead)),
        drop_behind_(options.drop_behind),
        leaf_batch_(std::max(1, options.batch)),
        node_batch_(std::max(1, options.batch / kNodeBatchDivisor)),
        visits_(cache.node_bytes()) {}

  void Run();

 private:
  // Visits a block, or reports why not; true when the walk is to go below it.
  // `ours`: whether the block was read for this walk.
  bool Enter(int level, uint64_t start, absl::StatusOr<ExtentBufferRef> block, bool ours);
  // The walk is done with a block.
  void Leave(ExtentBufferRef& block, bool ours) const;
  // Whether nothing has found the block: then it was not there before the walk read it.
  bool IsOurs(const absl::StatusOr<ExtentBufferRef>& block) const;
  // Makes the next children of the node at `level` its batch; false when there are no more.
  bool ReadBatch(int level);
  void ReadTogether(Frame& frame);
  // While others read what the walk wants next, reads of what it will want later.
  void ReadAheadRatherThanWait(const std::vector<uint64_t>& starts);
  // Asks for leaves that the walk will come to after the batch of this node.
  void AskAhead(Frame& frame);
  // Asks for the children of `node` from `slot` to below `end`. The first slot not looked at.
  uint32_t AskFor(const ExtentBuffer& node, uint32_t slot, uint32_t end);
  // Whether an earlier tree had this block, so that it and all below it need no visit.
  bool PassOver(uint64_t start);
  void ReportDamage(int level, uint64_t start, absl::Status status);

  BufferCache& cache_;
  const TreeRoot& root_;
  TreeVisitor& visitor_;
  BlockSet* const visited_;
  Readahead* const readahead_;
  const uint32_t ahead_;
  const bool drop_behind_;
  const size_t leaf_batch_;
  const size_t node_batch_;
  BlockVisits visits_;                    // in this tree; visited_ may span several
  std::array<Frame, kMaxLevels> frames_;  // by level; that of level 0 stays unused
  // Leaves asked for and not come to yet: each is asked for once, however many pointers lead there.
  std::unordered_set<uint64_t> asked_;
  // Of the node after the one the walk is in: how far its leaves were asked for already.
  uint64_t sibling_ = 0;
  uint32_t sibling_ahead_ = 0;
  bool stopped_ = false;  // by the visitor
};

void Walk::Run() {
  if (root_.level >= kMaxLevels) {
    ReportDamage(root_.level, root_.bytenr, absl::DataLossError("a tree has at most 8 levels"));
    return;
  }
  if (PassOver(root_.bytenr)) return;
  const ParentCheck check{
      .level = root_.level, .generation = root_.generation, .owner = root_.id, .first_key = {}};
  absl::StatusOr<ExtentBufferRef> root = cache_.ReadBlock(root_.bytenr, &check);
  const bool root_is_ours = IsOurs(root);
  if (!Enter(root_.level, root_.bytenr, std::move(root), root_is_ours)) return;

  for (int level = root_.level; level <= root_.level && !stopped_;) {
    Frame& frame = frames_[level];
    if (frame.next_result == frame.results.size() && !ReadBatch(level)) {
      Leave(frame.node, frame.node_is_ours);
      ++level;
      continue;
    }
    const size_t i = frame.next_result++;
    const bool ours = !frame.ours.empty() && frame.ours[i];
    if (Enter(level - 1, frame.starts[i], std::move(frame.results[i]), ours)) --level;
  }
  if (stopped_ && readahead_ != nullptr) readahead_->Forget(this);
}

void Walk::Leave(ExtentBufferRef& block, bool ours) const {
  if (ours && block) {
    block.PutBehind();
  } else {
    block.Put();
  }
}

bool Walk::IsOurs(const absl::StatusOr<ExtentBufferRef>& block) const {
  return drop_behind_ && block.ok() && !(*block)->state().has(BufferFlag::kAccessed);
}

bool Walk::Enter(int level, uint64_t start, absl::StatusOr<ExtentBufferRef> block, bool ours) {
  // A source that does not check levels can have let a block into the batch that is also below one
  // of its neighbours there.
  if (block.ok() && !visits_.Enter(start)) block = BlockVisits::MetTwice();
  if (!block.ok()) {
    visits_.NoteFailure(start);
    ReportDamage(level, start, block.status());
    return false;
  }
  if (visited_ != nullptr) visited_->Insert(start);
  const bool below = visitor_.VisitBlock(root_, **block);
  stopped_ = visitor_.Stopped();
  if (!below || level == 0) {
    Leave(*block, ours);
    return false;
  }

  Frame& frame = frames_[level];
  frame.next_slot = FirstSlotLeft(root_, **block, level);
  frame.next_ahead = start == sibling_ ? sibling_ahead_ : 0;
  frame.node = *std::move(block);
  frame.node_is_ours = ours;
  return true;
}

bool Walk::ReadBatch(int level) {
  Frame& frame = frames_[level];
  frame.starts.clear();
  frame.checks.clear();
  frame.read_ahead.clear();
  frame.ours.clear();
  frame.results.clear();
  frame.next_result = 0;

  const uint32_t slots = Header(*frame.node).item_count();
  const size_t limit = level == 1 ? leaf_batch_ : node_batch_;
  for (; frame.next_slot < slots && frame.starts.size() < limit; ++frame.next_slot) {
    const KeyPointer pointer = LoadKeyPointer(*frame.node, frame.next_slot);
    const bool in_batch = std::count(frame.starts.begin(), frame.starts.end(), pointer.bytenr) > 0;
    absl::Status may_follow = visits_.MayFollow(pointer.bytenr);
    if (in_batch || !may_follow.ok()) {
      if (!frame.starts.empty()) break;  // what comes before it is visited before it
      ReportDamage(level - 1, pointer.bytenr, std::move(may_follow));
      if (stopped_) return false;
      continue;
    }
    if (PassOver(pointer.bytenr)) continue;
    frame.starts.push_back(pointer.bytenr);
    frame.checks.push_back({.level = static_cast<uint8_t>(level - 1),
                            .generation = pointer.generation,
                            .owner = root_.id,
                            .first_key = pointer.key});
  }
  if (frame.starts.empty()) return false;
  if (level == 1 && readahead_ != nullptr) {
    AskAhead(frame);
    ReadAheadRatherThanWait(frame.starts);
  }
  ReadTogether(frame);
  return true;
}

void Walk::AskAhead(Frame& frame) {
  for (const uint64_t start : frame.starts) frame.read_ahead.push_back(asked_.erase(start) != 0);
  // Pointers that led nowhere stay behind; forgetting the others with them costs little.
  if (asked_.size() > size_t{4} * ahead_) asked_.clear();
  // What is read next by the walk itself is not asked for: it would only be in its own way.
  frame.next_ahead = std::max(frame.next_ahead, frame.next_slot);
  const uint32_t end = frame.next_slot + ahead_;
  frame.next_ahead = AskFor(*frame.node, frame.next_ahead, end);
  const uint32_t slots = Header(*frame.node).item_count();
  // The node after this one, if it is here already.
  const Frame& above = frames_[2];
  if (end <= slots || root_.level < 2 || above.next_result >= above.results.size()) return;
  const absl::StatusOr<ExtentBufferRef>& next = above.results[above.next_result];
  if (!next.ok()) return;
  if (sibling_ != (*next)->start()) {
    sibling_ = (*next)->start();
    sibling_ahead_ = 0;
  }
  sibling_ahead_ = AskFor(**next, sibling_ahead_, end - slots);
}

uint32_t Walk::AskFor(const ExtentBuffer& node, uint32_t slot, uint32_t end) {
  for (end = std::min(end, Header(node).item_count()); slot < end; ++slot) {
    const KeyPointer pointer = LoadKeyPointer(node, slot);
    const bool known = visits_.Entered(pointer.bytenr) || visits_.Failed(pointer.bytenr) ||
                       (visited_ != nullptr && visited_->Contains(pointer.bytenr));
    // What is there already was not read for this walk, and is not asked for.
    if (known || cache_.MayBeCached(pointer.bytenr)) continue;
    if (!asked_.insert(pointer.bytenr).second) continue;
    const ParentCheck check{.level = uint8_t{0},
                            .generation = pointer.generation,
                            .owner = root_.id,
                            .first_key = pointer.key};
    if (!readahead_->Ask(pointer.bytenr, check, this)) return slot;
  }
  readahead_->Flush();
  return slot;
}

// Without this one of two threads would do it all: the readahead is at the batch that the walk
// comes to next, each time, and the walk waits for it.
void Walk::ReadAheadRatherThanWait(const std::vector<uint64_t>& starts) {
  for (const uint64_t start : starts) {
    const auto being_read = [&] {
      const ExtentBufferRef block = cache_.Find(start);
      return block && !block->uptodate();
    };
    while (being_read()) {
      if (!readahead_->ReadSome()) return;
    }
  }
}

void Walk::ReadTogether(Frame& frame) {
  std::vector<const ParentCheck*> checks;
  for (const ParentCheck& check : frame.checks) checks.push_back(&check);
  for (size_t i = 0; i < frame.starts.size(); ++i) frame.results.emplace_back(ExtentBufferRef());
  cache_.ReadBlocks(frame.starts, checks, absl::MakeSpan(frame.results));
  // That a walk comes for what was read for it is no second use of it.
  for (size_t i = 0; i < frame.read_ahead.size(); ++i) {
    if (frame.read_ahead[i] && frame.results[i].ok()) frame.results[i]->ForgetAccess();
  }
  if (!drop_behind_) return;
  for (const absl::StatusOr<ExtentBufferRef>& result : frame.results) {
    frame.ours.push_back(IsOurs(result));
  }
}

bool Walk::PassOver(uint64_t start) {
  if (visited_ == nullptr || !visited_->Contains(start)) return false;
  visits_.Enter(start);
  return true;
}

void Walk::ReportDamage(int level, uint64_t start, absl::Status status) {
  visitor_.VisitDamage({.tree = root_.id,
                        .key_offset = root_.key_offset,
                        .level = static_cast<uint8_t>(level),
                        .logical = start,
                        .status = std::move(status),
                        .tree_deleted = root_.deleted()});
  stopped_ = visitor_.Stopped();
}

}  // namespace

void WalkTree(BufferCache& cache, const TreeRoot& root, TreeVisitor& visitor,
              const WalkOptions& options) {
  Walk(cache, root, visitor, options).Run();
}

}  // namespace ebcache
