#include "lib/device/change_store.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "lib/base/unique_fd.h"
#include "lib/device/file_errors.h"
#include "lib/device/file_transfer.h"

namespace ebcache {
namespace {

class MemoryStore : public ChangeStore {
 public:
  absl::Status Read(uint64_t number, Block to) override {
    std::copy_n(blocks_[number].get(), kBlockBytes, to.begin());
    return absl::OkStatus();
  }
  absl::Status Write(uint64_t number, ConstBlock from) override {
    if (number == blocks_.size()) {
      blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(kBlockBytes));
    }
    std::copy_n(from.begin(), kBlockBytes, blocks_[number].get());
    return absl::OkStatus();
  }
  absl::Status Clear() override {
    blocks_.clear();
    blocks_.shrink_to_fit();
    return absl::OkStatus();
  }

 private:
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
};

class FileStore : public ChangeStore {
 public:
  FileStore(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  absl::Status Read(uint64_t number, Block to) override {
    return Named(
        TransferAll(preadv, "read", fd_.get(), number * kBlockBytes, {{to.data(), to.size()}}));
  }
  absl::Status Write(uint64_t number, ConstBlock from) override {
    if (in_child_) {
      return absl::FailedPreconditionError(absl::StrCat(path_, ": is that of a parent process"));
    }
    // pwritev only reads from it.
    return Named(TransferAll(pwritev, "write", fd_.get(), number * kBlockBytes,
                             {{const_cast<std::byte*>(from.data()), from.size()}}));
  }
  absl::Status Clear() override {
    if (in_child_ || ftruncate(fd_.get(), 0) == 0) return absl::OkStatus();
    const int error = errno;
    return ErrorOf(error, absl::StrCat(path_, ": ", ErrnoText(error)));
  }
  void EnterChild() override { in_child_ = true; }

 private:
  absl::Status Named(const absl::Status& status) const {
    if (status.ok()) return status;
    return absl::Status(status.code(), absl::StrCat(path_, ": ", status.message()));
  }

  const std::string path_;
  const UniqueFd fd_;
  bool in_child_ = false;
};

}  // namespace

std::unique_ptr<ChangeStore> MakeMemoryStore() { return std::make_unique<MemoryStore>(); }

absl::StatusOr<std::unique_ptr<ChangeStore>> OpenFileStore(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.ok() && errno == EEXIST) {
    return absl::AlreadyExistsError(absl::StrCat(path, ": ", ErrnoText(EEXIST)));
  }
  if (!fd.ok() || unlink(path.c_str()) != 0) return OpenError(path, errno);
  return std::make_unique<FileStore>(path, std::move(fd));
}

}  // namespace ebcache
