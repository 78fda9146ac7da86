#include "tools/check/state.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <bit>
#include <exception>
#include <iterator>
#include <thread>
#include <utility>

#include "ebcache/on_disk.h"
#include "tools/table.h"

namespace ebcache::tools {

AddressFilter::AddressFilter(const HashKey& key, uint64_t bytes) : key_(key) {
  const uint64_t bits = std::bit_floor(std::max<uint64_t>(64, bytes * 8));
  shift_ = 64 - std::countr_zero(bits);
  bits_.resize(bits / 64);
}

void AddressFilter::Insert(uint64_t address) {
  const uint64_t bit = key_.Scatter(address) >> shift_;
  const MutexLock lock(mutex_);
  bits_[bit / 64] |= uint64_t{1} << (bit % 64);
}

bool AddressFilter::MayContain(uint64_t address) const {
  const uint64_t bit = key_.Scatter(address) >> shift_;
  const MutexLock lock(mutex_);
  return (bits_[bit / 64] >> (bit % 64) & 1) != 0;
}

void Meter::Add(uint64_t bytes, const std::string& what) {
  const MutexLock lock(mutex_);
  done_ += bytes;
  const double elapsed_s = progress_.elapsed_s();
  const double part = whole_ == 0 ? 1 : std::min(1.0, static_cast<double>(done_) / static_cast<double>(whole_));
  const double left_s = part == 0 ? 0 : elapsed_s * (1 - part) / part;
  progress_.Update(done_ >> 20, "MiB",
                   absl::StrFormat("of %s, %.0f s left  %s", HumanBytes(whole_), left_s, what));
}

ItemStream::ItemStream(CheckState& state, const std::optional<BTree>& tree, KeyRange range)
    : state_(state) {
  if (!tree) return;
  tree_ = tree->root().name;
  items_.emplace(tree->Items(range, {.on_gap = [this, &state](const ItemGap& gap) {
                               gaps_ = true;
                               state.lost.Note(gap.damage);
                             }}));
  at_.emplace(items_->begin());
}

ItemStream::~ItemStream() = default;

bool ItemStream::valid() const { return at_ && *at_ != std::default_sentinel; }

const Item& ItemStream::item() const { return **at_; }

void ItemStream::Next() {
  Count();
  ++*at_;
}

// Leaves are two thirds full, as trees go.
void ItemStream::Count() {
  bytes_ += item().data().size() + kItemBytes;
  if (bytes_ < state_.node_bytes() / 3 * 2) return;
  bytes_ = 0;
  state_.meter.Add(state_.node_bytes(), tree_);
}

std::optional<BTree> FindTree(CheckState& state, uint64_t id) {
  absl::StatusOr<BTree> tree = state.filesystem.Tree(id);
  if (tree.ok()) return *std::move(tree);
  return std::nullopt;
}

namespace {

// Which task comes next, and the first exception that one has let out.
class TaskQueue {
 public:
  explicit TaskQueue(size_t count) : count_(count) {}

  std::optional<size_t> Next() {
    const MutexLock lock(mutex_);
    if (next_ == count_ || failure_ != nullptr) return std::nullopt;
    return next_++;
  }
  void NoteFailure(std::exception_ptr failure) {
    const MutexLock lock(mutex_);
    if (failure_ == nullptr) failure_ = std::move(failure);
  }
  std::exception_ptr failure() {
    const MutexLock lock(mutex_);
    return failure_;
  }

 private:
  const size_t count_;
  Mutex mutex_;
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  std::exception_ptr failure_ ABSL_GUARDED_BY(mutex_);
};

void DoTasks(TaskQueue& queue, absl::FunctionRef<void(size_t)> task) {
  try {
    while (const std::optional<size_t> next = queue.Next()) task(*next);
  } catch (...) {
    queue.NoteFailure(std::current_exception());
  }
}

}  // namespace

void ForEachTask(uint32_t threads, size_t count, absl::FunctionRef<void(size_t)> task) {
  TaskQueue queue(count);
  std::vector<std::thread> others;
  for (size_t i = 1; i < std::min<size_t>(threads, count); ++i) {
    try {
      others.emplace_back([&] { DoTasks(queue, task); });
    } catch (const std::system_error&) {
      break;  // fewer threads do the same
    }
  }
  DoTasks(queue, task);
  for (std::thread& other : others) other.join();
  if (const std::exception_ptr failure = queue.failure()) std::rethrow_exception(failure);
}

}  // namespace ebcache::tools
