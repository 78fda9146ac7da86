// CowImage: what a device holds, as a base that many images share and the bytes that differ from it.

#ifndef EBCACHE_TESTS_DEVICE_COW_IMAGE_H_
#define EBCACHE_TESTS_DEVICE_COW_IMAGE_H_

#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ebcache::testing {

// Bytes that never change. Thread safety: any thread.
class BaseImage {
 public:
  static std::shared_ptr<const BaseImage> OfZeroes(uint64_t bytes);
  static std::shared_ptr<const BaseImage> Of(std::vector<std::byte> bytes);
  // Maps the file, which must not change while the image is there; sparse ones take no memory.
  // Null, with errno, when that fails.
  static std::shared_ptr<const BaseImage> OfFile(const std::string& path);
  ~BaseImage();
  BaseImage(const BaseImage&) = delete;
  BaseImage& operator=(const BaseImage&) = delete;

  uint64_t size_bytes() const { return size_bytes_; }
  // REQUIRES: the range is in it.
  void Read(uint64_t offset, absl::Span<std::byte> to) const;

 private:
  BaseImage() = default;
  uint64_t size_bytes_ = 0;
  std::vector<std::byte> own_;
  void* mapped_ = nullptr;
};

// Copies are cheap: a map of the blocks that differ, whose bytes are shared and never change.
// Thread safety: as of standard containers.
class CowImage {
 public:
  explicit CowImage(std::shared_ptr<const BaseImage> base) : base_(std::move(base)) {}

  uint64_t size_bytes() const { return base_->size_bytes(); }
  // REQUIRES, of both: the range is in it.
  void Read(uint64_t offset, absl::Span<std::byte> to) const;
  void Write(uint64_t offset, absl::Span<const std::byte> from);
  // The same, of bytes that never change while `from` is there: whole blocks of them are not copied.
  void WriteShared(uint64_t offset, const std::shared_ptr<const std::vector<std::byte>>& from);

  // All of it in a new file, with holes where there are zeroes. False, with errno, when that fails.
  bool WriteTo(const std::string& path) const;

  size_t changed_blocks() const { return blocks_.size(); }

 private:
  static constexpr uint64_t kBlockBytes = 4096;

  // Of a block that differs: its bytes, and what keeps them.
  using Block = std::shared_ptr<const std::byte>;

  void WritePart(uint64_t block, uint64_t within, absl::Span<const std::byte> from);

  std::shared_ptr<const BaseImage> base_;
  // Not Abseil's map, which does not outlive memory that is out while it grows.
  std::unordered_map<uint64_t, Block> blocks_;  // by number
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_DEVICE_COW_IMAGE_H_
