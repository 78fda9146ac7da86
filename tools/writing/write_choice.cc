#include "tools/writing/write_choice.h"

#include <absl/strings/str_cat.h>
#include <sys/stat.h>

#include <utility>

#include "ebcache/on_disk.h"
#include "tools/writing/question.h"

namespace ebcache::tools {
void WriteChoice::AddOptions(Command& command) {
  command.AddFlag("preview", "change a copy in memory, say what changed, and throw it away",
                  &preview);
  command.AddText("preview-file", "the same, with what changes in a new file, which is removed",
                  &preview_file);
  command.AddFlag("yes", "go on without asking", &yes);
  command.AddNumber("cache-mib", "budget of the cache in MiB (default 64)", 1 << 20, &cache_mib);
}

void WriteChoice::AddUndo(Command& command) {
  command.AddText("undo", "keep a way back in a new file there, for ebcache undo", &undo_file);
}

std::optional<std::string> WriteChoice::UsageProblem() const {
  if (undo_file.empty() || !wants_preview()) return std::nullopt;
  return "--undo is for what is written, and a preview writes nothing";
}

std::optional<WayBack> WriteChoice::way_back(const std::vector<std::string>& paths) const {
  if (undo_file.empty()) return std::nullopt;
  return WayBack{.undo_file = undo_file, .devices = paths};
}

// Before anything is asked. The session finds the same for certain.
absl::Status WriteChoice::CheckUndoFile() const {
  struct stat info;
  if (undo_file.empty() || lstat(undo_file.c_str(), &info) != 0) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(
      undo_file, ": is there already: an undo file is a new one; ebcache undo goes back by it"));
}

absl::StatusOr<std::unique_ptr<WriteTarget>> WriteChoice::Open(
    const std::vector<std::string>& paths,
    absl::FunctionRef<absl::StatusOr<std::string>(Filesystem&)> plan) const {
  if (absl::Status status = CheckUndoFile(); !status.ok()) return status;
  if (wants_preview()) return WriteTarget::OpenPreview(paths, preview_file, cache_bytes());
  if (yes) return WriteTarget::OpenDevices(paths, cache_bytes());
  Superblock asked_about;
  {
    if (absl::Status unused = CheckUnused(paths); !unused.ok()) return unused;
    FilesystemOptions options;
    options.cache.budget_bytes = cache_bytes();
    absl::StatusOr<std::unique_ptr<Filesystem>> looked_at =
        Filesystem::Open(paths, std::move(options));
    if (!looked_at.ok()) return looked_at.status();
    const absl::StatusOr<std::string> what = plan(**looked_at);
    if (!what.ok()) return what.status();
    asked_about = (*looked_at)->superblock();
    absl::Status answer =
        Ask(absl::StrCat(*what, " of the ", DescribeFilesystem(asked_about, paths)));
    if (!answer.ok()) return answer;
  }
  absl::StatusOr<std::unique_ptr<WriteTarget>> target =
      WriteTarget::OpenDevices(paths, cache_bytes());
  if (!target.ok()) return target.status();
  const Superblock now = (*target)->filesystem().superblock();
  if (now.fsid != asked_about.fsid || now.generation != asked_about.generation) {
    return absl::FailedPreconditionError(
        "nothing was changed: the filesystem was, by another program, since the question");
  }
  return target;
}

}  // namespace ebcache::tools
