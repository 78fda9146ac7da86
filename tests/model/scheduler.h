// The scheduler: runs the fibers of one program one operation at a time, in the order that a
// chooser picks.
//
// A step is: one operation of one fiber, and what the fiber does until its next operation. Between
// operations fibers touch only what is theirs, or guarded by a mutex they have: that this is so is
// the thread sanitizer's business. Scenes have to keep to it too: what they share they touch in the
// step of an operation on an object that stands for it. The reduction believes in nothing else.

#ifndef EBCACHE_TESTS_MODEL_SCHEDULER_H_
#define EBCACHE_TESTS_MODEL_SCHEDULER_H_

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/model/fiber.h"
#include "tests/model/model_sync.h"

namespace ebcache::model {

inline constexpr int kMaxFibers = kMostThreads;
// A set of fibers.
using FiberMask = uint8_t;

struct Operation {
  const void* object = nullptr;
  Access access = Access::kBegin;
  // Sequentially consistent, where that makes a difference: all of these are ordered.
  bool is_sequential = false;
};

// Whether two operations of different fibers may not be swapped.
inline bool Dependent(const Operation& a, const Operation& b) {
  if (a.is_sequential && b.is_sequential) return true;
  if (a.object != b.object || a.object == nullptr) return false;
  const auto reads = [](Access x) { return x == Access::kLoad || x == Access::kWait; };
  if (a.access == Access::kNotify || b.access == Access::kNotify) {
    return a.access == Access::kWait || b.access == Access::kWait;
  }
  if (reads(a.access) && reads(b.access)) return false;
  return a.access != Access::kAdd || b.access != Access::kAdd;
}

// What there is to choose from.
struct Choice {
  int depth = 0;        // steps made before
  int last = -1;        // the fiber that made the last one
  FiberMask alive = 0;  // not ended
  FiberMask enabled = 0;
  const std::array<Operation, kMaxFibers>* pending = nullptr;
};

class Chooser {
 public:
  virtual ~Chooser() = default;
  // The fiber to make the next step, one of the enabled.
  virtual int Choose(const Choice& choice) = 0;
  // Which store the load reads that is the step being made: so many before the newest, below `count`.
  virtual size_t ChooseStore(size_t count) {
    (void)count;
    return 0;
  }
  // Whether the compare-and-swap that is the step being made fails for no reason.
  virtual bool FailsForNoReason() { return false; }
  // What the step being made has done besides: gave a mutex back; made `fiber` go on or begin.
  virtual void Released(const void* mutex) { (void)mutex; }
  virtual void SetGoing(int fiber) { (void)fiber; }
};

// Somebody who looks after each step whether all is well, and is told of each write of a word.
class Checker {
 public:
  virtual ~Checker() = default;
  virtual void AfterStep() {}
  virtual void Wrote(const void* object, uint64_t before, uint64_t after) {
    (void)object, (void)before, (void)after;
  }
  // What an object is, for traces.
  virtual std::string Describe(const void* object) const;
  virtual std::string DescribeValue(const void* object, uint64_t value) const;
};

class Scheduler {
 public:
  static Scheduler& Get();

  // Runs the bodies to their end.
  void Run(const std::vector<std::function<void()>>& bodies, Chooser* chooser, Checker* checker);

  // Called with what went wrong; must not return.
  std::function<void(const std::string& message)> on_failure;
  [[noreturn]] void Fail(const std::string& message);

  // Steps made so far in this run: the number of the fiber; or a letter, from 'a' for fiber 0, where a
  // compare-and-swap failed for no reason. Then a hyphen for each store that was passed over, where not the
  // newest was read.
  std::string Schedule() const;
  // The same for people.
  std::string Trace() const;
  bool running() const { return current_ >= 0; }
  int steps() const { return static_cast<int>(log_.size()); }

  // Runs `look` with all operations plain.
  template <typename Look>
  void Muted(Look look) {
    const bool was = SetMuted(true);
    look();
    SetMuted(was);
  }

 private:
  friend void model::Reach(const void*, Access, std::memory_order);
  friend void model::Sleep(const void*, Access);
  friend void model::SleepForLock(const void*, const void*);
  friend void model::Wake(const void*);
  friend bool model::Muted();
  friend void model::NoteUnlock(const void*);
  friend void model::NoteWrite(const void*, uint64_t, uint64_t);
  friend bool model::FailsForNoReason();
  friend size_t model::ChooseStore(size_t);
  friend uint32_t model::Spawn(std::function<void()>);
  friend void model::Join(uint32_t);
  friend uint32_t model::ThisFiber();

  struct FiberSlot {
    Fiber fiber;
    std::function<void()> body;
    bool ended = true;
    const void* asleep_on = nullptr;
  };
  struct LogEntry {
    int fiber;
    Operation operation;
    const void* written = nullptr;
    uint64_t before = 0;
    uint64_t after = 0;
    bool failed_for_no_reason = false;
    size_t passed_over = 0;
  };

  bool SetMuted(bool muted);  // and what it was
  int Start(std::function<void()> body);
  static void Body(void* scheduler);
  void Reach(Operation operation);
  FiberMask Alive() const;
  FiberMask Enabled() const;
  std::string WhoWaits() const;

  std::array<FiberSlot, kMaxFibers> fibers_;
  std::array<Operation, kMaxFibers> pending_;
  int started_ = 0;
  int current_ = -1;  // the fiber that runs; -1: none
  int last_ = 0;
  bool muted_ = false;
  Chooser* chooser_ = nullptr;
  Checker* checker_ = nullptr;
  std::vector<LogEntry> log_;
};

}  // namespace ebcache::model

#endif  // EBCACHE_TESTS_MODEL_SCHEDULER_H_
