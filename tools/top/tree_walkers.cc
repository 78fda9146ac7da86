#include "tools/top/tree_walkers.h"

#include <cstddef>

namespace ebcache::tools {
class TreeWalkers::Visitor : public TreeVisitor {
 public:
  explicit Visitor(TreeWalkers& walkers) : walkers_(walkers) {}

  bool VisitBlock(const TreeRoot&, const ExtentBuffer&) override {
    walkers_.blocks_.fetch_add(1, std::memory_order_relaxed);
    return !walkers_.stop_.load(std::memory_order_relaxed);
  }
  void VisitDamage(const WalkDamage& damage) override { walkers_.NoteLost(damage); }
  bool Stopped() override { return walkers_.stop_.load(std::memory_order_relaxed); }

 private:
  TreeWalkers& walkers_;
};

TreeWalkers::TreeWalkers(Filesystem& filesystem, const Options& options)
    : filesystem_(filesystem), options_(options), running_(options.threads) {
  std::vector<WalkDamage> early = filesystem.open_damage();
  roots_ = filesystem.Trees(&early);
  for (const WalkDamage& damage : early) NoteLost(damage);
}

void TreeWalkers::Start() {
  {
    const MutexLock lock(mutex_);
    began_ = ended_at_ = Clock::now();
  }
  for (uint64_t number = 0; number < options_.threads; ++number) {
    // Walks of the same tree one after the other would all find what the first one read.
    const uint64_t first = roots_.size() * number / options_.threads;
    threads_.emplace_back(&TreeWalkers::Walk, this, first, options_.passes);
  }
}

TreeWalkers::~TreeWalkers() {
  Stop();
  for (std::thread& thread : threads_) thread.join();
}

void TreeWalkers::Stop() { stop_.store(true, std::memory_order_relaxed); }

bool TreeWalkers::WaitFor(std::chrono::milliseconds time) {
  const MutexLock lock(mutex_);
  return ended_.wait_for(mutex_, time,
                         [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return running_ == 0; });
}

WalkCounts TreeWalkers::counts() const {
  const MutexLock lock(mutex_);
  const uint64_t blocks = blocks_.load(std::memory_order_relaxed);
  const bool walking = running_ > 0 && !threads_.empty();
  const Clock::time_point until = walking ? Clock::now() : ended_at_;
  return {.blocks = blocks,
          .passes = passes_.load(std::memory_order_relaxed),
          .lost_blocks = lost_.count(Cause::kDamage),
          .unread_blocks = lost_.unread_count(),
          .seconds = std::chrono::duration<double>(until - began_).count()};
}

LostBlocks TreeWalkers::lost() const {
  const MutexLock lock(mutex_);
  return lost_;
}

void TreeWalkers::Walk(uint64_t first, uint64_t passes) {
  Visitor visitor(*this);
  const auto stopped = [&] { return stop_.load(std::memory_order_relaxed); };
  for (uint64_t pass = 0; (passes == 0 || pass < passes) && !stopped(); ++pass) {
    for (size_t i = 0; i < roots_.size() && !stopped(); ++i) {
      WalkTree(filesystem_.cache(), roots_[(first + i) % roots_.size()], visitor);
    }
    if (!stopped()) passes_.fetch_add(1, std::memory_order_relaxed);
  }
  const MutexLock lock(mutex_);
  if (--running_ == 0) ended_at_ = Clock::now();
  ended_.notify_all();
}

void TreeWalkers::NoteLost(const WalkDamage& damage) {
  const Cause cause = CauseOf(damage, filesystem_.volume());
  const MutexLock lock(mutex_);
  lost_.Note(damage, cause);
}

}  // namespace ebcache::tools
