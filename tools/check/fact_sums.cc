#include "tools/check/fact_sums.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace ebcache::tools {

BucketSums::BucketSums(const HashKey& key, uint64_t bytes) : key_(key) {
  const uint64_t buckets = std::bit_floor(std::max<uint64_t>(kShards, bytes / kBytesOfBucket));
  shift_ = 64 - std::countr_zero(buckets);
  sums_.resize(buckets);
}

void BucketSums::Take(absl::Span<const HashedFact> facts, absl::Span<const KeptFact>) {
  // Each lock is taken once for all facts of its run of buckets.
  std::array<std::vector<uint32_t>, kShards> shards;
  const size_t of_a_shard = sums_.size() / kShards;
  for (size_t i = 0; i < facts.size(); ++i) {
    shards[BucketOf(facts[i].subject) / of_a_shard].push_back(static_cast<uint32_t>(i));
  }
  for (size_t shard = 0; shard < kShards; ++shard) {
    if (shards[shard].empty()) continue;
    const MutexLock lock(mutexes_[shard]);
    for (const uint32_t i : shards[shard]) {
      sums_[BucketOf(facts[i].subject)].Add(facts[i].hash, facts[i].times);
    }
  }
}

std::vector<size_t> BucketSums::Differing() const {
  std::vector<size_t> differing;
  for (size_t i = 0; i < sums_.size(); ++i) {
    if (!sums_[i].zero()) differing.push_back(i);
  }
  return differing;
}

FactRecords::FactRecords(const BucketSums& sums, const std::vector<size_t>& buckets, uint64_t most)
    : sums_(sums), most_(most), buckets_(buckets.size()), dropped_(buckets.size()) {
  for (size_t i = 0; i < buckets.size(); ++i) wanted_[buckets[i]] = i;
}

bool FactRecords::Wants(uint64_t subject) const {
  return wanted_.contains(sums_.BucketOf(subject));
}

void FactRecords::Take(absl::Span<const HashedFact> facts, absl::Span<const KeptFact> kept) {
  const MutexLock lock(mutex_);
  for (size_t i = 0; i < facts.size(); ++i) {
    const size_t index = wanted_.at(sums_.BucketOf(facts[i].subject));
    if (dropped_[index]) continue;
    Bucket& bucket = buckets_[index];
    const auto [at, fresh] = bucket.try_emplace(facts[i].hash, Record{kept[i], 0});
    records_ += fresh ? 1 : 0;
    at->second.times += facts[i].times;
    if (at->second.times == 0) {
      bucket.erase(at);
      --records_;
    }
    if (records_ <= most_) continue;
    dropped_[index] = true;
    ++given_up_;
    records_ -= bucket.size();
    Bucket().swap(bucket);
  }
}

void FactRecords::ForEachLeft(absl::FunctionRef<void(const KeptFact&, int64_t times)> tell) const {
  std::vector<const Record*> left;
  for (const Bucket& bucket : buckets_) {
    for (const auto& [hash, record] : bucket) left.push_back(&record);
  }
  std::sort(left.begin(), left.end(), [](const Record* a, const Record* b) {
    return std::tie(a->fact.subject, a->fact.type, a->fact.words, a->fact.name) <
           std::tie(b->fact.subject, b->fact.type, b->fact.words, b->fact.name);
  });
  for (const Record* const record : left) tell(record->fact, record->times);
}

void FactWriter::Add(const Fact& fact, int64_t times) {
  if (times == 0 || !sink_->Wants(fact.subject)) return;
  batch_->Add(fact);
  facts_.push_back({fact.subject, {}, times});
  if (sink_->keeps()) kept_.emplace_back(fact);
  if (facts_.size() >= kMost) Flush();
}

void FactWriter::Flush() {
  if (facts_.empty()) return;
  const absl::Span<const Sum> hashes = batch_->Finish();
  for (size_t i = 0; i < facts_.size(); ++i) facts_[i].hash = hashes[i];
  sink_->Take(facts_, kept_);
  facts_.clear();
  kept_.clear();
}

}  // namespace ebcache::tools
