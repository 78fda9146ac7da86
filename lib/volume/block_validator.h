// Whether the bytes that came from a disk are the block that was asked for.

#ifndef EBCACHE_LIB_VOLUME_BLOCK_VALIDATOR_H_
#define EBCACHE_LIB_VOLUME_BLOCK_VALIDATOR_H_

#include <absl/status/status.h>

#include <cstdint>
#include <vector>

#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"

namespace ebcache {

// Thread safety: const methods from any thread.
class BlockValidator {
 public:
  // `other_fsids` are those of seeds, whose blocks a filesystem that was grown on them shares.
  explicit BlockValidator(const Superblock& superblock, const std::vector<Uuid>& other_fsids = {},
                          bool writable = false);

  uint32_t node_bytes() const { return node_bytes_; }

  // The whole validation, in the kernel's order; `check` may be null. Errors are DataLoss and do
  // not name the block.
  absl::Status Validate(const ExtentBuffer& buffer, const ParentCheck* check) const;

  // Makes bytes that are to be written as the block at `bytenr` ready for it: the kernel's checks
  // before a write, WRITTEN set, the unused part zeroed, the checksum put in. `block` is a whole
  // block in one piece. Errors: FailedPrecondition, DataLoss; neither names the block.
  absl::Status Seal(uint64_t bytenr, absl::Span<std::byte> block) const;

 private:
  absl::Status CheckFsid(const Uuid& found) const;
  absl::Status CheckChecksum(const ExtentBuffer& buffer) const;

  std::vector<Uuid> fsids_;  // the filesystem's own first; never empty
  uint32_t node_bytes_;
  TreeBlockLimits limits_;
  ChecksumType checksum_type_;
  bool any_checksum_type_;  // a change of it was interrupted
  uint64_t committed_generation_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_BLOCK_VALIDATOR_H_
