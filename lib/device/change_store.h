// ChangeStore: where an overlay keeps its blocks, by number: in memory, or in a file.
//
// Thread safety: one thread at a time.

#ifndef EBCACHE_LIB_DEVICE_CHANGE_STORE_H_
#define EBCACHE_LIB_DEVICE_CHANGE_STORE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace ebcache {

class ChangeStore {
 public:
  static constexpr uint64_t kBlockBytes = 4096;
  using Block = absl::Span<std::byte>;  // of kBlockBytes
  using ConstBlock = absl::Span<const std::byte>;

  virtual ~ChangeStore() = default;

  // Of a block that was written.
  virtual absl::Status Read(uint64_t number, Block to) = 0;
  // REQUIRES: the block was written before, or is the next one. Throws bad_alloc.
  virtual absl::Status Write(uint64_t number, ConstBlock from) = 0;
  // From here on no block was written.
  virtual absl::Status Clear() = 0;
  // A fork, in the child: what the child writes is never found by its parent.
  virtual void EnterChild() {}
};

std::unique_ptr<ChangeStore> MakeMemoryStore();

// In a new file, which loses its name at once and so goes with the process, however that ends.
// Errors: AlreadyExists; NotFound, PermissionDenied, ... as of OpenFileDevice. In a child of a fork
// nothing can be written (FailedPrecondition): the file is its parent's.
absl::StatusOr<std::unique_ptr<ChangeStore>> OpenFileStore(const std::string& path);

}  // namespace ebcache

#endif  // EBCACHE_LIB_DEVICE_CHANGE_STORE_H_
