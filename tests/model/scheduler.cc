#include "tests/model/scheduler.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "tests/model/weak_memory.h"

namespace ebcache::model {

namespace {

// No program is that long: whoever gets here goes round in circles.
constexpr size_t kMaxSteps = 5000;

const char* NameOf(Access access) {
  switch (access) {
    case Access::kBegin:
      return "begin";
    case Access::kLoad:
      return "load";
    case Access::kStore:
      return "store";
    case Access::kUpdate:
      return "update";
    case Access::kAdd:
      return "add";
    case Access::kWait:
      return "wait";
    case Access::kNotify:
      return "notify";
    case Access::kLock:
      return "lock";
    case Access::kConditionWait:
      return "wait for condition";
    case Access::kConditionNotify:
      return "notify of condition";
    case Access::kJoin:
      return "join";
    case Access::kFence:
      return "fence";
    case Access::kQuiet:
      return "see that all is quiet";
  }
  return "?";
}

}  // namespace

uint64_t planted_bug = 0;

std::string Checker::Describe(const void* object) const {
  char text[32];
  std::snprintf(text, sizeof text, "%p", object);
  return text;
}

std::string Checker::DescribeValue(const void*, uint64_t value) const {
  return std::to_string(value);
}

Scheduler& Scheduler::Get() {
  static Scheduler scheduler;
  return scheduler;
}

// ---- Fibers -------------------------------------------------------------------------------------

void Scheduler::Body(void* argument) {
  auto* self = static_cast<Scheduler*>(argument);
  FiberSlot& slot = self->fibers_[static_cast<size_t>(self->current_)];
  slot.body();
  slot.ended = true;
  slot.fiber.Leave();
}

int Scheduler::Start(std::function<void()> body) {
  if (started_ == kMaxFibers) Fail("more fibers than the scheduler has");
  const int number = started_++;
  FiberSlot& slot = fibers_[static_cast<size_t>(number)];
  slot.body = std::move(body);
  slot.ended = false;
  slot.asleep_on = nullptr;
  pending_[static_cast<size_t>(number)] = {};
  slot.fiber.Start(&Body, this);
  return number;
}

bool Scheduler::SetMuted(bool muted) {
  WeakMemory::Get().SetMuted(muted);
  return std::exchange(muted_, muted);
}

void Scheduler::Reach(Operation operation) {
  if (current_ < 0 || muted_) return;
  const auto number = static_cast<size_t>(current_);
  pending_[number] = operation;
  fibers_[number].fiber.Leave();
}

FiberMask Scheduler::Alive() const {
  FiberMask mask = 0;
  for (int i = 0; i < started_; ++i) {
    if (!fibers_[static_cast<size_t>(i)].ended) mask |= static_cast<FiberMask>(1u << i);
  }
  return mask;
}

FiberMask Scheduler::Enabled() const {
  FiberMask mask = 0;
  FiberMask if_quiet = 0;
  for (int i = 0; i < started_; ++i) {
    const auto number = static_cast<size_t>(i);
    const FiberSlot& slot = fibers_[number];
    if (slot.ended || slot.asleep_on != nullptr) continue;
    const Operation& next = pending_[number];
    if (next.access == Access::kLock && static_cast<const sync::Mutex*>(next.object)->held()) {
      continue;
    }
    if (next.access == Access::kJoin && !static_cast<const FiberSlot*>(next.object)->ended) {
      continue;
    }
    (next.access == Access::kQuiet ? if_quiet : mask) |= static_cast<FiberMask>(1u << i);
  }
  return mask != 0 ? mask : if_quiet;
}

// ---- A run --------------------------------------------------------------------------------------

void Scheduler::Run(const std::vector<std::function<void()>>& bodies, Chooser* chooser,
                    Checker* checker) {
  chooser_ = chooser;
  checker_ = checker;
  started_ = 0;
  log_.clear();
  for (const auto& body : bodies) Start(body);
  last_ = -1;
  WeakMemory::Get().BeginRun();
  for (;;) {
    const FiberMask alive = Alive();
    if (alive == 0) break;
    const Choice choice{.depth = steps(),
                        .last = last_,
                        .alive = alive,
                        .enabled = Enabled(),
                        .pending = &pending_};
    if (choice.enabled == 0) Fail("deadlock, or a lost wake-up: " + WhoWaits());
    const int chosen = chooser->Choose(choice);
    if (log_.size() == kMaxSteps) Fail("no end: threads go round in circles");
    log_.push_back({.fiber = chosen, .operation = pending_[static_cast<size_t>(chosen)]});
    current_ = last_ = chosen;
    WeakMemory::Get().Switch(chosen);
    fibers_[static_cast<size_t>(chosen)].fiber.Enter();
    WeakMemory::Get().Switch(-1);
    current_ = -1;
    Muted([&] { checker->AfterStep(); });
  }
}

std::string Scheduler::WhoWaits() const {
  std::string text;
  for (int i = 0; i < started_; ++i) {
    const auto number = static_cast<size_t>(i);
    if (fibers_[number].ended) continue;
    text += "fiber " + std::to_string(i) +
            (fibers_[number].asleep_on != nullptr ? " sleeps on " : " wants to ") +
            NameOf(pending_[number].access) + " " +
            (checker_ != nullptr ? checker_->Describe(pending_[number].object) : "") + "; ";
  }
  return text;
}

void Scheduler::Fail(const std::string& message) {
  SetMuted(true);
  on_failure(message);
  std::abort();
}

std::string Scheduler::Schedule() const {
  std::string text;
  for (const LogEntry& entry : log_) {
    text += static_cast<char>((entry.failed_for_no_reason ? 'a' : '0') + entry.fiber);
    text.append(entry.passed_over, '-');
  }
  return text;
}

std::string Scheduler::Trace() const {
  std::string text;
  for (const LogEntry& entry : log_) {
    text += std::string(static_cast<size_t>(entry.fiber) * 4, ' ') + std::to_string(entry.fiber) +
            ": " + NameOf(entry.operation.access);
    if (entry.operation.object != nullptr && checker_ != nullptr) {
      text += " " + checker_->Describe(entry.operation.object);
    }
    if (entry.written != nullptr && checker_ != nullptr) {
      text += ": " + checker_->DescribeValue(entry.written, entry.before) + " -> " +
              checker_->DescribeValue(entry.written, entry.after);
    }
    if (entry.failed_for_no_reason) text += ": fails for no reason";
    if (entry.passed_over != 0) text += ": reads the store " + std::to_string(entry.passed_over) + " before the newest";
    text += '\n';
  }
  return text;
}

// ---- What model_sync.h calls --------------------------------------------------------------------

void Reach(const void* object, Access access, std::memory_order order) {
  Scheduler::Get().Reach({.object = object,
                          .access = access,
                          .is_sequential = order == std::memory_order_seq_cst && WeakMemory::Get().on});
}

void Sleep(const void* object, Access again) {
  Scheduler& s = Scheduler::Get();
  if (s.current_ < 0 || s.muted_) s.Fail("a wait that nobody can end");
  s.fibers_[static_cast<size_t>(s.current_)].asleep_on = object;
  s.Reach({object, again});
}

void SleepForLock(const void* object, const void* mutex) {
  Scheduler& s = Scheduler::Get();
  if (s.current_ < 0 || s.muted_) s.Fail("a wait that nobody can end");
  // Asleep until notified; the caller locks the mutex next, which is a step of its own.
  s.fibers_[static_cast<size_t>(s.current_)].asleep_on = object;
  s.Reach({mutex, Access::kLoad});
}

void Wake(const void* object) {
  Scheduler& s = Scheduler::Get();
  if (s.current_ < 0 || s.muted_) return;
  for (int i = 0; i < s.started_; ++i) {
    auto& slot = s.fibers_[static_cast<size_t>(i)];
    if (slot.ended || slot.asleep_on != object) continue;
    slot.asleep_on = nullptr;
    s.chooser_->SetGoing(i);
  }
}

bool Muted() {
  Scheduler& s = Scheduler::Get();
  return s.muted_;
}

void NoteUnlock(const void* mutex) {
  Scheduler& s = Scheduler::Get();
  if (s.current_ >= 0) s.chooser_->Released(mutex);
}

void NoteWrite(const void* object, uint64_t before, uint64_t after) {
  Scheduler& s = Scheduler::Get();
  if (s.muted_ || s.current_ < 0) return;
  auto& entry = s.log_.back();
  entry.written = object;
  entry.before = before;
  entry.after = after;
  s.Muted([&] { s.checker_->Wrote(object, before, after); });
}

bool FailsForNoReason() {
  Scheduler& s = Scheduler::Get();
  if (s.muted_ || s.current_ < 0) return false;
  return s.log_.back().failed_for_no_reason = s.chooser_->FailsForNoReason();
}

size_t ChooseStore(size_t count) {
  Scheduler& s = Scheduler::Get();
  return s.log_.back().passed_over = s.chooser_->ChooseStore(count);
}

void AwaitQuiet() {
  Reach(nullptr, Access::kQuiet);
  WeakMemory::Get().JoinAll();
}

void FailRun(const char* message) { Scheduler::Get().Fail(message); }

uint32_t Spawn(std::function<void()> body) {
  Scheduler& s = Scheduler::Get();
  const int number = s.Start(std::move(body));
  WeakMemory::Get().Spawned(number);
  if (s.current_ >= 0) s.chooser_->SetGoing(number);
  return static_cast<uint32_t>(number);
}

void Join(uint32_t fiber) {
  Scheduler& s = Scheduler::Get();
  s.Reach({&s.fibers_[fiber], Access::kJoin});
  WeakMemory::Get().Joined(static_cast<int>(fiber));
}

uint32_t ThisFiber() {
  Scheduler& s = Scheduler::Get();
  return static_cast<uint32_t>(s.current_ < 0 ? 0 : s.current_);
}

}  // namespace ebcache::model
