#include "lib/txn/undo_place.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <sys/ioctl.h>

#include <cstring>

#include "lib/base/unique_fd.h"
#include "lib/txn/undo_file.h"

namespace ebcache::txn {

absl::Status CheckUndoPlace(const std::string& path, const Uuid& fsid) {
  const UniqueFd folder(open(FolderOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  btrfs_ioctl_fs_info_args info{};
  // Other filesystems do not know this call.
  if (!folder.ok() || ioctl(folder.get(), BTRFS_IOC_FS_INFO, &info) != 0) return absl::OkStatus();
  static_assert(sizeof(info.fsid) == sizeof(fsid));
  if (std::memcmp(info.fsid, fsid.data(), sizeof(info.fsid)) != 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": is on the filesystem that is to be changed, or on a copy of it"));
}

}  // namespace ebcache::txn
