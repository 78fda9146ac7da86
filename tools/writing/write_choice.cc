#include "tools/writing/write_choice.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "ebcache/on_disk.h"

namespace ebcache::tools {
namespace {

// A line of the terminal, "" at its end. Signals that a program holds back come through while it
// waits: nothing has been done yet.
std::string ReadAnswer() {
  sigset_t none;
  sigemptyset(&none);
  std::string answer;
  while (true) {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (ppoll(&input, 1, nullptr, &none) < 0) continue;
    char letter = 0;
    if (read(STDIN_FILENO, &letter, 1) <= 0 || letter == '\n') return answer;
    answer += letter;
  }
}

std::string Describe(const Superblock& superblock, const std::vector<std::string>& paths) {
  const std::string label =
      superblock.label.empty() ? "" : absl::StrCat(" (label '", superblock.label, "')");
  return absl::StrCat("btrfs filesystem ", UuidString(superblock.fsid), label, " on ",
                      absl::StrJoin(paths, ", "));
}

absl::Status Ask(const std::string& what) {
  if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("nothing was changed: this would ", what,
                     ", and there is no terminal to ask on; --yes goes on without asking"));
  }
  std::fprintf(stderr, "This will %s.\nGo on? [y/N] ", what.c_str());
  std::fflush(stderr);
  const std::string answer = ReadAnswer();
  if (answer == "y" || answer == "Y" || answer == "yes") return absl::OkStatus();
  return absl::CancelledError("nothing was changed");
}

}  // namespace

void WriteChoice::AddOptions(Command& command) {
  command.AddFlag("preview", "change a copy in memory, say what changed, and throw it away",
                  &preview);
  command.AddText("preview-file", "the same, with what changes in a new file, which is removed",
                  &preview_file);
  command.AddFlag("yes", "go on without asking", &yes);
  command.AddNumber("cache-mib", "budget of the cache in MiB (default 64)", 1 << 20, &cache_mib);
}

absl::StatusOr<std::unique_ptr<WriteTarget>> WriteChoice::Open(
    const std::vector<std::string>& paths,
    absl::FunctionRef<absl::StatusOr<std::string>(Filesystem&)> plan) const {
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
    absl::Status answer = Ask(absl::StrCat(*what, " of the ", Describe(asked_about, paths)));
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
