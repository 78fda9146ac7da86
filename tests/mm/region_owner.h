// A small movable region, and an owner whose folios move, for tests.

#ifndef EBCACHE_TESTS_MM_REGION_OWNER_H_
#define EBCACHE_TESTS_MM_REGION_OWNER_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <string_view>

#include "ebcache/movable_region.h"

namespace ebcache {

// 16 superpageblocks of 8 page blocks of 16 pages.
inline constexpr size_t kPage = 4096;
inline constexpr uint32_t kPageblockPages = 16;
inline constexpr uint32_t kSuperPages = 128;
inline constexpr int kSuperOrder = 7;

inline MovableRegionOptions Small(MovableRegionOptions::Policy policy,
                                  uint32_t superpageblocks = 16) {
  return {.page_bytes = kPage,
          .arena_bytes = superpageblocks * kSuperPages * kPage,
          .pageblock_bytes = kPageblockPages * kPage,
          .superpageblock_bytes = kSuperPages * kPage,
          .policy = policy,
          .tainted_reserve = 1};
}

// Holds folios of order 0, each stamped, and lets them move unless told otherwise.
class Owner : public FolioOwner {
 public:
  explicit Owner(MovableRegion* region, std::string_view name = "owner")
      : region_(region), name_(name), id_(region->RegisterOwner(this)) {}
  ~Owner() override {
    while (!held.empty()) Free(held.begin()->first);
    region_->UnregisterOwner(id_);
  }

  std::string_view name() const override { return name_; }
  bool movable() const override { return true; }
  bool Migrate(Folio destination, Folio source, uint32_t key) override {
    if (on_question) on_question(key);
    const auto it = held.find(key);
    if (it == held.end() || !(it->second == source) || pinned.contains(key)) return false;
    if (region_->Address(source) != nullptr) {
      std::memcpy(region_->Address(destination), region_->Address(source), kPage);
    }
    it->second = destination;
    return true;
  }
  bool Release(Folio folio, uint32_t key) override {
    if (on_question) on_question(key);
    const auto it = held.find(key);
    if (!releasable || it == held.end() || !(it->second == folio) || pinned.contains(key)) {
      return false;
    }
    Free(key);
    return true;
  }

  bool Allocate(uint32_t key, AllocFlags flags = AllocFlags::kMovable) {
    Folio folio;
    const FolioRequest request = {.flags = flags, .owner = id_, .private_bits = key};
    if (!region_->AllocateBulk(request, 0, {&folio, 1}).ok()) return false;
    held[key] = folio;
    if (std::byte* bytes = region_->Address(folio)) std::memcpy(bytes, &key, sizeof(key));
    return true;
  }
  void Free(uint32_t key) {
    Folio folio = held.at(key);
    held.erase(key);
    region_->FreeBulk(0, {&folio, 1});
  }
  void ExpectStamps() const {
    for (const auto& [key, folio] : held) {
      ASSERT_EQ(std::memcmp(region_->Address(folio), &key, sizeof(key)), 0) << key;
    }
  }
  OwnerId id() const { return id_; }

  std::map<uint32_t, Folio> held;
  std::set<uint32_t> pinned;
  bool releasable = false;
  std::function<void(uint32_t key)> on_question;

 private:
  MovableRegion* const region_;
  const std::string_view name_;
  const OwnerId id_;
};

inline uint32_t Category(const MovableRegion& region, SuperpageblockCategory category) {
  return region.report().by_category[static_cast<size_t>(category)];
}

}  // namespace ebcache

#endif  // EBCACHE_TESTS_MM_REGION_OWNER_H_
