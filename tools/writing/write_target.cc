#include "tools/writing/write_target.h"

#include <absl/strings/str_cat.h>

#include <optional>
#include <utility>

#include "ebcache/device_use.h"
#include "tools/verify/scrub.h"
#include "tools/writing/borrowed_device.h"

namespace ebcache::tools {
namespace {

constexpr size_t kMostLines = 100;

template <typename Device>
std::vector<std::unique_ptr<BlockDevice>> Borrow(
    const std::vector<std::unique_ptr<Device>>& devices) {
  std::vector<std::unique_ptr<BlockDevice>> borrowed;
  for (const auto& device : devices) {
    borrowed.push_back(std::make_unique<BorrowedDevice>(device.get()));
  }
  return borrowed;
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

absl::StatusOr<std::unique_ptr<WriteTarget>> WriteTarget::OpenDevices(
    const std::vector<std::string>& paths, uint64_t cache_bytes) {
  std::unique_ptr<WriteTarget> target(new WriteTarget(cache_bytes));
  FilesystemOptions options;
  options.cache.budget_bytes = cache_bytes;
  options.on_damage = [log = target->copies_.get()](const MirrorDamage& copy) { log->Note(copy); };
  options.writable = true;
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      Filesystem::Open(paths, std::move(options));
  if (!filesystem.ok()) return filesystem.status();
  target->filesystem_ = *std::move(filesystem);
  return target;
}

absl::StatusOr<std::unique_ptr<WriteTarget>> WriteTarget::OpenPreview(
    const std::vector<std::string>& paths, const std::string& kept_in, uint64_t cache_bytes) {
  if (absl::Status unused = CheckUnused(paths); !unused.ok()) return unused;
  std::unique_ptr<WriteTarget> target(new WriteTarget(cache_bytes));
  for (const std::string& path : paths) {
    absl::StatusOr<std::unique_ptr<BlockDevice>> device = OpenFileDevice(path);
    if (!device.ok()) return device.status();
    target->devices_.push_back(*std::move(device));
    const size_t number = target->devices_.size();
    const std::string file =
        kept_in.empty() || number == 1 ? kept_in : absl::StrCat(kept_in, ".", number);
    absl::StatusOr<std::unique_ptr<OverlayDevice>> overlay =
        OverlayDevice::Create(target->devices_.back().get(), file);
    if (!overlay.ok()) return overlay.status();
    target->overlays_.push_back(*std::move(overlay));
  }
  if (absl::Status status = target->OpenOverlays(); !status.ok()) return status;
  return target;
}

absl::Status WriteTarget::OpenOverlays() {
  FilesystemOptions options;
  options.cache.budget_bytes = cache_bytes_;
  options.on_damage = [log = copies_.get()](const MirrorDamage& copy) { log->Note(copy); };
  options.writable = true;
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      Filesystem::OpenDevices(Borrow(overlays_), std::move(options));
  if (!filesystem.ok()) return filesystem.status();
  filesystem_ = *std::move(filesystem);
  return absl::OkStatus();
}

absl::StatusOr<PreviewCheck> WriteTarget::Check(Progress& progress) {
  filesystem_.reset();  // what is read is what was written, and not what its cache has
  LostCopies lost;
  FilesystemOptions options;
  options.cache.budget_bytes = cache_bytes_;
  options.on_damage = [&lost](const MirrorDamage& copy) { lost.Note(copy); };
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem =
      Filesystem::OpenDevices(Borrow(overlays_), std::move(options));
  if (!filesystem.ok()) return filesystem.status();
  const ScrubReport report = Scrub(**filesystem, lost, progress);
  PreviewCheck check{
      .blocks = report.blocks,
      .copies = report.totals.read,
      .damaged_copies = report.totals.damaged,
      .lost_blocks = report.lost_count(),
      .damaged_superblocks = report.superblocks.size(),
      .not_read = report.totals.missing + report.totals.no_memory + report.lost.unread_count()};
  for (const auto& overlay : overlays_) {
    check.changed_bytes += overlay->changed_blocks() * OverlayDevice::kBlockBytes;
  }
  return check;
}

}  // namespace ebcache::tools
