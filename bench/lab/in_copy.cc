#include "bench/lab/in_copy.h"

#include <absl/strings/str_cat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace ebcache::lab {
namespace {

absl::Status Failure(const char* what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

// Never returns.
void WorkAndEnd(const std::function<std::string()>& work, int out) {
  const std::string text = work();
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(out, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(1);
    done += static_cast<size_t>(n);
  }
  _exit(0);
}

}  // namespace

absl::StatusOr<std::string> InCopy(const std::function<std::string()>& work) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return Failure("cannot make a pipe");
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return Failure("cannot make a process");
  if (child == 0) {
    close(ends[0]);
    WorkAndEnd(work, ends[1]);
  }
  close(ends[1]);
  std::string text;
  std::array<char, 65536> part;
  for (;;) {
    const ssize_t n = read(ends[0], part.data(), part.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(part.data(), static_cast<size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return absl::UnavailableError("the copy of a machine in which huge pages were asked for died");
  }
  return text;
}

}  // namespace ebcache::lab
