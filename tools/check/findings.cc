#include "tools/check/findings.h"

#include <absl/strings/str_cat.h>

#include <numeric>
#include <utility>

#include "ebcache/on_disk.h"

namespace ebcache::tools {
namespace {

constexpr std::array<std::string_view, kFindingKinds> kNames = {
    "block-lost",
    "block-misplaced",
    "reference-missing",
    "reference-surplus",
    "reference-count",
    "reference-bucket",
    "extent-generation",
    "block-record",
    "extent-overlap",
    "extent-outside-chunk",
    "extent-type",
    "block-group-used",
    "block-group-missing",
    "block-group-surplus",
    "block-group-flags",
    "superblock-bytes-used",
    "free-space-wrong",
    "free-space-info",
    "checksum-missing",
    "checksum-orphan",
    "checksum-overlap",
    "checksum-unwanted",
    "device-extent-missing",
    "device-extent-surplus",
    "device-extent-overlap",
    "device-bytes-used",
    "device-item",
    "superblock-devices",
    "system-chunk",
    "inode-missing",
    "inode-link-count",
    "inode-bytes",
    "directory-size",
    "inode-kind",
    "inode-items",
    "inode-generation",
    "orphan-missing",
    "file-extent-overlap",
    "file-extent-gap",
    "file-extent-place",
    "file-extent-generation",
    "entry-without-index",
    "index-without-entry",
    "entry-without-name",
    "name-without-entry",
    "root-ref-missing",
    "root-backref-missing",
    "root-ref-entry",
    "root-ref-count",
    "root-orphan-missing",
    "root-directory",
    "uuid-missing",
    "uuid-stale",
    "log-block-in-use",
    "quota-count",
};

}  // namespace

std::string_view FindingKindName(FindingKind kind) { return kNames[static_cast<size_t>(kind)]; }

std::string Finding::ToString() const {
  std::string text(FindingKindName(kind));
  absl::string_view separator = ": ";
  const auto add = [&](const std::string& part) {
    absl::StrAppend(&text, separator, part);
    separator = ", ";
  };
  if (tree) add(absl::StrCat("tree ", TreeName(*tree)));
  if (key) add(absl::StrCat("key ", key->ToString()));
  if (address) add(absl::StrCat("address ", *address));
  separator = ": ";
  add(found.empty() ? "nothing" : found);
  if (!expected.empty()) absl::StrAppend(&text, ", should be ", expected);
  return text;
}

void FindingLog::Add(Finding finding) {
  const MutexLock lock(mutex_);
  const size_t kind = static_cast<size_t>(finding.kind);
  ++counts_[kind];
  if (kept_[kind].size() < most_) kept_[kind].push_back(std::move(finding));
}

void FindingLog::AddCount(FindingKind kind, uint64_t more) {
  const MutexLock lock(mutex_);
  counts_[static_cast<size_t>(kind)] += more;
}

uint64_t FindingLog::total() const {
  const MutexLock lock(mutex_);
  return std::accumulate(counts_.begin(), counts_.end(), uint64_t{0});
}

}  // namespace ebcache::tools
