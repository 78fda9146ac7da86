// The concurrent parts of lib/mm: frames that are freed while they move, thread lists that end,
// owners that go.

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "lib/mm/frame_depot.h"
#include "lib/mm/owner_table.h"
#include "lib/mm/page_frame.h"
#include "tests/model/cache_scene.h"
#include "tests/model/programs.h"

namespace ebcache::model {

namespace {

template <typename SceneType>
void Add(std::vector<Program>& programs, std::string name,
         std::vector<std::function<void(SceneType&)>> threads) {
  Program program{.name = std::move(name), .make = [] { return std::make_unique<SceneType>(); }};
  for (auto& thread : threads) {
    program.threads.push_back(
        [thread = std::move(thread)](Scene& scene) { thread(static_cast<SceneType&>(scene)); });
  }
  program.quick = true;
  programs.push_back(std::move(program));
}

// ---- One page frame -----------------------------------------------------------------------------

// A folio in use that is freed while compaction wants to move it: it is given back once, by the one
// who comes last.
struct FrameScene final : Scene {
  FrameScene() {
    frame.Store(
        FrameState::Allocated({.flags = AllocFlags::kMovable, .owner = 1, .private_bits = 7}, 0));
  }
  void Free() {
    ++*bytes;
    if (!frame.Free(0).moving) GiveBack();
  }
  void Move() {
    const auto begun = frame.BeginMove();
    if (!begun.has_value()) return;
    if (movers++ != 0) FailRun("two movers of one folio");
    const FrameState seen = frame.Load();  // what the owner is asked about
    (void)seen;
    ++*asked;
    --movers;
    if (frame.EndMove()) return;
    if (!freed) FailRun("a folio was given back that is in use");
    GiveBack();
  }
  // The frame is the next holder's then.
  void GiveBack() {
    ++given_back;
    ++*bytes;
    ++*asked;
  }
  void Finish() override {
    if (freed && given_back != 1) FailRun("a folio was not given back exactly once");
    if (!freed && frame.Load().moving) FailRun("a mark was left on a folio");
  }

  PageFrame frame;
  // Plain memory of a holder and of a mover: what a scene has itself is not watched.
  const std::unique_ptr<int> bytes = std::make_unique<int>(0);
  const std::unique_ptr<int> asked = std::make_unique<int>(0);
  bool freed = false;
  int movers = 0;
  int given_back = 0;
};

void AddFramePrograms(std::vector<Program>& programs) {
  const auto free = [](FrameScene& s) {
    s.freed = true;
    s.Free();
  };
  const auto move = [](FrameScene& s) { s.Move(); };
  const auto mark = [](FrameScene& s) { s.frame.SetPrivate(9); };
  Add<FrameScene>(programs, "frame: free and move", {free, move});
  Add<FrameScene>(programs, "frame: free and two movers", {free, move, move});
  Add<FrameScene>(programs, "frame: move and new private bits", {mark, move, move});
}

// ---- A depot and the lists of threads -----------------------------------------------------------

class ArrayOfFrames final : public FrameSource {
 public:
  static constexpr uint32_t kFrames = 12;
  PageFrame& frame(FrameNumber pfn) override { return frames_[pfn.value()]; }
  absl::Status Prepare(FrameNumber end) override {
    prepared_ = std::max(prepared_, end.value());
    return absl::OkStatus();
  }
  uint32_t most_frames() const override { return kFrames; }
  bool Purge(FrameNumber, uint32_t) override { return true; }
  bool Retreat(FrameNumber end) override {
    prepared_ = end.value();
    return true;
  }
  uint32_t frames_per_step() const override { return 2; }
  uint64_t prepared_bytes() const override { return prepared_ * 4096; }

 private:
  std::array<PageFrame, kFrames> frames_;
  uint32_t prepared_ = 0;
};

// Each thread has a list for as long as it runs.
struct DepotScene final : Scene {
  DepotScene() : depot(std::make_unique<ArrayOfFrames>(), 4) {}

