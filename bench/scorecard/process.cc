#include "bench/scorecard/process.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "bench/scorecard/clock.h"

namespace ebcache::scorecard {
namespace {

// Empty when there is none.
std::string FindProgram(const std::string& name) {
  if (name.find('/') != name.npos) return access(name.c_str(), X_OK) == 0 ? name : "";
  const char* path = std::getenv("PATH");
  const std::string folders =
      absl::StrCat(path == nullptr ? "" : path, ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin");
  for (const auto folder : absl::StrSplit(folders, ':', absl::SkipEmpty())) {
    std::string candidate = absl::StrCat(folder, "/", name);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

std::string ReadAll(int descriptor) {
  std::string text;
  std::array<char, 65536> piece;
  for (;;) {
    const ssize_t got = read(descriptor, piece.data(), piece.size());
    if (got > 0) {
      text.append(piece.data(), static_cast<size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      return text;
    }
  }
}

}  // namespace

absl::StatusOr<Finished> Run(const std::vector<std::string>& command) {
  const std::string program = FindProgram(command[0]);
  if (program.empty()) {
    return absl::NotFoundError(absl::StrCat("the program ", command[0], " is not there"));
  }
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::UnavailableError("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const double begin = WallSeconds();
  pid_t child = 0;
  const int error =
      posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  Finished finished;
  if (error == 0) finished.output = ReadAll(ends[0]);
  close(ends[0]);
  if (error != 0) {
    return absl::UnavailableError(absl::StrCat(command[0], ": ", std::strerror(error)));
  }
  int status = 0;
  rusage usage;
  wait4(child, &status, 0, &usage);
  finished.seconds = WallSeconds() - begin;
  finished.processor_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  if (!WIFEXITED(status)) return absl::UnavailableError(absl::StrCat(command[0], " was killed"));
  finished.exit_code = WEXITSTATUS(status);
  rusage own;
  getrusage(RUSAGE_SELF, &own);
  if (usage.ru_maxrss > own.ru_maxrss) {
    finished.peak_rss_bytes = static_cast<uint64_t>(usage.ru_maxrss) << 10;
  }
  return finished;
}

absl::StatusOr<Finished> RunWell(const std::vector<std::string>& command) {
  auto finished = Run(command);
  if (finished.ok() && finished->exit_code != 0) {
    return absl::UnavailableError(
        absl::StrCat(absl::StrJoin(command, " "), ": exit code ", finished->exit_code));
  }
  return finished;
}

std::string OwnBuild() {
  std::error_code error;
  // This program is PLACE/bench/scorecard/scorecard.
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return self.parent_path().parent_path().parent_path().string();
}

std::string BuiltProgram(std::string_view label) {
  return (std::filesystem::path(OwnBuild()) / label).string();
}

}  // namespace ebcache::scorecard
