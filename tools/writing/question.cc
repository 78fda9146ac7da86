#include "tools/writing/question.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>

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

}  // namespace

std::string DescribeFilesystem(const Superblock& superblock,
                               const std::vector<std::string>& paths) {
  const std::string label =
      superblock.label.empty() ? "" : absl::StrCat(" (label '", superblock.label, "')");
  return absl::StrCat("btrfs filesystem ", UuidString(superblock.fsid), label,
                      paths.empty() ? "" : " on ", absl::StrJoin(paths, ", "));
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

}  // namespace ebcache::tools
