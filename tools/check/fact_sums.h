// Sums of facts in buckets, and, where sums differ, the facts themselves.
//
// One round adds each fact of both sides to the sum of its bucket: a fact that is made counts 1, one that
// is recorded -1 (or as often as a count says). What is left tells which buckets differ; a second
// round keeps the facts of these alone, and what does not cancel there is what differs.
//
// Thread safety: all methods of the two sinks, from any thread; a FactWriter belongs to one.

#ifndef EBCACHE_TOOLS_CHECK_FACT_SUMS_H_
#define EBCACHE_TOOLS_CHECK_FACT_SUMS_H_

#include <absl/container/flat_hash_map.h>
#include <absl/functional/function_ref.h>
#include <absl/types/span.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tools/check/fact.h"
#include "tools/check/keyed_hash.h"
#include "tools/mutex.h"

namespace ebcache::tools {

// A fact as a sink takes it. `fact` is valid during the call only.
struct HashedFact {
  uint64_t subject;
  Sum hash;
  int64_t times;
};

class FactSink {
 public:
  virtual ~FactSink() = default;
  // Whether the sink wants facts of this subject at all.
  virtual bool Wants(uint64_t subject) const = 0;
  virtual void Take(absl::Span<const HashedFact> facts, absl::Span<const KeptFact> kept) = 0;
  // Whether Take needs `kept`.
  virtual bool keeps() const = 0;
};

// The first round.
class BucketSums : public FactSink {
 public:
  static constexpr size_t kBytesOfBucket = sizeof(Sum);
  // `bytes` are taken for the buckets: the largest power of two that fits, at least one.
  BucketSums(const HashKey& key, uint64_t bytes);

  bool Wants(uint64_t) const override { return true; }
  bool keeps() const override { return false; }
  void Take(absl::Span<const HashedFact> facts, absl::Span<const KeptFact> kept) override;

  uint64_t buckets() const { return sums_.size(); }
  size_t BucketOf(uint64_t subject) const { return key_.Scatter(subject) >> shift_; }
  // Whose sums are not zero, ascending.
  std::vector<size_t> Differing() const;

 private:
  static constexpr size_t kShards = 64;
  const HashKey key_;
  int shift_ = 63;
  std::array<Mutex, kShards> mutexes_;  // each for a run of buckets
  std::vector<Sum> sums_;
};

// The second round.
class FactRecords : public FactSink {
 public:
  static constexpr uint64_t kBytesOfRecord = 192;
  // Of these buckets of `sums`, which must outlive it. No more than `most` facts are kept at a time:
  // whole buckets are given up where there are more.
  FactRecords(const BucketSums& sums, const std::vector<size_t>& buckets, uint64_t most);

  bool Wants(uint64_t subject) const override;
  bool keeps() const override { return true; }
  void Take(absl::Span<const HashedFact> facts, absl::Span<const KeptFact> kept) override;

  // What is left: the fact, and how many times more it was made than recorded (below zero: less).
  void ForEachLeft(absl::FunctionRef<void(const KeptFact&, int64_t times)> tell) const;
  uint64_t buckets_given_up() const { return given_up_; }

 private:
  struct Record {
    KeptFact fact;
    int64_t times;
  };
  struct HashOfSum {
    size_t operator()(Sum sum) const { return static_cast<size_t>(sum.value); }
  };
  using Bucket = absl::flat_hash_map<Sum, Record, HashOfSum>;

  const BucketSums& sums_;
  const uint64_t most_;
  // Which buckets are wanted: constant after construction.
  absl::flat_hash_map<size_t, size_t> wanted_;
  Mutex mutex_;
  std::vector<Bucket> buckets_;
  std::vector<bool> dropped_;
  uint64_t records_ = 0;
  uint64_t given_up_ = 0;
};

// Hands facts to a sink, hashed, many at a time.
class FactWriter {
 public:
  FactWriter(FactSink* sink, std::unique_ptr<HashBatch> batch)
      : sink_(sink), batch_(std::move(batch)) {}
  ~FactWriter() { Flush(); }
  FactWriter(const FactWriter&) = delete;
  FactWriter& operator=(const FactWriter&) = delete;

  void Add(const Fact& fact, int64_t times);
  void Flush();

 private:
  static constexpr size_t kMost = 512;
  FactSink* const sink_;
  std::unique_ptr<HashBatch> batch_;
  std::vector<HashedFact> facts_;
  std::vector<KeptFact> kept_;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_FACT_SUMS_H_
