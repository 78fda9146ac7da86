#include "tools/writing/write_target.h"

#include <absl/strings/str_cat.h>

#include <memory>
#include <optional>
#include <utility>

#include "ebcache/allocators.h"
#include "ebcache/device_use.h"
#include "tools/verify/scrub.h"

namespace ebcache::tools {
namespace {

constexpr size_t kMostLines = 100;

// Pages that a block fits into, from one arena: in one piece, touched by huge pages, and made by one thread
// and freed by another without going back to the OS in between.
std::shared_ptr<PageAllocator> AllocatorForWriting(uint32_t node_bytes) {
  const size_t page_bytes = node_bytes <= 4096 ? 4096 : node_bytes <= 16384 ? 16384 : 65536;
  return Order0Allocator({.page_bytes = page_bytes});
}

}  // namespace

void CopyLog::Note(const MirrorDamage& damage) {
  if (damage.device_missing) return;
  const MutexLock lock(mutex_);
  ++count_;
  if (!damage.repaired) ++bad_;
  if (lines_.size() >= kMostLines) return;
  lines_.push_back(absl::StrCat("block ", damage.logical, ", ", damage.ToString(),
                                damage.repaired ? "; a good copy was written over it" : ""));
}

void CopyLog::Complain(const Command& command) const {
  const MutexLock lock(mutex_);
  for (const std::string& line : lines_) command.Complain(line);
  if (count_ > lines_.size()) {
    command.Complain(absl::StrCat("... and ", count_ - lines_.size(), " more copies"));
  }
}

uint64_t CopyLog::bad() const {
  const MutexLock lock(mutex_);
  return bad_;
}

absl::Status CheckUnused(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    const std::optional<std::string> use = FindDeviceUse(path);
    if (use) return absl::UnavailableError(absl::StrCat(path, " ", *use));
  }
  return absl::OkStatus();
}

FilesystemOptions WriteTarget::Options() {
  FilesystemOptions options;
  options.cache.budget_bytes = cache_bytes_;
  options.make_allocator = AllocatorForWriting;
  options.on_damage = [log = copies_.get()](const MirrorDamage& copy) { log->Note(copy); };
  options.writable = true;
  return options;
}

absl::StatusOr<std::unique_ptr<WriteTarget>> WriteTarget::OpenDevices(
    const std::vector<std::string>& paths, uint64_t cache_bytes) {
  std::unique_ptr<WriteTarget> target(new WriteTarget(cache_bytes));
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      Filesystem::Open(paths, target->Options());
  if (!filesystem.ok()) return filesystem.status();
  target->filesystem_ = *std::move(filesystem);
  return target;
}

absl::StatusOr<std::unique_ptr<WriteTarget>> WriteTarget::OpenPreview(
    const std::vector<std::string>& paths, const std::string& kept_in, uint64_t cache_bytes) {
  std::unique_ptr<WriteTarget> target(new WriteTarget(cache_bytes));
  absl::StatusOr<std::unique_ptr<Preview>> preview =
      Preview::Open(paths, {.file = kept_in, .applicable = false});
  if (!preview.ok()) return preview.status();
  target->preview_ = *std::move(preview);
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      target->preview_->OpenFilesystem(target->Options());
  if (!filesystem.ok()) return filesystem.status();
  target->filesystem_ = *std::move(filesystem);
  return target;
}

absl::StatusOr<PreviewCheck> WriteTarget::Check(Progress& progress) {
  filesystem_.reset();  // its memory; and what is read is what was written
  LostCopies lost;
  FilesystemOptions options;
  options.cache.budget_bytes = cache_bytes_;
  options.on_damage = [&lost](const MirrorDamage& copy) { lost.Note(copy); };
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      preview_->OpenFilesystem(std::move(options));
  if (!filesystem.ok()) return filesystem.status();
  const ScrubReport report = Scrub(**filesystem, lost, progress);
  return PreviewCheck{
      .blocks = report.blocks,
      .copies = report.totals.read,
      .damaged_copies = report.totals.damaged,
      .lost_blocks = report.lost_count(),
      .damaged_superblocks = report.superblocks.size(),
      .not_read = report.totals.missing + report.totals.no_memory + report.lost.unread_count(),
      .changed_bytes = preview_->changed_bytes()};
}

}  // namespace ebcache::tools
