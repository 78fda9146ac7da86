// ReuseStatistics: how likely blocks are to be used again, by what is known of each and by how long
// it has been away; and from that, what a place in the cache is worth that such a block takes.
//
// Time is counted in newcomers (blocks that enter the cache), because lookups tell nothing. A block's
// *age* is how many came since it was last known to be in use. Ages are divided into *bins*, each
// longer than the one before by the same factor, up to four times what the cache holds. The first bin
// is the burst: a leaf is found a hundred times while its items are used, and that is one use.
//
// A block's *kind* is what is known of it when it comes, or is used again:
//
//   kind 0, 1       new, or away for so long that it is forgotten; not found, found, in its first burst
//   kinds from 2    used again: after an age of which octave; and whether the use before that was as
//                   close (to a factor of four), or farther, or there was none
//
// For each kind two counts are kept for each bin: blocks that were used again at that age, in the cache
// or as ghosts, and blocks that have been there long enough to have been. So what is learnt does not
// depend on what the cache kept. Old counts fade.
//
// The *worth* of a block of some kind and age is the best it can do for the place it takes: over all
// ages x up to which it could be kept, the most of
//
//   chance that it is used between now and x / how long it takes a place until then, on average
//
// (Gittins's index of the block as a one-armed bandit.) The block of least worth goes first. What
// other orders have rules for follows from it. Where blocks return soon or never, worth falls with
// age: LRU. In a loop larger than the cache all return after the same time, worth rises with age, and
// the youngest goes: most of the loop stays. Blocks that a walk needs once have no worth, and go first.
// Blocks that return once, and then not, lose it when they have returned. Where nothing is known, a
// prior says that every octave of age is as likely as every other, and that is LRU again.
//
// Thread safety: none; ReclaimList's lock guards it.

#ifndef EBCACHE_LIB_CACHE_REUSE_STATISTICS_H_
#define EBCACHE_LIB_CACHE_REUSE_STATISTICS_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace ebcache {

// What was chosen by measurement: docs/reclaim.md has what each is worth, and what the choice on some
// loads does to others. The defaults are the cache's; others are for bench/eviction.
struct ReuseConstants {
  // The burst, in newcomers: so many, but no more than one part of so many of a tiny cache; and one for
  // each so many blocks that are cached.
  uint32_t burst = 6;
  uint32_t burst_most_of = 16;
  uint32_t burst_grows_by = 32;
  // Bins to the octave; 1 to 4.
  uint32_t bins_per_octave = 4;
  // How many newcomers the counts remember: so many caches full, and at least so many.
  float memory = 2;
  float least_memory = 3000;
  // What is supposed of a kind before anything is known: the chance of a use in any octave, and how many
  // blocks' evidence that is worth.
  float prior = 0.05F;
  float prior_weight = 3;
  // Whether kinds tell how far the use before the last one was.
  bool two_uses = true;
};

class ReuseStatistics {
 public:
  static constexpr uint32_t kMostBins = 32;
  static constexpr uint32_t kOctaves = 8;
  static constexpr uint32_t kKinds = 2 + 2 * kOctaves;
  static constexpr uint32_t kNew = 0;         // kind of a block of which nothing is known
  static constexpr uint32_t kNewAndUsed = 1;  // and which was found in its first burst
  static constexpr uint32_t kUsedAgain = 2;   // and those above

  explicit ReuseStatistics(const ReuseConstants& constants = {});

  // For a cache of so many blocks. Counts are kept: they are in terms of its size.
  void SetCapacity(uint32_t blocks);

  uint32_t bins() const { return bins_; }
  uint32_t last_bin() const { return bins_ - 1; }
  // The age at which a block leaves a bin. REQUIRES: bin < last_bin(), which it does not leave.
  uint32_t end_of(uint32_t bin) const { return ends_[bin]; }
  // REQUIRES: the age is past the burst, or is taken as if it were.
  uint32_t BinOf(uint32_t age) const;
  // The bin in which a block that was used again begins, after its burst: shorter ages are not told
  // apart, so that a block in constant use is not looked at all the time.
  uint32_t first_bin_of_known() const { return first_bin_of_known_; }
  // The kind of a block of kind `before` that was used again in `bin`.
  uint32_t KindAfter(uint32_t before, uint32_t bin) const;

  // A block has become one of this kind.
  void CountEntry(uint32_t kind) { entries_[kind] += 1; }
  // A block that was counted as kNew is kNewAndUsed.
  void CountUseInBurst() {
    entries_[kNew] -= 1;
    entries_[kNewAndUsed] += 1;
  }
  void CountReuse(uint32_t kind, uint32_t bin) { kinds_[kind].reused[bin] += 1; }

  // A newcomer has come: every so often some kind's counts are brought up to date. That kind, whose
  // worth has changed; kKinds where none has. Bounded by bins * bins.
  uint32_t Tick();

  // In uses for each newcomer and place. REQUIRES: bin < bins().
  float Worth(uint32_t kind, uint32_t bin) const { return kinds_[kind].worth[bin]; }

 private:
  static constexpr uint32_t kEpochs = 128;  // that are remembered; a power of two

  struct Kind {
    std::array<float, kMostBins> reused{};
    std::array<float, kMostBins> could_be{};  // blocks that have been there for so long
    std::array<float, kMostBins> worth{};
  };

  float Length(uint32_t bin) const;
  void LayOutBins();
  void Update(uint32_t kind);
  void Assess(Kind& kind) const;

  const ReuseConstants constants_;
  uint32_t capacity_ = 0;
  uint32_t bins_ = 0;
  uint32_t first_bin_of_known_ = 1;
  std::array<uint32_t, kMostBins> ends_{};  // of bins, in newcomers; the last one's is a guess
  std::array<float, kMostBins> octaves_{};  // that the bins are long
  std::array<Kind, kKinds> kinds_{};

  // An epoch is a part of the capacity; blocks that entered are counted by it, so that they are set
  // against uses at an age only when they have reached it.
  uint32_t epoch_length_ = 1;
  uint32_t in_epoch_ = 0;  // newcomers
  uint32_t epoch_ = 0;
  float fading_ = 1;  // of counts, in an epoch
  std::array<float, kKinds> entries_{};  // since the kind was last brought up to date
  std::array<std::array<float, kKinds>, kEpochs> entered_{};
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_REUSE_STATISTICS_H_
