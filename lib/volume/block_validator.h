// Whether the bytes that came from a disk are the block that was asked for.

#ifndef EBCACHE_LIB_VOLUME_BLOCK_VALIDATOR_H_
#define EBCACHE_LIB_VOLUME_BLOCK_VALIDATOR_H_

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "ebcache/extent_buffer.h"
#include "ebcache/internal/sync.h"
#include "ebcache/on_disk.h"

namespace ebcache {

// Thread safety: const methods from any thread, also beside Publish, which belongs to one thread at
// a time. They take no lock: every block that is read comes by.
class BlockValidator {
 public:
  // `other_fsids` are those of seeds, whose blocks a filesystem that was grown on them shares.
  explicit BlockValidator(const Superblock& superblock, const std::vector<Uuid>& other_fsids = {},
                          bool writable = false);

  BlockValidator(const BlockValidator&) = delete;
  BlockValidator& operator=(const BlockValidator&) = delete;

  // As Volume::PublishSuperblock.
  void Publish(const Superblock& next);

  uint32_t node_bytes() const { return node_bytes_; }

  // The whole validation, in the kernel's order; `check` may be null. Errors are DataLoss and do
  // not name the block.
  absl::Status Validate(const ExtentBuffer& buffer, const ParentCheck* check) const;

  // Makes bytes that are to be written as the block at `bytenr` ready for it: the kernel's checks
  // before a write, WRITTEN set, the unused part zeroed, the checksum put in. `block` is a whole
  // block in one piece. Errors: FailedPrecondition, DataLoss; neither names the block.
  absl::Status Seal(uint64_t bytenr, absl::Span<std::byte> block) const;

 private:
  // What a superblock says of blocks, but for its generation, which each commit changes.
  struct Rules {
    absl::InlinedVector<Uuid, 2> fsids;  // the filesystem's own first; never empty
    TreeBlockLimits limits;              // newest_generation is not in it
    ChecksumType checksum_type;
    bool any_checksum_type;  // a change of it was interrupted

    friend bool operator==(const Rules&, const Rules&) = default;
  };
  Rules RulesOf(const Superblock& superblock) const;
  // Acquire, with the release of Publish: what the pointer leads to is whole.
  const Rules& rules() const { return *rules_.load(std::memory_order_acquire); }
  TreeBlockLimits LimitsNow() const;

  absl::Status CheckFsid(const Uuid& found) const;
  absl::Status CheckChecksum(const ExtentBuffer& buffer) const;

  const std::vector<Uuid> other_fsids_;
  const uint32_t node_bytes_;
  const bool writable_;
  // All rules that were ever in use, each once: a reader may go by the older ones for as long as it
  // likes. A commit seldom changes any, so that there are few.
  std::vector<std::unique_ptr<const Rules>> all_rules_;
  sync::Atomic<const Rules*> rules_;  // one of them
  // Relaxed: a thread that was told of a commit has been told by more than this, and to any other
  // the one number is as good as the other.
  sync::Atomic<uint64_t> committed_generation_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_BLOCK_VALIDATOR_H_