  // Takes frames, gives them back, and ends.
  void Work(uint32_t frames) {
    ThreadList list(depot.list_capacity());
    depot.Enlist(list);
    if (!depot.Refill(list, frames).ok()) FailRun("there are frames, and none was had");
    std::vector<FrameNumber> mine;
    for (uint32_t i = 0; i < frames; ++i) mine.push_back(list.Pop());
    for (const FrameNumber pfn : mine) {
      if (taken[pfn.value()]++ != 0) FailRun("a frame was given to two");
    }
    list.counters.allocated_folios.Add(frames);
    for (const FrameNumber pfn : mine) {
      --taken[pfn.value()];
      if (list.full()) depot.Drain(list);
      list.Push(pfn);
    }
    list.counters.freed_folios.Add(frames);
    allocated += frames;
    depot.Retire(list);
  }
  void Trim() {
    ThreadList list(depot.list_capacity());
    depot.Enlist(list);
    depot.Trim(list, 4096);
    depot.Retire(list);
  }
  void Finish() override {
    AllocatorStats stats;
    depot.AddStats(stats, 4096);
    if (stats.allocated_folios != allocated || stats.freed_folios != allocated) {
      FailRun("counts of a thread that ended were lost");
    }
    ThreadList list(depot.list_capacity());
    depot.Enlist(list);
    std::array<Folio, ArrayOfFrames::kFrames> all;
    if (!depot.Fill(list, all.size(), {.use = FrameUse::kAllocated}, absl::MakeSpan(all)).ok()) {
      FailRun("frames were lost");
    }
  }

  FrameDepot depot;
  std::array<int, ArrayOfFrames::kFrames> taken{};
  uint64_t allocated = 0;
};

void AddDepotPrograms(std::vector<Program>& programs) {
  const auto work = [](DepotScene& s) { s.Work(2); };
  const auto trim = [](DepotScene& s) { s.Trim(); };
  Add<DepotScene>(programs, "depot: two threads work and end", {work, work});
  Add<DepotScene>(programs, "depot: a thread ends beside a trim", {work, trim});
  Add<DepotScene>(programs, "depot: two threads and a trim", {work, work, trim});
}

// ---- Owners -------------------------------------------------------------------------------------

struct NobodySpecial final : FolioOwner {
  std::string_view name() const override { return "nobody special"; }
};

struct OwnerScene final : Scene {
  void Register() {
    NobodySpecial owner;
    const OwnerId id = owners.Register(&owner);
    if (owners.Find(id) != &owner) FailRun("two owners have one number");
    owners.Unregister(id);
  }
  void Finish() override {
    if (owners.Register(&last) != 1) FailRun("a number was lost");
  }
  OwnerTable owners;
  NobodySpecial last;
};

// One owner, which goes, and others that call it meanwhile.
struct CalledScene final : Scene {
  CalledScene() : id(owners.Register(&owner)) {}

  void Call() {
    if (owners.BeginCall(id) == nullptr) return;
    Reach(&owner, Access::kLoad);
    if (gone) FailRun("an owner was called that is gone");
    owners.EndCall(id);
  }
  void Go() {
    owners.Quiesce(id);
    Reach(&owner, Access::kStore);
    gone = true;
    owners.Unregister(id);
  }
  void Finish() override {
    if (owners.Register(&owner) != id) FailRun("a number was lost");
  }
  OwnerTable owners;
  NobodySpecial owner;
  const OwnerId id;
  bool gone = false;
};

void AddOwnerPrograms(std::vector<Program>& programs) {
  const auto once = [](OwnerScene& s) { s.Register(); };
  Add<OwnerScene>(programs, "owners come and go", {once, once});
  const auto call = [](CalledScene& s) { s.Call(); };
  const auto go = [](CalledScene& s) { s.Go(); };
  Add<CalledScene>(programs, "owner: goes beside a call", {go, call});
  Add<CalledScene>(programs, "owner: goes beside two calls", {go, call, call});
}

}  // namespace

void AddAllocatorPrograms(std::vector<Program>& programs) {
  AddFramePrograms(programs);
  AddDepotPrograms(programs);
  AddOwnerPrograms(programs);
}

}  // namespace ebcache::model
