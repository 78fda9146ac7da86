#include "tools/check/checker.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "ebcache/items.h"
#include "tools/check/devices.h"
#include "tools/check/fact_sums.h"
#include "tools/check/quotas.h"
#include "tools/check/roots.h"
#include "tools/check/space.h"
#include "tools/check/state.h"
#include "tools/check/tree_check.h"

namespace ebcache::tools {
namespace {

// How the memory that was granted is divided; the cache has one half.
constexpr uint64_t kSumsPart = 8;
constexpr uint64_t kMemoPart = 8;
constexpr uint64_t kRecordsPart = 8;
constexpr uint64_t kFilterPart = 64;
constexpr uint64_t kLeastSumBytes = uint64_t{64} << 10;
// More buckets than this make no check of a sound filesystem better.
constexpr uint64_t kMetadataBytesOfBucketByte = 16;

// Of chunks of metadata, as their block groups have it.
uint64_t MetadataBytes(CheckState& state, const SpaceTrees& trees) {
  uint64_t bytes = 0;
  for (const Chunk& chunk : state.filesystem.volume().chunks()) {
    if ((chunk.type & (kBlockGroupMetadata | kBlockGroupSystem)) == 0) continue;
    const Key key{chunk.logical, kBlockGroupItemType, chunk.length};
    ItemStream items(state, trees.block_groups, {key, key});
    if (!items.valid()) continue;
    const absl::StatusOr<BlockGroupItem> group = ParseItem<BlockGroupItem>(items.item().data());
    if (group.ok()) bytes += std::min(group->used, chunk.length);
  }
  return bytes;
}

class Checker {
 public:
  Checker(Filesystem& filesystem, const CheckOptions& options, Progress& progress,
          CheckReport& report)
      : options_(options),
        report_(report),
        lost_(filesystem.volume()),
        meter_(progress, 0),
        key_(HashKey::Draw()),
        state_{.filesystem = filesystem,
               .superblock = filesystem.superblock(),
               .key = key_,
               .threads = std::max<uint32_t>(1, options.threads),
               .findings = *report.findings,
               .lost = lost_,
               .meter = meter_,
               .full_backrefs = SharedBlockSet(filesystem.superblock().node_bytes),
               .shared = SharedBlockSet(filesystem.superblock().node_bytes),
               .without_checksums = AddressFilter(key_, options.memory_bytes / kFilterPart),
               .charges_mutex = {},
               .charges = {},
               .charge_since = {}} {}

  void Run();

 private:
  void CheckAllSpace(FactSink& sink, SpaceWork work);
  void CheckAllTrees(FactSink& sink, TreeWork work);
  void Explain(const BucketSums& sums, const std::vector<size_t>& buckets);
  void TellLost();

  const CheckOptions& options_;
  CheckReport& report_;
  LostLog lost_;
  Meter meter_;
  const HashKey key_;
  CheckState state_;
  SpaceTrees trees_;
  std::vector<TreeRoot> roots_;
};

void Checker::CheckAllSpace(FactSink& sink, SpaceWork work) {
  const std::vector<SpaceRange> ranges = SpaceRanges(state_.filesystem.volume());
  std::vector<uint64_t> used(ranges.size());
  ForEachTask(state_.threads, ranges.size(),
              [&](size_t i) { used[i] = CheckSpace(state_, trees_, ranges[i], work, sink); });
  if (work != SpaceWork::kEverything) return;
  for (const uint64_t bytes : used) report_.allocated_bytes += bytes;
  if (!trees_.extents || state_.superblock.bytes_used == report_.allocated_bytes) return;
  state_.findings.Add({FindingKind::kSuperblockBytesUsed,
                       {},
                       {},
                       {},
                       absl::StrCat(state_.superblock.bytes_used),
                       absl::StrCat(report_.allocated_bytes)});
}

void Checker::CheckAllTrees(FactSink& sink, TreeWork work) {
  TreeCheck check(state_, trees_, sink, work, options_.memory_bytes / kMemoPart);
  for (const TreeRoot& root : roots_) {
    if (root.id == kTreeLogId) {
      if (work == TreeWork::kEverything) CheckLogTree(state_, trees_, root);
    } else {
      check.Check(root);
    }
  }
  if (work == TreeWork::kEverything) report_.blocks = check.blocks();
}

// Facts of one subject that were made and not recorded, or the other way round.
class Differences {
 public:
  explicit Differences(FindingLog& findings) : findings_(findings) {}

