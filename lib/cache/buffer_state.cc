#include "lib/cache/buffer_state.h"

#include <string>
#include <string_view>
#include <utility>

namespace ebcache {

std::string BufferState::ToString() const {
  static constexpr std::pair<BufferFlag, std::string_view> kNames[] = {
      {BufferFlag::kUptodate, "UPTODATE"},   {BufferFlag::kDirty, "DIRTY"},
      {BufferFlag::kWriteback, "WRITEBACK"}, {BufferFlag::kTreeRef, "TREE_REF"},
      {BufferFlag::kStale, "STALE"},         {BufferFlag::kUnmapped, "UNMAPPED"},
      {BufferFlag::kWriteErr, "WRITE_ERR"},  {BufferFlag::kZonedZeroout, "ZONED_ZEROOUT"},
      {BufferFlag::kReading, "READING"},     {BufferFlag::kMigrating, "MIGRATING"},
      {BufferFlag::kAccessed, "ACCESSED"},   {BufferFlag::kParked, "PARKED"},
  };
  std::string text = "refs " + std::to_string(refs);
  char separator = ' ';
  for (const auto& [flag, name] : kNames) {
    if (!has(flag)) continue;
    text += separator;
    text += name;
    separator = '|';
  }
  return text;
}

std::string_view ReleaseVerdictName(ReleaseVerdict verdict) {
  switch (verdict) {
    case ReleaseVerdict::kEligible:
      return "eligible";
    case ReleaseVerdict::kDead:
      return "dead";
    case ReleaseVerdict::kUnmapped:
      return "unmapped";
    case ReleaseVerdict::kMigrating:
      return "migrating";
    case ReleaseVerdict::kReading:
      return "reading";
    case ReleaseVerdict::kWriteback:
      return "writeback";
    case ReleaseVerdict::kDirty:
      return "dirty";
    case ReleaseVerdict::kInUse:
      return "in use";
    case ReleaseVerdict::kNoTreeRef:
      return "no tree reference";
  }
  return "unknown";
}

}  // namespace ebcache
