// OwnerRegistration: an owner's number at an allocator, given back also by a constructor that does
// not come to its end.

#ifndef EBCACHE_LIB_CACHE_OWNER_REGISTRATION_H_
#define EBCACHE_LIB_CACHE_OWNER_REGISTRATION_H_

#include <utility>

#include "ebcache/page_allocator.h"

namespace ebcache {

class OwnerRegistration {
 public:
  // `allocator` must outlive the registration.
  OwnerRegistration(PageAllocator* allocator, FolioOwner* owner)
      : allocator_(allocator), id_(allocator->RegisterOwner(owner)) {}
  ~OwnerRegistration() { End(); }
  OwnerRegistration(const OwnerRegistration&) = delete;
  OwnerRegistration& operator=(const OwnerRegistration&) = delete;

  OwnerId id() const { return id_; }

  // Takes the owner back before the registration itself goes. REQUIRES: it has no folios any more.
  void End() {
    if (id_ != kNoOwner) allocator_->UnregisterOwner(std::exchange(id_, kNoOwner));
  }

 private:
  PageAllocator* const allocator_;
  OwnerId id_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_OWNER_REGISTRATION_H_
