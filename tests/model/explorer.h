// Explorers: which orders are tried.
//
//   ReducedExplorer   all orders that differ in the order of two operations that cannot be swapped:
//                     dynamic partial-order reduction with source sets (Abdulla and others, 2014)
//                     and sleep sets. When it comes to its end, there is no other order.
//   BoundedExplorer   all orders in which at most `bound` times a fiber is stopped that could have
//                     gone on. No reduction: each order is tried.
//   RandomExplorer    random priorities, lowered at a few random steps: PCT (Burckhardt et al.,
//                     2010). Finds a bug that takes d such steps with known probability.
//                     In half of its orders a compare-and-swap fails for no reason now and then.
//   ReplayExplorer    one given order.
//
// Where weak memory is explored, a step of a load is tried with every store that it may read (by RandomExplorer with
// one of them, mostly the newest). That a step is independent of another then means as well that each has the same
// stores to read from, and the same view behind it, in either order.
//
// All are used alike: while (explorer.Next()) run(explorer).

#ifndef EBCACHE_TESTS_MODEL_EXPLORER_H_
#define EBCACHE_TESTS_MODEL_EXPLORER_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/model/scheduler.h"

namespace ebcache::model {

class Explorer : public Chooser {
 public:
  // Gets ready for another run; false when there is none.
  virtual bool Next() = 0;
  // Runs so far, without those that turned out to be the same as an earlier one.
  virtual uint64_t interleavings() const = 0;
};

// Depth-first search over choices, by running again and again from the start.
class SearchExplorer : public Explorer {
 public:
  bool Next() final;
  int Choose(const Choice& choice) final;
  size_t ChooseStore(size_t count) final;
  uint64_t interleavings() const final { return runs_ - redundant_; }

 protected:
  struct Node {
    int chosen = 0;
    FiberMask enabled = 0;
    FiberMask todo = 0;   // to be chosen here, done or not
    FiberMask done = 0;   // were chosen here
    FiberMask sleep = 0;  // need not be chosen: another order has it
    int preemptions = 0;  // up to here
    size_t passed_over = 0;  // of the stores that the step may read
    size_t stores = 0;       // how many there are; 0: not asked yet
    std::array<Operation, kMaxFibers> pending;
    Operation operation;
    // For each fiber: the last of its steps, counted from 1, that comes before this one in every
    // order that is the same as this.
    std::array<uint16_t, kMaxFibers> clock{};
    std::vector<const void*> released;
  };

  // Fills in a new node: what is to be tried there. Returns the first to be tried, or -1: none.
  virtual int Open(Node& node, const Choice& choice) = 0;
  // A step that was not made before is about to be made.
  virtual void Stepping(Node& node, int depth) { (void)node, (void)depth; }
  // A step is about to be made, for the first time or again.
  virtual void Stepped(const Node& node) { (void)node; }
  virtual void Begin() {}

  // This run is the same as an earlier one, and is only brought to its end.
  bool is_redundant() const { return is_redundant_; }

  std::vector<Node> nodes_;
  int depth_ = 0;  // of this run

 private:
  uint64_t runs_ = 0;
  uint64_t redundant_ = 0;
  bool is_redundant_ = false;
};

class ReducedExplorer final : public SearchExplorer {
 public:
  void Released(const void* mutex) override;
  void SetGoing(int fiber) override;

 private:
  using Clock = std::array<uint16_t, kMaxFibers>;
  int Open(Node& node, const Choice& choice) override;
  void Stepping(Node& node, int depth) override;
  void Stepped(const Node& node) override;
  void Begin() override;
  void AddRace(int earlier, int depth);

  std::array<Clock, kMaxFibers> clocks_{};  // of each fiber's last step
  std::vector<int> races_;                  // of one step, kept to save allocating
};

class BoundedExplorer final : public SearchExplorer {
 public:
  explicit BoundedExplorer(int bound) : bound_(bound) {}

 private:
  int Open(Node& node, const Choice& choice) override;
  const int bound_;
};

class RandomExplorer final : public Explorer {
 public:
  // `length`: about how many steps a run has.
  RandomExplorer(uint64_t seed, uint64_t runs, int depth, int length)
      : seed_(seed), runs_(runs), depth_(depth), length_(length) {}
  bool Next() override;
  int Choose(const Choice& choice) override;
  bool FailsForNoReason() override { return unlucky_ && Random() % 8 == 0; }
  size_t ChooseStore(size_t count) override { return Random() % 3 == 0 ? Random() % count : 0; }
  uint64_t interleavings() const override { return run_; }
  // Of the present run: with it, a first run is the same.
  uint64_t seed() const { return seed_ + run_ - 1; }

 private:
  uint64_t Random();
  const uint64_t seed_;
  const uint64_t runs_;
  const int depth_;
  const int length_;
  uint64_t run_ = 0;
  uint64_t state_ = 0;
  bool unlucky_ = false;
  std::array<int, kMaxFibers> priority_{};
  std::vector<int> changes_;
  int lowest_ = 0;
};

class ReplayExplorer final : public Explorer {
 public:
  explicit ReplayExplorer(std::string schedule) : schedule_(std::move(schedule)) {}
  bool Next() override { return !std::exchange(used_, true); }
  int Choose(const Choice& choice) override;
  bool FailsForNoReason() override { return fails_; }
  size_t ChooseStore(size_t count) override;
  uint64_t interleavings() const override { return 1; }

 private:
  const std::string schedule_;
  size_t at_ = 0;  // in the schedule
  size_t passed_over_ = 0;
  bool fails_ = false;
  bool used_ = false;
};

}  // namespace ebcache::model

#endif  // EBCACHE_TESTS_MODEL_EXPLORER_H_
