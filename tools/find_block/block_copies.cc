#include "tools/find_block/block_copies.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "ebcache/block_device.h"

namespace ebcache::tools {
namespace {

BlockFacts FactsOf(const ExtentBuffer& block) {
  const Header header(block);
  BlockFacts facts{.owner = header.owner(),
                   .generation = header.generation(),
                   .level = header.level(),
                   .items = header.item_count(),
                   .first_key = {}};
  if (facts.items > 0) facts.first_key = LoadKey(block, kHeaderBytes);
  return facts;
}

// The block's address stands in the report already.
std::string WithoutAddress(const absl::Status& status, uint64_t logical) {
  std::string reason(status.message());
  const std::string prefix = absl::StrCat("block ", logical, ": ");
  if (reason.rfind(prefix, 0) == 0) reason.erase(0, prefix.size());
  return reason;
}

BlockCopy CopyAt(const PhysicalExtent& extent, int mirror) {
  return {.mirror = mirror,
          .place = extent.place,
          .device = extent.DeviceName(),
          .reason = {},
          .facts = {}};
}

}  // namespace

const char* BlockCopyStateName(BlockCopy::State state) {
  switch (state) {
    case BlockCopy::State::kGood:
      return "good";
    case BlockCopy::State::kBad:
      return "bad";
    case BlockCopy::State::kUnreadable:
      return "unreadable";
    case BlockCopy::State::kNoMemory:
      return "no memory";
    case BlockCopy::State::kData:
      return "data";
    case BlockCopy::State::kMissing:
      break;
  }
  return "missing";
}

CopyReader::CopyReader(Volume& volume)
    : volume_(volume),
      buffers_({.node_bytes = volume.superblock().node_bytes, .budget_bytes = 0}) {}

absl::StatusOr<std::vector<BlockCopy>> CopyReader::Read(uint64_t logical,
                                                        const ParentCheck* check) {
  absl::StatusOr<std::vector<PhysicalExtent>> places = volume_.Map(logical, buffers_.node_bytes());
  if (!places.ok()) return places.status();
  std::vector<BlockCopy> copies;
  for (const PhysicalExtent& place : *places) {
    copies.push_back(CopyAt(place, static_cast<int>(copies.size()) + 1));
    if (place.device != nullptr) ReadCopy(logical, check, copies.back());
  }
  return copies;
}

absl::StatusOr<std::vector<BlockCopy>> CopyReader::Locate(uint64_t logical) {
  absl::StatusOr<std::vector<PhysicalExtent>> places = volume_.Map(logical, 1);
  if (!places.ok()) return places.status();
  std::vector<BlockCopy> copies;
  for (const PhysicalExtent& place : *places) {
    copies.push_back(CopyAt(place, static_cast<int>(copies.size()) + 1));
    if (place.device != nullptr) copies.back().state = BlockCopy::State::kData;
  }
  return copies;
}

void CopyReader::ReadCopy(uint64_t logical, const ParentCheck* check, BlockCopy& copy) {
  const absl::StatusOr<ExtentBufferRef> buffer = buffers_.CreateDummy(logical);
  const absl::Status status =
      buffer.ok() ? volume_.ReadCopy(**buffer, copy.mirror, check) : buffer.status();
  if (status.ok()) {
    copy.state = BlockCopy::State::kGood;
    copy.facts = FactsOf(**buffer);
    return;
  }
  copy.reason = WithoutAddress(status, logical);
  copy.state = absl::IsResourceExhausted(status) ? BlockCopy::State::kNoMemory
               : absl::IsDataLoss(status)        ? BlockCopy::State::kBad
                                                 : BlockCopy::State::kUnreadable;
}

std::optional<uint64_t> CopyReader::FindStart(uint64_t logical) {
  // Blocks begin where sectors do, and need no alignment to their own size.
  const uint64_t sector_bytes = volume_.superblock().sector_bytes;
  for (uint64_t start = logical - logical % sector_bytes; logical - start < buffers_.node_bytes();
       start -= sector_bytes) {
    const absl::StatusOr<std::vector<BlockCopy>> copies = Read(start, nullptr);
    const bool good = copies.ok() && std::any_of(copies->begin(), copies->end(), [](const auto& c) {
                        return c.state == BlockCopy::State::kGood;
                      });
    if (good) return start;
    if (start < sector_bytes) break;
  }
  return std::nullopt;
}

}  // namespace ebcache::tools
