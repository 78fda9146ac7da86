// What programs that write have in common for their users: a question before they begin, previews.

#ifndef EBCACHE_TOOLS_WRITING_WRITE_CHOICE_H_
#define EBCACHE_TOOLS_WRITING_WRITE_CHOICE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/filesystem.h"
#include "tools/command.h"
#include "tools/writing/way_back.h"
#include "tools/writing/write_target.h"

namespace ebcache::tools {

// Exit codes of programs that write, besides kCannotTell.
enum WriteExit { kWritten = 0, kNotWholly = 1 };

struct WriteChoice {
  bool preview = false;
  std::string preview_file;
  bool yes = false;
  uint64_t cache_mib = 64;
  std::string undo_file;  // where to keep a way back; empty: none

  void AddOptions(Command& command);
  // --undo, of programs that go by sessions.
  void AddUndo(Command& command);
  // What is wrong with the options together, for Command::UsageError.
  std::optional<std::string> UsageProblem() const;

  // Opens what is to be written: at once with --yes, or for a preview; else after a question on the
  // terminal. `plan` says what is to be done, as in "rewrite 9 trees", and may refuse.
  // Errors: those of WriteTarget, and of `plan`; AlreadyExists, the undo file is; FailedPrecondition, there is no terminal to ask on,
  // or the filesystem is another one than the question was about; Cancelled, the answer was no.
  absl::StatusOr<std::unique_ptr<WriteTarget>> Open(
      const std::vector<std::string>& paths,
      absl::FunctionRef<absl::StatusOr<std::string>(Filesystem&)> plan) const;

  bool wants_preview() const { return preview || !preview_file.empty(); }
  uint64_t cache_bytes() const { return cache_mib << 20; }
  std::optional<WayBack> way_back(const std::vector<std::string>& paths) const;

 private:
  absl::Status CheckUndoFile() const;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_WRITING_WRITE_CHOICE_H_
