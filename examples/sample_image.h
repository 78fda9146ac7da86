// A btrfs image to look at, made on the spot.

#ifndef EBCACHE_EXAMPLES_SAMPLE_IMAGE_H_
#define EBCACHE_EXAMPLES_SAMPLE_IMAGE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ebcache::examples {

// A directory under TMPDIR (or /tmp) that goes with all that is in it when the object does.
class TemporaryDirectory {
 public:
  static absl::StatusOr<TemporaryDirectory> Create();
  TemporaryDirectory(TemporaryDirectory&& other) noexcept
      : path_(std::exchange(other.path_, "")), keep_(other.keep_) {}
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory();

  const std::string& path() const { return path_; }
  // Leaves the directory where it is.
  void Keep() { keep_ = true; }

 private:
  explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;  // empty when moved from
  bool keep_ = false;
};

// Fills `directory` with `files` files of up to some kilobytes, a few hundred to a subdirectory.
// Calls progress with how many there are, now and then.
absl::Status MakeFiles(const std::string& directory, uint64_t files,
                       absl::FunctionRef<void(uint64_t files_made)> progress);

// Makes a filesystem with what is in `directory` on `image`, a file that comes into being, by
// mkfs.btrfs. `flags` are passed to it. Errors: NotFound (no mkfs.btrfs; says which package has
// it), Internal (with what mkfs.btrfs had to say).
absl::Status MakeImage(const std::string& directory, const std::string& image,
                       const std::vector<std::string>& flags = {});

}  // namespace ebcache::examples

#endif  // EBCACHE_EXAMPLES_SAMPLE_IMAGE_H_
