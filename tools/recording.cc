#include "tools/recording.h"

#include <absl/strings/str_cat.h>

#include <cerrno>
#include <cinttypes>
#include <cstring>

namespace ebcache::tools {
namespace {

constexpr uint64_t kUnitBytes = 4096;  // blocks lie at multiples of it

char LetterOf(CacheAccess access) {
  switch (access) {
    case CacheAccess::kFound:
      return 'f';
    case CacheAccess::kMade:
      return 'a';
    case CacheAccess::kStale:
      return 's';
  }
  return '?';
}

}  // namespace

void Recording::AddOptions(Command& command) {
  command.AddText("record",
                  "write which blocks the cache was asked for, as eviction_bench --trace reads it",
                  &path_);
}

absl::Status Recording::Failure(int error) const {
  return absl::UnavailableError(absl::StrCat(path_, ": cannot be written: ", std::strerror(error)));
}

absl::Status Recording::Begin() {
  if (path_.empty()) return absl::OkStatus();
  file_.reset(std::fopen(path_.c_str(), "we"));
  return file_ != nullptr ? absl::OkStatus() : Failure(errno);
}

std::function<void(CacheAccess access, uint64_t start)> Recording::on_access() {
  if (file_ == nullptr) return nullptr;
  return [this](CacheAccess access, uint64_t start) { Note(access, start); };
}

void Recording::Note(CacheAccess access, uint64_t start) {
  MutexLock lock(mutex_);
  if (file_ == nullptr) return;  // threads that read ahead may be at it still
  std::fprintf(file_.get(), "%c%" PRIx64 "\n", LetterOf(access), start / kUnitBytes);
}

absl::Status Recording::End() {
  MutexLock lock(mutex_);
  if (file_ == nullptr) return absl::OkStatus();
  const bool failed = std::ferror(file_.get()) != 0;
  const bool closed = std::fclose(file_.release()) == 0;
  return failed || !closed ? Failure(failed ? EIO : errno) : absl::OkStatus();
}

}  // namespace ebcache::tools
