// Walks over whole trees.
//
// The walk holds one node a level, with those of its children that were read together and are still
// to be visited. It ends because a block is entered at most once in a tree (seen_), and because the
// level that counts is the walk's own, which falls with every step down.

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"
#include "lib/btree/slots.h"

namespace ebcache {
namespace {

// Nodes come in batches this much smaller than those of leaves: what was read ahead stays in memory
// while the subtrees before it are walked, and each node brings batches of its own anyway.
constexpr int kNodeBatchDivisor = 8;

// How often a block that could not be had is asked for, by pointers that may expect other things of
// it. More would let a node full of pointers to one bad block cost as many reads.
constexpr int kMostAttempts = 3;
// How many such blocks are remembered: what a hostile tree claims must not fill the memory.
constexpr size_t kMostRemembered = size_t{1} << 20;

absl::Status MetTwice() { return absl::DataLossError("met a second time in the same tree"); }

absl::Status AskedForTooOften() {
  return absl::DataLossError(
      absl::StrCat("not read again: ", kMostAttempts, " pointers before led to no block there"));
}

// A node on the way down, and the next of its children.
struct Frame {
  ExtentBufferRef node;
  uint32_t next_slot = 0;  // the first that is not in the batch yet
  // The batch, in key order. A result is moved from once its block was visited.
  std::vector<uint64_t> starts;
  std::vector<ParentCheck> checks;
  std::vector<absl::StatusOr<ExtentBufferRef>> results;
  size_t next_result = 0;
};

class Walk {
 public:
  Walk(BufferCache& cache, const TreeRoot& root, TreeVisitor& visitor, const WalkOptions& options)
      : cache_(cache),
        root_(root),
        visitor_(visitor),
        visited_(options.visited),
        leaf_batch_(std::max(1, options.batch)),
        node_batch_(std::max(1, options.batch / kNodeBatchDivisor)),
        seen_(cache.node_bytes()) {}

  void Run();

 private:
  // Visits a block, or reports why not; true when the walk is to go below it.
  bool Enter(int level, uint64_t start, absl::StatusOr<ExtentBufferRef> block);
  // Makes the next children of the node at `level` its batch; false when there are no more.
  bool ReadBatch(int level);
  void ReadTogether(Frame& frame);
  // Whether an earlier tree had this block, so that it and all below it need no visit.
  bool PassOver(uint64_t start);
  bool GivenUp(uint64_t start) const {
    const auto failures = failures_.find(start);
    return failures != failures_.end() && failures->second >= kMostAttempts;
  }
  uint32_t FirstSlot(const ExtentBuffer& node, int level) const;
  void ReportDamage(int level, uint64_t start, absl::Status status);

  BufferCache& cache_;
  const TreeRoot& root_;
  TreeVisitor& visitor_;
  BlockSet* const visited_;
  const size_t leaf_batch_;
  const size_t node_batch_;
  BlockSet seen_;  // in this tree, whoever had it before
  // Pointers that led to no block, by address.
  absl::flat_hash_map<uint64_t, int> failures_;
  std::array<Frame, kMaxLevels> frames_;  // by level; that of level 0 stays unused
};

void Walk::Run() {
  if (root_.level >= kMaxLevels) {
    ReportDamage(root_.level, root_.bytenr, absl::DataLossError("a tree has at most 8 levels"));
    return;
  }
  if (PassOver(root_.bytenr)) return;
  const ParentCheck check{
      .level = root_.level, .generation = root_.generation, .owner = root_.id, .first_key = {}};
  if (!Enter(root_.level, root_.bytenr, cache_.ReadBlock(root_.bytenr, &check))) return;

  for (int level = root_.level; level <= root_.level;) {
    Frame& frame = frames_[level];
    if (frame.next_result == frame.results.size() && !ReadBatch(level)) {
      ++level;
      continue;
    }
    const size_t i = frame.next_result++;
    if (Enter(level - 1, frame.starts[i], std::move(frame.results[i]))) --level;
  }
}

bool Walk::Enter(int level, uint64_t start, absl::StatusOr<ExtentBufferRef> block) {
  // A source that does not check levels can have let a block into the batch that is also below one
  // of its neighbours there.
  if (block.ok() && !seen_.Insert(start)) block = MetTwice();
  if (!block.ok()) {
    if (failures_.size() < kMostRemembered) ++failures_[start];
    ReportDamage(level, start, block.status());
    return false;
  }
  if (visited_ != nullptr) visited_->Insert(start);
  if (!visitor_.VisitBlock(root_, **block) || level == 0) return false;

  Frame& frame = frames_[level];
  frame.next_slot = FirstSlot(**block, level);
  frame.node = *std::move(block);
  return true;
}

bool Walk::ReadBatch(int level) {
  Frame& frame = frames_[level];
  frame.starts.clear();
  frame.checks.clear();
  frame.results.clear();
  frame.next_result = 0;

  const uint32_t slots = Header(*frame.node).item_count();
  const size_t limit = level == 1 ? leaf_batch_ : node_batch_;
  for (; frame.next_slot < slots && frame.starts.size() < limit; ++frame.next_slot) {
    const KeyPointer pointer = LoadKeyPointer(*frame.node, frame.next_slot);
    const bool in_batch = std::count(frame.starts.begin(), frame.starts.end(), pointer.bytenr) > 0;
    const bool seen = seen_.Contains(pointer.bytenr);
    if (in_batch || seen || GivenUp(pointer.bytenr)) {
      if (!frame.starts.empty()) break;  // what comes before it is visited before it
      ReportDamage(level - 1, pointer.bytenr, seen ? MetTwice() : AskedForTooOften());
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
  ReadTogether(frame);
  return true;
}

void Walk::ReadTogether(Frame& frame) {
  std::vector<const ParentCheck*> checks;
  for (const ParentCheck& check : frame.checks) checks.push_back(&check);
  for (size_t i = 0; i < frame.starts.size(); ++i) frame.results.emplace_back(ExtentBufferRef());
  cache_.ReadBlocks(frame.starts, checks, absl::MakeSpan(frame.results));
}

bool Walk::PassOver(uint64_t start) {
  if (visited_ == nullptr || !visited_->Contains(start)) return false;
  seen_.Insert(start);
  return true;
}

// Deleting a subvolume goes through it in key order, and keeps its place as a key in a node on
// drop_level. The children before that place are gone; the nodes above it are still there, and so
// is everything behind.
uint32_t Walk::FirstSlot(const ExtentBuffer& node, int level) const {
  const bool dropping = root_.drop_progress != kMinKey && root_.drop_level > 0;
  if (!dropping || level < root_.drop_level) return 0;
  return level == root_.drop_level ? CountNodeKeysBelow(node, root_.drop_progress)
                                   : NodeSlotTowards(node, root_.drop_progress);
}

void Walk::ReportDamage(int level, uint64_t start, absl::Status status) {
  visitor_.VisitDamage({.tree = root_.id,
                        .key_offset = root_.key_offset,
                        .level = static_cast<uint8_t>(level),
                        .logical = start,
                        .status = std::move(status)});
}

}  // namespace

void WalkTree(BufferCache& cache, const TreeRoot& root, TreeVisitor& visitor,
              const WalkOptions& options) {
  Walk(cache, root, visitor, options).Run();
}

}  // namespace ebcache
