#include "tests/crash/crash_states.h"

#include <algorithm>
#include <utility>

namespace ebcache::testing {
namespace {

// Draws of crashes that are known already, one after the other: there are no more to be found.
constexpr int kMostInVain = 2000;

}  // namespace

CrashStates::CrashStates(const DeviceLog* log, uint64_t seed) : log_(*log), random_(seed) {
  FindStretches();
}

void CrashStates::FindStretches() {
  for (size_t entries = 1; entries <= log_.size(); ++entries) {
    const bool durable = log_.entry(entries - 1).kind == LogEntry::Kind::kDurable;
    const bool ends = entries == log_.size() || !log_.entry(entries).IsWrite();
    if ((durable || ends) && !log_.MayBeLost(entries).empty()) stretches_.push_back(entries);
  }
}

bool CrashStates::IsNew(const Crash& crash) {
  std::string arrived(crash.entries, '1');
  for (const size_t entry : crash.lost) arrived[entry] = '0';
  for (size_t i = 0; i < crash.entries; ++i) {
    if (!log_.entry(i).IsWrite()) arrived[i] = '-';
  }
  while (!arrived.empty() && arrived.back() != '1') arrived.pop_back();
  if (crash.torn) {
    // In its place, behind all others: it has arrived, in part.
    arrived += '/' + std::to_string(crash.torn->entry) + '/';
    for (const bool sector : crash.torn->arrived) arrived += sector ? '1' : '0';
  }
  return seen_.insert(std::move(arrived)).second;
}

void CrashStates::Tear(Crash& crash, const std::vector<size_t>& may_be_lost) {
  const size_t entry = may_be_lost[random_() % may_be_lost.size()];
  crash.lost.erase(std::remove(crash.lost.begin(), crash.lost.end(), entry), crash.lost.end());
  const size_t sectors = log_.entry(entry).bytes->size() / DeviceLog::kSectorBytes;
  std::vector<bool> arrived(sectors);
  // The front of it, the back, or any sectors.
  const size_t edge = 1 + random_() % (sectors - 1);
  const uint64_t how = random_() % 3;
  bool all = true;
  bool none = true;
  for (size_t i = 0; i < sectors; ++i) {
    arrived[i] = how == 0 ? i < edge : how == 1 ? i >= edge : random_() % 2 == 0;
    all &= arrived[i];
    none &= !arrived[i];
  }
  if (all || none) arrived[edge] = !arrived[edge];
  crash.torn = TornWrite{.entry = entry, .arrived = std::move(arrived)};
}

Crash CrashStates::Draw() {
  Crash crash{.entries = stretches_[random_() % stretches_.size()]};
  const std::vector<size_t> may_be_lost = log_.MayBeLost(crash.entries);
  switch (random_() % 4) {
    case 0:  // one is lost
      crash.lost = {may_be_lost[random_() % may_be_lost.size()]};
      break;
    case 1: {  // one has arrived
      crash.lost = may_be_lost;
      crash.lost.erase(crash.lost.begin() + static_cast<ptrdiff_t>(random_() % crash.lost.size()));
      break;
    }
    default: {
      const uint64_t in_eight = 1 + random_() % 7;
      for (const size_t entry : may_be_lost) {
        if (random_() % 8 < in_eight) crash.lost.push_back(entry);
      }
    }
  }
  if (random_() % 2 == 0) Tear(crash, may_be_lost);
  return crash;
}

void CrashStates::ForEach(size_t least, absl::FunctionRef<bool(const Crash&)> visit) {
  for (size_t entries = 0; entries <= log_.size(); ++entries) {
    const Crash crash{.entries = entries};
    // Those that end with a flush leave what the one before them does, but must not be undone.
    visited_ += IsNew(crash) ? 1 : 0;
    if (!visit(crash)) return;
  }
  for (int in_vain = 0; visited_ < least && in_vain < kMostInVain && !stretches_.empty();) {
    const Crash crash = Draw();
    if (!IsNew(crash)) {
      ++in_vain;
      continue;
    }
    in_vain = 0;
    ++visited_;
    if (!visit(crash)) return;
  }
}

}  // namespace ebcache::testing
