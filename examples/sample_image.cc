#include "examples/sample_image.h"

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace ebcache::examples {
namespace {

constexpr uint64_t kFilesPerDirectory = 250;

// As large as the file's number says: most are small enough to live inside a leaf, the others have
// extents and checksums.
std::string Contents(uint64_t number) {
  const std::string line = absl::StrFormat("file %d\n", number);
  std::string contents;
  for (uint64_t bytes = number * 37 % 5000; contents.size() < bytes;) contents += line;
  return contents;
}

// PATH, and where administrators' programs are, which is not on every user's PATH.
absl::StatusOr<std::string> FindMkfs() {
  const char* path = std::getenv("PATH");
  std::istringstream directories(absl::StrCat(path != nullptr ? path : "", ":/usr/sbin:/sbin"));
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (directory.empty()) continue;
    const std::string program = directory + "/mkfs.btrfs";
    if (access(program.c_str(), X_OK) == 0) return program;
  }
  return absl::NotFoundError("mkfs.btrfs is not installed: it is in Debian's package btrfs-progs");
}

std::string ReadAll(const std::string& path) {
  std::ostringstream contents;
  contents << std::ifstream(path).rdbuf();
  return contents.str();
}

// Runs a program to its end, with what it prints going to the file `log`.
absl::Status RunProgram(const std::vector<std::string>& command, const std::string& log) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return absl::UnavailableError(absl::StrCat(command[0], ": ", std::strerror(error)));
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  std::string said = ReadAll(log);
  absl::StripAsciiWhitespace(&said);
  return absl::UnavailableError(absl::StrCat(command[0], " failed: ", said));
}

}  // namespace

absl::StatusOr<TemporaryDirectory> TemporaryDirectory::Create() {
  const char* parent = std::getenv("TMPDIR");
  std::string path =
      absl::StrCat(parent != nullptr && *parent != '\0' ? parent : "/tmp", "/ebcache-XXXXXX");
  if (mkdtemp(path.data()) == nullptr) {
    return absl::UnavailableError(absl::StrCat(path, ": ", std::strerror(errno)));
  }
  return TemporaryDirectory(std::move(path));
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;  // there is no caller to tell any more
  if (!path_.empty() && !keep_) std::filesystem::remove_all(path_, ignored);
}

absl::Status MakeFiles(const std::string& directory, uint64_t files,
                       absl::FunctionRef<void(uint64_t files_made)> progress) {
  std::string subdirectory;
  for (uint64_t number = 0; number < files; ++number) {
    if (number % kFilesPerDirectory == 0) {
      subdirectory = absl::StrFormat("%s/directory-%04d", directory, number / kFilesPerDirectory);
      std::error_code error;
      std::filesystem::create_directories(subdirectory, error);
      if (error) return absl::UnavailableError(absl::StrCat(subdirectory, ": ", error.message()));
      progress(number);
    }
    const std::string path = absl::StrFormat("%s/file-%06d", subdirectory, number);
    std::ofstream file(path, std::ios::binary);
    file << Contents(number);
    file.close();
    if (!file) return absl::UnavailableError(absl::StrCat(path, ": cannot be written"));
  }
  return absl::OkStatus();
}

absl::Status MakeImage(const std::string& directory, const std::string& image,
                       const std::vector<std::string>& flags) {
  absl::StatusOr<std::string> mkfs = FindMkfs();
  if (!mkfs.ok()) return mkfs.status();
  std::vector<std::string> command = {*mkfs, "--quiet", "--rootdir", directory};
  command.insert(command.end(), flags.begin(), flags.end());
  command.push_back(image);
  return RunProgram(command, image + ".log");
}

}  // namespace ebcache::examples
