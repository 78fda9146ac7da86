#include "lib/mm/thread_list.h"

#include <utility>
#include <vector>

#include "lib/mm/allocator_base.h"
#include "lib/mm/frame_depot.h"

namespace ebcache {
namespace {

// The list used last. Serial numbers are never used again, so this may outlive its depot. Trivial,
// and apart from the registry: reading it costs no check whether thread-locals are set up.
struct LastUsed {
  uint64_t depot_serial = 0;
  ThreadList* list = nullptr;
};
constinit thread_local LastUsed last_used;
constinit thread_local bool thread_is_ending = false;

// All lists of a thread.
class Registry {
 public:
  ~Registry() {
    thread_is_ending = true;
    last_used = {};
    for (Entry& entry : entries_) {
      // A depot that is gone has taken its frames along.
      if (const std::shared_ptr<FrameDepot> depot = entry.depot.lock()) depot->Retire(*entry.list);
    }
  }

  ThreadList* FindOrCreate(const std::shared_ptr<FrameDepot>& depot) {
    for (const Entry& entry : entries_) {
      if (entry.depot_serial == depot->serial()) return entry.list.get();
    }
    std::erase_if(entries_, [](const Entry& entry) { return entry.depot.expired(); });
    auto list = std::make_unique<ThreadList>(depot->list_capacity());
    entries_.reserve(entries_.size() +
                     1);  // before the depot knows the list: no failure after that
    depot->Enlist(*list);
    entries_.push_back({depot->serial(), depot, std::move(list)});
    return entries_.back().list.get();
  }

 private:
  struct Entry {
    uint64_t depot_serial;
    std::weak_ptr<FrameDepot> depot;
    std::unique_ptr<ThreadList> list;
  };
  std::vector<Entry> entries_;
};
thread_local Registry registry;

}  // namespace

void FolioCounters::Add(const FolioCounters& other) {
  allocated_folios.Add(other.allocated_folios.Load());
  allocated_bytes.Add(other.allocated_bytes.Load());
  freed_folios.Add(other.freed_folios.Load());
  freed_bytes.Add(other.freed_bytes.Load());
  allocated_blocks.Add(other.allocated_blocks.Load());
  contiguous_blocks.Add(other.contiguous_blocks.Load());
  lucky_blocks.Add(other.lucky_blocks.Load());
  large_blocks.Add(other.large_blocks.Load());
  mapped_blocks.Add(other.mapped_blocks.Load());
}

void FolioCounters::AddBlock(BlockForm form) {
  allocated_blocks.Add(1);
  if (form != BlockForm::kPageArray) contiguous_blocks.Add(1);
  if (form == BlockForm::kLucky) lucky_blocks.Add(1);
  if (form == BlockForm::kLargeFolio) large_blocks.Add(1);
  if (form == BlockForm::kMapped) mapped_blocks.Add(1);
}

ThreadListLease::ThreadListLease(const std::shared_ptr<FrameDepot>& depot) {
  if (last_used.depot_serial == depot->serial()) [[likely]] {
    list_ = last_used.list;
  } else {
    FindOrCreate(depot);
  }
}

void ThreadListLease::FindOrCreate(const std::shared_ptr<FrameDepot>& depot) {
  if (!thread_is_ending) {
    try {
      list_ = registry.FindOrCreate(depot);
      last_used = {depot->serial(), list_};
      return;
    } catch (const std::bad_alloc&) {
      // Without one of its own, then.
    }
  }
  // Not enlisted, which would take memory: what it counts is missing until it retires.
  list_ = &passing_.emplace(depot->list_capacity());
  passing_depot_ = depot.get();
}

void ThreadListLease::ReturnPassing() { passing_depot_->Retire(*list_); }

}  // namespace ebcache
