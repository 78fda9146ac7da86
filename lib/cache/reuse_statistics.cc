#include "lib/cache/reuse_statistics.h"

#include <algorithm>
#include <cmath>

#include "lib/base/rounding.h"

namespace ebcache {

namespace {

// Ages that are told apart, in capacities: what stays away for longer would not have been kept.
constexpr double kHorizon = 4;
// A block that was used again is not looked at, after its burst, before this part of a capacity.
constexpr uint32_t kLooksInCapacity = 16;

// Epochs: so many in a capacity, and none shorter than this.
constexpr uint32_t kEpochsInCapacity = 16;
constexpr uint32_t kShortestEpoch = 32;

// Of those that are left, at most so many are taken to be used in one bin: nothing is certain.
constexpr float kMostCertain = 0.98F;

}  // namespace

ReuseStatistics::ReuseStatistics(const ReuseConstants& constants) : constants_(constants) {
  SetCapacity(1);
}

void ReuseStatistics::SetCapacity(uint32_t blocks) {
  if (blocks == capacity_) return;
  capacity_ = blocks;
  epoch_length_ = std::max(kShortestEpoch, blocks / kEpochsInCapacity);
  const float memory =
      std::max(constants_.least_memory, constants_.memory * static_cast<float>(blocks));
  fading_ = 1 - std::min(1.0F, static_cast<float>(epoch_length_) / memory);
  in_epoch_ = 0;
  entered_ = {};
  LayOutBins();
  for (Kind& kind : kinds_) Assess(kind);
}

void ReuseStatistics::LayOutBins() {
  const uint32_t burst = std::max(2U, std::min(constants_.burst, capacity_ / constants_.burst_most_of) +
                                          capacity_ / constants_.burst_grows_by);
  const double factor = std::exp2(1.0 / constants_.bins_per_octave);
  double end = burst;
  bins_ = 0;
  // The last bin has no end: `end` is only how long it is taken for.
  uint32_t last_end = 0;
  const auto add = [&](double at) {
    // Of a tiny cache the first bins would have no length.
    last_end = std::max(last_end + 1, static_cast<uint32_t>(std::ceil(std::min(at, 4e9))));
    ends_[bins_++] = last_end;
  };
  for (; end < kHorizon * capacity_ && bins_ + 2 < kMostBins; end *= factor) add(end);
  add(end);
  add(2 * end);
  for (uint32_t bin = 1; bin < bins_; ++bin) {
    octaves_[bin] = std::log2(static_cast<float>(ends_[bin]) / static_cast<float>(ends_[bin - 1]));
  }
  first_bin_of_known_ = 1;
  while (first_bin_of_known_ + 2 < bins_ &&
         ends_[first_bin_of_known_] <= capacity_ / kLooksInCapacity) {
    ++first_bin_of_known_;
  }
}

uint32_t ReuseStatistics::BinOf(uint32_t age) const {
  const auto last = ends_.begin() + last_bin();
  const auto bin = static_cast<uint32_t>(std::upper_bound(ends_.begin(), last, age) - ends_.begin());
  return std::max(1U, bin);
}

uint32_t ReuseStatistics::KindAfter(uint32_t before, uint32_t bin) const {
  const uint32_t octave = std::min((bin - 1) / constants_.bins_per_octave, kOctaves - 1);
  const bool as_close = constants_.two_uses && before >= kUsedAgain &&
                        (before - kUsedAgain) / 2 <= octave + 1;
  return kUsedAgain + 2 * octave + (as_close ? 1 : 0);
}

float ReuseStatistics::Length(uint32_t bin) const {
  return static_cast<float>(bin == 0 ? ends_[0] : ends_[bin] - ends_[bin - 1]);
}

uint32_t ReuseStatistics::Tick() {
  // Kinds take turns over the epoch, which is longer than there are kinds.
  const uint32_t kind = static_cast<uint32_t>(UnitsFor(uint64_t{in_epoch_} * kKinds, epoch_length_));
  const bool its_turn = kind < kKinds && kind * epoch_length_ / kKinds == in_epoch_;
  if (its_turn) Update(kind);
  if (++in_epoch_ == epoch_length_) {
    in_epoch_ = 0;
    ++epoch_;
  }
  return its_turn ? kind : kKinds;
}

void ReuseStatistics::Update(uint32_t number) {
  Kind& kind = kinds_[number];
  entered_[epoch_ % kEpochs][number] = entries_[number];
  entries_[number] = 0;
  for (uint32_t bin = 0; bin < bins_; ++bin) {
    kind.reused[bin] *= fading_;
    kind.could_be[bin] *= fading_;
    // Those that are in the middle of the bin now have entered so many epochs ago.
    const uint64_t middle = ends_[bin] - static_cast<uint64_t>(Length(bin)) / 2;
    const uint64_t ago = middle / epoch_length_ + 1;
    if (ago < kEpochs) kind.could_be[bin] += entered_[(epoch_ - ago) % kEpochs][number];
  }
  Assess(kind);
}

void ReuseStatistics::Assess(Kind& kind) const {
  std::array<float, kMostBins> used{};  // share of those that came that is used in the bin
  std::array<float, kMostBins> time{};  // that one of them spends in the bin, on average
  float left = 1;
  for (uint32_t bin = 0; bin < bins_; ++bin) {
    if (bin != 0) {
      const float supposed = constants_.prior * octaves_[bin];
      const float share = (kind.reused[bin] + supposed * constants_.prior_weight) /
                          (kind.could_be[bin] + constants_.prior_weight);
      used[bin] = std::min(share, left * kMostCertain);
    }
    time[bin] = (left - used[bin] / 2) * Length(bin);
    left -= used[bin];
  }
  for (uint32_t bin = 0; bin < bins_; ++bin) {
    float uses = 0;
    float places = 0;
    float worth = 0;
    for (uint32_t until = bin; until < bins_; ++until) {
      uses += used[until];
      places += time[until];
      worth = std::max(worth, uses / places);
    }
    kind.worth[bin] = worth;
  }
}

}  // namespace ebcache
