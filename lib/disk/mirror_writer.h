// Writes blocks to all their copies.

#ifndef EBCACHE_LIB_DISK_MIRROR_WRITER_H_
#define EBCACHE_LIB_DISK_MIRROR_WRITER_H_

#include <absl/types/span.h>

#include "ebcache/buffer_cache.h"
#include "ebcache/volume.h"
#include "lib/disk/address_space.h"
#include "lib/disk/block_validator.h"

namespace ebcache {

// The buffers stay as they are: checksum and zeroes go into a copy. A write has succeeded when one
// copy of the block has; as in the kernel, the others are reported and come back by repair.
//
// Thread safety: any thread.
class MirrorWriter {
 public:
  // `space` and `validator` must outlive the writer.
  MirrorWriter(const AddressSpace* space, const BlockValidator* validator, VolumeOptions options);

  // As BlockSource::Write. REQUIRES: buffers of the filesystem's node size.
  void Write(absl::Span<BlockWrite> writes) const;

 private:
  struct Attempt;

  void WriteGroup(absl::Span<BlockWrite> writes, absl::Span<std::byte> scratch) const;
  // Checks the block, and puts what is to be written into `scratch`.
  absl::Status Prepare(const ExtentBuffer& buffer, absl::Span<std::byte> scratch) const;
  void Finish(Attempt& attempt) const;

  const AddressSpace* const space_;
  const BlockValidator* const validator_;
  const VolumeOptions options_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_DISK_MIRROR_WRITER_H_
