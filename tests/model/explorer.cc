#include "tests/model/explorer.h"

#include <algorithm>
#include <bit>

namespace ebcache::model {

namespace {

FiberMask Bit(int fiber) { return static_cast<FiberMask>(1u << fiber); }

// The fiber that went last, if it can go on; else the first that can.
int Preferred(FiberMask from, int last) {
  if (last >= 0 && (from & Bit(last)) != 0) return last;
  return std::countr_zero(from);
}

// A fair choice, for runs whose order does not matter.
int RoundRobin(FiberMask enabled, int last) {
  const auto above = static_cast<FiberMask>(enabled & ~((Bit(last) << 1) - 1));
  return std::countr_zero(above != 0 ? above : enabled);
}

}  // namespace

// ---- Search -------------------------------------------------------------------------------------

bool SearchExplorer::Next() {
  if (runs_ != 0) {
    if (is_redundant_) ++redundant_;
    for (;; nodes_.pop_back()) {
      if (nodes_.empty()) return false;
      Node& node = nodes_.back();
      if (node.passed_over + 1 < node.stores) {
        ++node.passed_over;
        break;
      }
      node.passed_over = node.stores = 0;
      node.done |= Bit(node.chosen);
      const auto left = static_cast<FiberMask>(node.todo & ~node.done & ~node.sleep);
      if (left == 0) continue;
      node.chosen = std::countr_zero(left);
      break;
    }
  }
  ++runs_;
  depth_ = 0;
  is_redundant_ = false;
  Begin();
  return true;
}

int SearchExplorer::Choose(const Choice& choice) {
  if (is_redundant_) return RoundRobin(choice.enabled, choice.last);
  const bool is_new = depth_ == static_cast<int>(nodes_.size());
  if (is_new) {
    nodes_.emplace_back();
    Node& node = nodes_.back();
    node.enabled = choice.enabled;
    node.chosen = Open(node, choice);
    if (node.chosen < 0) {
      nodes_.pop_back();
      is_redundant_ = true;
      return RoundRobin(choice.enabled, choice.last);
    }
  }
  Node& node = nodes_[static_cast<size_t>(depth_)];
  if (node.enabled != choice.enabled) FailRun("the program is not the same when it is run again");
  // Again, because objects may lie elsewhere this time.
  node.pending = *choice.pending;
  node.operation = node.pending[static_cast<size_t>(node.chosen)];
  node.released.clear();
  // The last node of those that were there has another choice than before.
  if (is_new || depth_ + 1 == static_cast<int>(nodes_.size())) Stepping(node, depth_);
  Stepped(node);
  ++depth_;
  return node.chosen;
}

size_t SearchExplorer::ChooseStore(size_t count) {
  if (is_redundant_) return 0;
  Node& node = nodes_[static_cast<size_t>(depth_) - 1];
  if (node.stores == 0) node.stores = count;
  if (node.stores != count) FailRun("the program is not the same when it is run again");
  return node.passed_over;
}

// ---- Reduction ----------------------------------------------------------------------------------

void ReducedExplorer::Begin() { clocks_ = {}; }

int ReducedExplorer::Open(Node& node, const Choice& choice) {
  if (depth_ > 0) {
    // What slept before, or was tried before, sleeps on unless what was done now bears on it.
    const Node& parent = nodes_[static_cast<size_t>(depth_) - 1];
    auto asleep = static_cast<FiberMask>((parent.sleep | parent.done) & ~Bit(parent.chosen));
    for (; asleep != 0; asleep &= static_cast<FiberMask>(asleep - 1)) {
      const int fiber = std::countr_zero(asleep);
      if (!Dependent(parent.pending[static_cast<size_t>(fiber)], parent.operation)) {
        node.sleep |= Bit(fiber);
      }
    }
  }
  const auto awake = static_cast<FiberMask>(choice.enabled & ~node.sleep);
  if (awake == 0) return -1;
  const int first = Preferred(awake, choice.last);
  node.todo = Bit(first);
  return first;
}

// Finds what the step comes after, and what it could have come before.
void ReducedExplorer::Stepping(Node& node, int depth) {
  const int fiber = node.chosen;
  const auto join = [](Clock& to, const Clock& from) {
    for (size_t f = 0; f < kMaxFibers; ++f) to[f] = std::max(to[f], from[f]);
  };
  // `met`: what comes before this by way of the conflicts found so far.
  Clock clock = clocks_[static_cast<size_t>(fiber)];
  Clock met = clock;
  races_.clear();
  for (int i = depth - 1; i >= 0; --i) {
    const Node& earlier = nodes_[static_cast<size_t>(i)];
    if (earlier.chosen == fiber) continue;
    if (Dependent(earlier.operation, node.operation)) {
      // Where nothing lies between the two, they could have been swapped.
      if (met[static_cast<size_t>(earlier.chosen)] < i + 1) races_.push_back(i);
      join(met, earlier.clock);
      join(clock, earlier.clock);
    } else if (node.operation.access == Access::kJoin || node.operation.access == Access::kQuiet ||
               (node.operation.access == Access::kLock &&
                std::find(earlier.released.begin(), earlier.released.end(),
                          node.operation.object) != earlier.released.end())) {
      join(clock, earlier.clock);
    }
  }
  clock[static_cast<size_t>(fiber)] = static_cast<uint16_t>(depth + 1);
  node.clock = clock;
  for (const int earlier : races_) AddRace(earlier, depth);
}

void ReducedExplorer::Stepped(const Node& node) {
  clocks_[static_cast<size_t>(node.chosen)] = node.clock;
}

// The last step could have been made before step `earlier`. Of the steps between them, those that
// do not come after `earlier` would have been made first: whoever can begin with that is to be
// tried there, unless one of them is already.
void ReducedExplorer::AddRace(int earlier, int depth) {
  Node& node = nodes_[static_cast<size_t>(earlier)];
  const auto comes_before = [this](int i, int j) {
    const Node& first = nodes_[static_cast<size_t>(i)];
    return nodes_[static_cast<size_t>(j)].clock[static_cast<size_t>(first.chosen)] > i;
  };
  std::array<int, kMaxFibers> first_steps;
  first_steps.fill(-1);
  FiberMask begin = 0;
  for (int j = earlier + 1; j <= depth; ++j) {
    int& first = first_steps[static_cast<size_t>(nodes_[static_cast<size_t>(j)].chosen)];
    // The last one is tried as if `earlier` did not come before it.
    if (first >= 0 || (j < depth && comes_before(earlier, j))) continue;
    const bool can_begin = std::none_of(first_steps.begin(), first_steps.end(), [&](int other) {
      return other >= 0 && comes_before(other, j);
    });
    first = j;
    if (can_begin) begin |= Bit(nodes_[static_cast<size_t>(j)].chosen);
  }
  begin &= node.enabled;
  if ((begin & node.todo) != 0) return;
  node.todo |= begin != 0 ? Bit(std::countr_zero(begin)) : node.enabled;
}

void ReducedExplorer::Released(const void* mutex) {
  if (depth_ > 0 && !is_redundant()) {
    nodes_[static_cast<size_t>(depth_) - 1].released.push_back(mutex);
  }
}

void ReducedExplorer::SetGoing(int fiber) {
  if (depth_ == 0 || is_redundant()) return;
  const Clock& mine = nodes_[static_cast<size_t>(depth_) - 1].clock;
  Clock& theirs = clocks_[static_cast<size_t>(fiber)];
  for (size_t f = 0; f < kMaxFibers; ++f) theirs[f] = std::max(theirs[f], mine[f]);
}

// ---- Bounded preemption -------------------------------------------------------------------------

int BoundedExplorer::Open(Node& node, const Choice& choice) {
  if (depth_ > 0) {
    const Node& parent = nodes_[static_cast<size_t>(depth_) - 1];
    node.preemptions = parent.preemptions;
    const int before = depth_ > 1 ? nodes_[static_cast<size_t>(depth_) - 2].chosen : -1;
    if (before >= 0 && parent.chosen != before && (parent.enabled & Bit(before)) != 0) {
      ++node.preemptions;
    }
  }
  const bool can_go_on = choice.last >= 0 && (choice.enabled & Bit(choice.last)) != 0;
  node.todo = can_go_on && node.preemptions >= bound_ ? Bit(choice.last) : choice.enabled;
  return Preferred(node.todo, choice.last);
}

// ---- Random priorities --------------------------------------------------------------------------

uint64_t RandomExplorer::Random() {
  // splitmix64
  uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

bool RandomExplorer::Next() {
  if (run_ == runs_) return false;
  ++run_;
  state_ = seed();
  for (int i = 0; i < kMaxFibers; ++i) priority_[static_cast<size_t>(i)] = depth_ + 1 + i;
  for (size_t i = kMaxFibers; i-- > 1;) std::swap(priority_[i], priority_[Random() % (i + 1)]);
  changes_.clear();
  for (int i = 1; i < depth_; ++i)
    changes_.push_back(static_cast<int>(Random() % static_cast<uint64_t>(length_)));
  std::sort(changes_.begin(), changes_.end());
  lowest_ = depth_;
  unlucky_ = seed() % 2 == 0;
  return true;
}

int RandomExplorer::Choose(const Choice& choice) {
  const auto highest = [&] {
    int best = -1;
    for (int f = 0; f < kMaxFibers; ++f) {
      if ((choice.enabled & Bit(f)) == 0) continue;
      if (best < 0 || priority_[static_cast<size_t>(f)] > priority_[static_cast<size_t>(best)]) {
        best = f;
      }
    }
    return best;
  };
  int chosen = highest();
  while (!changes_.empty() && changes_.front() <= choice.depth) {
    changes_.erase(changes_.begin());
    priority_[static_cast<size_t>(chosen)] = lowest_--;
    chosen = highest();
  }
  return chosen;
}

// ---- Replay -------------------------------------------------------------------------------------

int ReplayExplorer::Choose(const Choice& choice) {
  if (at_ == schedule_.size()) {
    fails_ = false;
    passed_over_ = 0;
    return Preferred(choice.enabled, choice.last);
  }
  const char step = schedule_[at_++];
  fails_ = step >= 'a';
  for (passed_over_ = 0; at_ < schedule_.size() && schedule_[at_] == '-'; ++at_) ++passed_over_;
  const int fiber = step - (fails_ ? 'a' : '0');
  if (fiber >= 0 && fiber < kMaxFibers && (choice.enabled & Bit(fiber)) != 0) return fiber;
  FailRun("the schedule does not fit the program");
}

size_t ReplayExplorer::ChooseStore(size_t count) {
  if (passed_over_ >= count) FailRun("the schedule does not fit the program");
  return passed_over_;
}

}  // namespace ebcache::model
