// ScratchImage: an image to be written to, which goes with the object.

#ifndef EBCACHE_BENCH_SCORECARD_SCRATCH_IMAGE_H_
#define EBCACHE_BENCH_SCORECARD_SCRATCH_IMAGE_H_

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <utility>

namespace ebcache::scorecard {

class ScratchImage {
 public:
  explicit ScratchImage(std::string path) : path_(std::move(path)) {}
  ~ScratchImage();
  ScratchImage(const ScratchImage&) = delete;
  ScratchImage& operator=(const ScratchImage&) = delete;

  const std::string& path() const { return path_; }

  // Takes the place of what was there: a copy of `image`, holes and all; or an empty filesystem, all
  // in single copies. Both are on the disk when this returns, and in the page cache. Errors:
  // Unavailable, NotFound.
  absl::Status CopyOf(const std::string& image);
  absl::Status Empty(uint64_t bytes);

 private:
  absl::Status Sync() const;

  const std::string path_;
};

}  // namespace ebcache::scorecard

#endif  // EBCACHE_BENCH_SCORECARD_SCRATCH_IMAGE_H_