  void Take(const KeptFact& fact, int64_t times) {
    if (fact.subject != subject_) Finish();
    subject_ = fact.subject;
    if (fact.type == FactType::kBlock) {
      (times > 0 ? made_ : recorded_) = fact.ToString();
      return;
    }
    ++references_;
    const bool made = times > 0;
    Finding finding{made ? FindingKind::kReferenceMissing : FindingKind::kReferenceSurplus,
                    kExtentTreeId,
                    {},
                    fact.subject,
                    made ? "" : fact.ToString(),
                    made ? fact.ToString() : ""};
    if (times > 1) absl::StrAppend(&finding.expected, ", ", times, " times");
    if (times < -1) absl::StrAppend(&finding.found, ", ", -times, " times");
    findings_.Add(std::move(finding));
  }
  void Finish() {
    const bool differs = !made_.empty() && !recorded_.empty();
    const bool alone = references_ == 0 && (!made_.empty() || !recorded_.empty());
    if (differs || alone) {
      findings_.Add({FindingKind::kBlockRecord, kExtentTreeId, {}, subject_, recorded_, made_});
    }
    made_.clear();
    recorded_.clear();
    references_ = 0;
  }

 private:
  FindingLog& findings_;
  uint64_t subject_ = 0;
  std::string made_;
  std::string recorded_;
  uint64_t references_ = 0;
};

void Checker::Explain(const BucketSums& sums, const std::vector<size_t>& buckets) {
  FactRecords records(sums, buckets,
                      options_.memory_bytes / kRecordsPart / FactRecords::kBytesOfRecord);
  CheckAllSpace(records, SpaceWork::kFactsAlone);
  CheckAllTrees(records, TreeWork::kFactsAlone);
  Differences differences(*report_.findings);
  records.ForEachLeft([&](const KeptFact& fact, int64_t times) { differences.Take(fact, times); });
  differences.Finish();
  if (records.buckets_given_up() == 0) return;
  report_.findings->AddCount(FindingKind::kReferenceBucket, records.buckets_given_up());
  report_.notices.push_back(absl::StrCat(records.buckets_given_up(), " of ", buckets.size(),
                                         " buckets whose references differ were not gone through: ",
                                         "a larger --memory-mib has room for more"));
}

void Checker::TellLost() {
  for (const BlockDamage& block : lost_.lost().kept(Cause::kDamage)) {
    report_.findings->Add({FindingKind::kBlockLost,
                           block.tree,
                           {},
                           block.logical,
                           absl::StrCat("level ", block.level, ": ", block.reason),
                           ""});
  }
  const uint64_t more =
      lost_.lost().count(Cause::kDamage) - lost_.lost().kept(Cause::kDamage).size();
  report_.findings->AddCount(FindingKind::kBlockLost, more);
  report_.lost = lost_.lost();
}

void Checker::Run() {
  for (const WalkDamage& damage : state_.filesystem.open_damage()) lost_.Note(damage);
  std::vector<WalkDamage> early;
  roots_ = state_.filesystem.Trees(&early);
  for (const WalkDamage& damage : early) lost_.Note(damage);
  report_.trees = roots_.size();
  trees_ = FindSpaceTrees(state_);
  const uint64_t metadata = MetadataBytes(state_, trees_);
  meter_.Grow(metadata);
  state_.charge_since = SimpleQuotasSince(state_);

  BucketSums sums(state_.key,
                  std::max(kLeastSumBytes, std::min(options_.memory_bytes / kSumsPart,
                                                    metadata / kMetadataBytesOfBucketByte)));
  CheckAllSpace(sums, SpaceWork::kEverything);
  CheckStrayBlockGroups(state_, trees_);
  CheckAllTrees(sums, TreeWork::kEverything);
  const std::vector<size_t> differing = sums.Differing();
  report_.buckets = sums.buckets();
  report_.differing_buckets = differing.size();
  if (!differing.empty()) Explain(sums, differing);

  CheckDevices(state_);
  CheckRoots(state_);
  CheckQuotas(state_, roots_, options_.memory_bytes / kRecordsPart, report_.notices);
  TellLost();
}

}  // namespace

CheckReport CheckFilesystem(Filesystem& filesystem, const CheckOptions& options,
                            Progress& progress) {
  CheckReport report;
  report.findings = std::make_unique<FindingLog>(options.most_findings);
  Checker(filesystem, options, progress, report).Run();
  progress.Clear();
  report.elapsed_s = progress.elapsed_s();
  return report;
}

}  // namespace ebcache::tools
