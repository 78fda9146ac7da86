// Writes blocks to all their copies.

#ifndef EBCACHE_LIB_VOLUME_MIRROR_WRITER_H_
#define EBCACHE_LIB_VOLUME_MIRROR_WRITER_H_

#include <absl/types/span.h>

#include "ebcache/buffer_cache.h"
#include "ebcache/volume.h"
#include "lib/volume/address_space.h"
#include "lib/volume/block_validator.h"
#include "lib/volume/missed_writes.h"

namespace ebcache {

// The buffers stay as they are: checksum and zeroes go into a copy. A write has succeeded when one
// copy of the block has it, and it is remembered of which copies that is not true: each of these is
// reported, is not read (MirrorReader), and comes back with the next write or repair that reaches
// it. Where there is no memory to remember it, the write has failed. A write that reached no copy
// changes nothing of that: the copies that could be read before are those that can be read.
//
// Thread safety: any thread.
class MirrorWriter {
 public:
  // `space`, `validator` and `missed` must outlive the writer.
  MirrorWriter(const AddressSpace* space, const BlockValidator* validator, MissedWrites* missed,
               VolumeOptions options);

  // As BlockSource::Write. REQUIRES: buffers of the filesystem's node size.
  void Write(absl::Span<BlockWrite> writes) const;

 private:
  struct Attempt;

  void WriteGroup(absl::Span<BlockWrite> writes, absl::Span<std::byte> scratch) const;
  // Checks the block, and puts what is to be written into `scratch`.
  absl::Status Prepare(const ExtentBuffer& buffer, absl::Span<std::byte> scratch) const;
  void Finish(Attempt& attempt) const;
  void TellOfFailures(Attempt& attempt) const;

  const AddressSpace* const space_;
  const BlockValidator* const validator_;
  MissedWrites* const missed_;
  const VolumeOptions options_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_MIRROR_WRITER_H_
