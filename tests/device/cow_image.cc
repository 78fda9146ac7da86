#include "tests/device/cow_image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "lib/base/unique_fd.h"

namespace ebcache::testing {

std::shared_ptr<const BaseImage> BaseImage::OfZeroes(uint64_t bytes) {
  const std::shared_ptr<BaseImage> image(new BaseImage);
  image->size_bytes_ = bytes;
  return image;
}

std::shared_ptr<const BaseImage> BaseImage::Of(std::vector<std::byte> bytes) {
  const std::shared_ptr<BaseImage> image(new BaseImage);
  image->size_bytes_ = bytes.size();
  image->own_ = std::move(bytes);
  return image;
}

std::shared_ptr<const BaseImage> BaseImage::OfFile(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info;
  if (!fd.ok() || fstat(fd.get(), &info) != 0) return nullptr;
  const auto bytes = static_cast<uint64_t>(info.st_size);
  void* const mapped = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (mapped == MAP_FAILED) return nullptr;
  const std::shared_ptr<BaseImage> image(new BaseImage);
  image->size_bytes_ = bytes;
  image->mapped_ = mapped;
  return image;
}

BaseImage::~BaseImage() {
  if (mapped_ != nullptr) munmap(mapped_, size_bytes_);
}

void BaseImage::Read(uint64_t offset, absl::Span<std::byte> to) const {
  if (mapped_ != nullptr) {
    std::copy_n(static_cast<const std::byte*>(mapped_) + offset, to.size(), to.begin());
  } else if (!own_.empty()) {
    std::copy_n(own_.begin() + static_cast<ptrdiff_t>(offset), to.size(), to.begin());
  } else {
    std::fill(to.begin(), to.end(), std::byte{0});
  }
}

void CowImage::Read(uint64_t offset, absl::Span<std::byte> to) const {
  while (!to.empty()) {
    const uint64_t within = offset % kBlockBytes;
    const size_t run = std::min<size_t>(to.size(), kBlockBytes - within);
    const auto found = blocks_.find(offset / kBlockBytes);
    if (found == blocks_.end()) {
      base_->Read(offset, to.subspan(0, run));
    } else {
      std::copy_n(found->second.get() + within, run, to.begin());
    }
    to.remove_prefix(run);
    offset += run;
  }
}

void CowImage::WritePart(uint64_t block, uint64_t within, absl::Span<const std::byte> from) {
  // A copy: other images may have the block as it is.
  const std::shared_ptr<std::byte[]> copy(new std::byte[kBlockBytes]());
  const uint64_t start = block * kBlockBytes;
  Read(start, {copy.get(), std::min(kBlockBytes, size_bytes() - start)});
  std::copy_n(from.begin(), from.size(), copy.get() + within);
  blocks_[block] = Block(copy, copy.get());
}

void CowImage::Write(uint64_t offset, absl::Span<const std::byte> from) {
  while (!from.empty()) {
    const uint64_t within = offset % kBlockBytes;
    const size_t run = std::min<size_t>(from.size(), kBlockBytes - within);
    WritePart(offset / kBlockBytes, within, from.subspan(0, run));
    from.remove_prefix(run);
    offset += run;
  }
}

void CowImage::WriteShared(uint64_t offset,
                           const std::shared_ptr<const std::vector<std::byte>>& from) {
  for (uint64_t done = 0; done < from->size();) {
    const uint64_t at = offset + done;
    const uint64_t run = std::min(from->size() - done, kBlockBytes - at % kBlockBytes);
    if (run == kBlockBytes) {
      blocks_[at / kBlockBytes] = Block(from, from->data() + done);
    } else {
      WritePart(at / kBlockBytes, at % kBlockBytes, absl::MakeConstSpan(*from).subspan(done, run));
    }
    done += run;
  }
}

bool CowImage::WriteTo(const std::string& path) const {
  const UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.ok() || ftruncate(fd.get(), static_cast<off_t>(size_bytes())) != 0) return false;
  std::vector<std::byte> bytes(size_t{1} << 20);
  for (uint64_t at = 0; at < size_bytes(); at += bytes.size()) {
    const absl::Span<std::byte> piece =
        absl::MakeSpan(bytes).subspan(0, std::min<uint64_t>(bytes.size(), size_bytes() - at));
    Read(at, piece);
    const bool zeroes =
        std::all_of(piece.begin(), piece.end(), [](std::byte b) { return b == std::byte{0}; });
    if (zeroes) continue;
    const ssize_t written = pwrite(fd.get(), piece.data(), piece.size(), static_cast<off_t>(at));
    if (written != static_cast<ssize_t>(piece.size())) return false;
  }
  return true;
}

}  // namespace ebcache::testing
