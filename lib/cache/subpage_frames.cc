#include "lib/cache/subpage_frames.h"

#include <algorithm>
#include <bit>
#include <new>

#include "lib/base/check.h"

namespace ebcache {

namespace {
constexpr uint32_t kNone = ~uint32_t{0};

// Room for `count` entries, by doubling.
template <typename T>
void ReserveFor(std::vector<T>& list, size_t count) {
  if (list.capacity() < count) list.reserve(std::max(count, 2 * list.capacity()));
}
}  // namespace

SubpageFrames::SubpageFrames(PageAllocator* allocator, int blocks_per_page)
    : allocator_(allocator), per_page_(blocks_per_page) {}

uint32_t SubpageFrames::GroupOf(Folio folio) const {
  EBCACHE_CHECK(folio.pfn() < group_of_pfn_.size() && group_of_pfn_[folio.pfn()] != kNone,
                "a shared folio that the cache does not know");
  return group_of_pfn_[folio.pfn()];
}

void SubpageFrames::SetGroupOf(Folio folio, uint32_t number) {
  group_of_pfn_[folio.pfn()] = number;
}

void SubpageFrames::PrepareFrame(Folio folio) {
  if (group_of_pfn_.size() <= folio.pfn()) group_of_pfn_.resize(folio.pfn() + 1, kNone);
}

bool SubpageFrames::PrepareGroup(Folio folio, AllocFlags flags) noexcept try {
  const size_t groups = groups_.size() + 1;
  ReserveFor(groups_, groups);
  ReserveFor(free_groups_, groups);
  ReserveFor(open_[static_cast<uint32_t>(flags)], groups);
  PrepareFrame(folio);
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

bool SubpageFrames::PrepareMove(Folio destination) noexcept try {
  sync::MutexLock lock(mutex_);
  PrepareFrame(destination);
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

void SubpageFrames::ListAsOpen(uint32_t number) {
  Group& group = groups_[number];
  if (group.open_at != kNone || group.closed || !HasRoom(group)) return;
  auto& list = open_[static_cast<uint32_t>(group.flags)];
  group.open_at = static_cast<uint32_t>(list.size());
  list.push_back(number);
}

void SubpageFrames::UnlistAsOpen(uint32_t number) {
  Group& group = groups_[number];
  if (group.open_at == kNone) return;
  auto& list = open_[static_cast<uint32_t>(group.flags)];
  list[group.open_at] = list.back();
  groups_[list.back()].open_at = group.open_at;
  list.pop_back();
  group.open_at = kNone;
}

SubpageFrames::Place SubpageFrames::Take(uint32_t number, uint32_t member) {
  Group& group = groups_[number];
  const auto slot = static_cast<uint16_t>(std::countr_one(group.used));
  group.used |= uint32_t{1} << slot;
  group.members[slot] = member;
  if (!HasRoom(group)) UnlistAsOpen(number);
  return {group.folio, slot};
}

uint32_t SubpageFrames::AddGroup(Folio folio, AllocFlags flags) {
  uint32_t number = static_cast<uint32_t>(groups_.size());
  if (free_groups_.empty()) {
    groups_.emplace_back();
  } else {
    number = free_groups_.back();
    free_groups_.pop_back();
  }
  groups_[number] = Group{.folio = folio, .flags = flags};
  SetGroupOf(folio, number);
  return number;
}

absl::StatusOr<SubpageFrames::Place> SubpageFrames::Allocate(AllocFlags flags, uint32_t member) {
  {
    sync::MutexLock lock(mutex_);
    const auto& open = open_[static_cast<uint32_t>(flags)];
    if (!open.empty()) return Take(open.back(), member);
  }
  Folio folio;
  const FolioRequest request{.flags = flags, .owner = owner_, .private_bits = kNone};
  if (auto status = allocator_->AllocateBulk(request, 0, absl::MakeSpan(&folio, 1)); !status.ok()) {
    return status;
  }
  uint32_t number = kNone;
  Place place;
  {
    sync::MutexLock lock(mutex_);
    if (PrepareGroup(folio, flags)) place = Take(number = AddGroup(folio, flags), member);
  }
  if (number == kNone) {
    allocator_->FreeBulk(0, absl::MakeSpan(&folio, 1));
    return absl::Status(absl::StatusCode::kResourceExhausted, "");
  }
  // Between the locks: the allocator is called without. Until this a mover is told of no group, and
  // leaves the folio alone; the group stays, because the caller's block is in it.
  allocator_->SetPrivate(folio, number);
  sync::MutexLock lock(mutex_);
  ListAsOpen(number);
  return place;
}

bool SubpageFrames::Free(Folio folio, uint16_t slot, bool folio_goes_elsewhere) {
  {
    sync::MutexLock lock(mutex_);
    const uint32_t number = GroupOf(folio);
    Group& group = groups_[number];
    group.used &= ~(uint32_t{1} << slot);
    if (group.used != 0) {
      ListAsOpen(number);
      return false;
    }
    UnlistAsOpen(number);
    group_of_pfn_[folio.pfn()] = kNone;
    group.folio = Folio();
    free_groups_.push_back(number);
  }
  if (!folio_goes_elsewhere) allocator_->FreeBulk(0, absl::MakeSpan(&folio, 1));
  return true;
}

absl::InlinedVector<uint32_t, SubpageFrames::kMaxBlocks> SubpageFrames::Close(Folio folio,
                                                                              uint32_t number) {
  absl::InlinedVector<uint32_t, kMaxBlocks> members;
  sync::MutexLock lock(mutex_);
  if (number >= groups_.size() || !(groups_[number].folio == folio)) return members;
  Group& group = groups_[number];
  if (group.closed) return members;
  group.closed = true;
  UnlistAsOpen(number);
  for (uint32_t used = group.used; used != 0; used &= used - 1) {
    members.push_back(group.members[std::countr_zero(used)]);
  }
  return members;
}

void SubpageFrames::Reopen(Folio folio, uint32_t number) {
  sync::MutexLock lock(mutex_);
  if (number >= groups_.size() || !(groups_[number].folio == folio)) return;
  groups_[number].closed = false;
  ListAsOpen(number);
}

void SubpageFrames::Moved(Folio destination, Folio source) {
  sync::MutexLock lock(mutex_);
  const uint32_t number = GroupOf(source);
  groups_[number].folio = destination;
  group_of_pfn_[source.pfn()] = kNone;
  SetGroupOf(destination, number);
}

}  // namespace ebcache
