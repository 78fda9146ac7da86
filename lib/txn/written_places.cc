#include "lib/txn/written_places.h"

#include <algorithm>

namespace ebcache::txn {

void WrittenPlaces::Add(uint64_t bytenr) {
  const auto [at, is_new] = places_.try_emplace(bytenr);
  at->second.again |= !is_new;
  at->second.live = true;
}

void WrittenPlaces::Freed(uint64_t bytenr) {
  if (const auto at = places_.find(bytenr); at != places_.end()) at->second.live = false;
}

void WrittenPlaces::Aborted() {
  for (auto& [bytenr, place] : places_) place.live = false;
}

std::vector<uint64_t> WrittenPlaces::Live() const {
  std::vector<uint64_t> live;
  ForEachLive([&live](uint64_t bytenr) { live.push_back(bytenr); });
  std::sort(live.begin(), live.end());
  return live;
}

std::vector<uint64_t> WrittenPlaces::WrittenOver() const {
  std::vector<uint64_t> over;
  for (const auto& [bytenr, place] : places_) {
    if (place.live && place.again) over.push_back(bytenr);
  }
  std::sort(over.begin(), over.end());
  return over;
}

}  // namespace ebcache::txn
