#include "tools/find_block/block_report.h"

#include <absl/status/status.h>
#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace ebcache::tools {
namespace {

std::optional<Chunk> ChunkAt(const Volume& volume, uint64_t logical) {
  for (const Chunk& chunk : volume.chunks()) {
    if (logical >= chunk.logical && logical - chunk.logical < chunk.length) return chunk;
  }
  return std::nullopt;
}

bool HasTreeBlocks(const Chunk& chunk) {
  return (chunk.type & (kBlockGroupMetadata | kBlockGroupSystem)) != 0;
}

void SetCopies(BlockReport& report, absl::StatusOr<std::vector<BlockCopy>> copies) {
  report.facts.reset();
  if (!copies.ok()) {
    report.no_copies = std::string(copies.status().message());
    return;
  }
  report.copies = *std::move(copies);
  const auto good = std::find_if(report.copies.begin(), report.copies.end(),
                                 [](const BlockCopy& copy) { return copy.facts.has_value(); });
  if (good != report.copies.end()) report.facts = good->facts;
}

BlockReport::Verdict Judge(const BlockReport& report) {
  if (!report.search.path) {
    return report.search.complete() ? BlockReport::Verdict::kNotInUse
                                    : BlockReport::Verdict::kCannotTell;
  }
  const auto any = [&](BlockCopy::State state) {
    return std::any_of(report.copies.begin(), report.copies.end(),
                       [&](const BlockCopy& copy) { return copy.state == state; });
  };
  if (any(BlockCopy::State::kBad) || any(BlockCopy::State::kUnreadable) || report.copies.empty()) {
    return BlockReport::Verdict::kDamaged;
  }
  if (any(BlockCopy::State::kNoMemory)) return BlockReport::Verdict::kCannotTell;
  return report.facts ? BlockReport::Verdict::kInUse : BlockReport::Verdict::kCannotTell;
}

// Groups of stripes that take turns; the stripes of a group hold the same bytes.
uint64_t StripeGroups(const Chunk& chunk) {
  const bool striped =
      chunk.profile == RaidProfile::kRaid0 || chunk.profile == RaidProfile::kRaid10;
  return striped ? chunk.stripes.size() / static_cast<uint64_t>(chunk.copies()) : 1;
}

// What lies `offset` bytes into stripe number `stripe`, as an offset in the chunk.
// REQUIRES: the stripe is that long.
uint64_t OffsetInChunk(const Chunk& chunk, size_t stripe, uint64_t offset) {
  const uint64_t groups = StripeGroups(chunk);
  if (groups == 1) return offset;
  const uint64_t group = stripe / static_cast<uint64_t>(chunk.copies());
  const uint64_t element = offset / chunk.stripe_bytes * groups + group;
  return element * chunk.stripe_bytes + offset % chunk.stripe_bytes;
}

}  // namespace

const char* BlockVerdictName(BlockReport::Verdict verdict) {
  switch (verdict) {
    case BlockReport::Verdict::kInUse:
      return "in use";
    case BlockReport::Verdict::kDamaged:
      return "damaged";
    case BlockReport::Verdict::kNotInUse:
      return "not in use";
    case BlockReport::Verdict::kCannotTell:
      break;
  }
  return "cannot tell";
}

BlockReport InvestigateBlock(Filesystem& filesystem, uint64_t logical, Progress& progress) {
  const Volume& volume = filesystem.volume();
  BlockReport report{.asked = logical,
                     .logical = logical,
                     .node_bytes = filesystem.superblock().node_bytes,
                     .chunk = ChunkAt(volume, logical)};
  CopyReader reader(filesystem.volume());
  if (report.chunk && !HasTreeBlocks(*report.chunk)) {
    SetCopies(report, reader.Locate(logical));
    return report;
  }
  if (const std::optional<uint64_t> start = reader.FindStart(logical)) report.logical = *start;
  SetCopies(report, reader.Read(report.logical, nullptr));
  report.search =
      FindBlockPath(filesystem, report.logical, report.facts ? &*report.facts : nullptr, progress);
  if (report.search.path) {
    // What leads there knows better where the block begins, and what is to be expected of it.
    report.logical = report.search.path->steps.back().logical;
    SetCopies(report, reader.Read(report.logical, &report.search.path->expected));
  }
  report.verdict = Judge(report);
  return report;
}

absl::StatusOr<uint64_t> LogicalAddress(const Volume& volume, DevicePlace place) {
  bool known = false;
  for (const Chunk& chunk : volume.chunks()) {
    for (size_t stripe = 0; stripe < chunk.stripes.size(); ++stripe) {
      const ChunkStripe& begin = chunk.stripes[stripe];
      if (begin.device_id != place.device_id) continue;
      known = true;
      if (place.offset < begin.physical) continue;
      const uint64_t offset = place.offset - begin.physical;
      if (offset >= chunk.length / StripeGroups(chunk)) continue;
      if (chunk.profile == RaidProfile::kRaid5 || chunk.profile == RaidProfile::kRaid6) {
        return absl::UnimplementedError("chunks of raid5 and raid6 cannot be read yet");
      }
      return chunk.logical + OffsetInChunk(chunk, stripe, offset);
    }
  }
  // That says nothing of any block: more likely the number is wrong.
  if (!known) {
    return absl::InvalidArgumentError(
        absl::StrCat("no chunk is on a device of the number ", place.device_id));
  }
  return absl::NotFoundError(
      absl::StrCat("offset ", place.offset, " of device ", place.device_id, " is in no chunk"));
}

std::string ChunkTypeName(const Chunk& chunk) {
  std::string name;
  const auto add = [&](uint64_t bit, absl::string_view word) {
    if ((chunk.type & bit) != 0) absl::StrAppend(&name, word, "|");
  };
  add(kBlockGroupData, "DATA");
  add(kBlockGroupSystem, "SYSTEM");
  add(kBlockGroupMetadata, "METADATA");
  const std::string_view profile = RaidProfileName(chunk.profile);
  absl::StrAppend(&name, absl::AsciiStrToUpper(absl::string_view(profile.data(), profile.size())));
  return name;
}

}  // namespace ebcache::tools
