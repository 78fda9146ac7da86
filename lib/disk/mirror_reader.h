// Reads blocks from whichever copy validates.

#ifndef EBCACHE_LIB_DISK_MIRROR_READER_H_
#define EBCACHE_LIB_DISK_MIRROR_READER_H_

#include <absl/types/span.h>

#include "ebcache/buffer_cache.h"
#include "ebcache/volume.h"
#include "lib/disk/address_space.h"
#include "lib/disk/block_validator.h"

namespace ebcache {

// A batch goes in rounds: in each, every block that has not been read yet asks for its next copy,
// so devices see few large batches, and there are no more rounds than copies. Copies on missing
// devices come last, because they can only be named in the error.
//
// Thread safety: any thread.
class MirrorReader {
 public:
  // `space` and `validator` must outlive the reader.
  MirrorReader(const AddressSpace* space, const BlockValidator* validator, VolumeOptions options);

  // As BlockSource::Read. REQUIRES: buffers of the filesystem's node size.
  void Read(absl::Span<BlockRead> reads) const;

 private:
  struct Attempt;

  Attempt Begin(BlockRead& read) const;
  void Judge(Attempt& attempt, const absl::Status& transferred) const;
  void Finish(Attempt& attempt) const;
  // Writes the good bytes over the copies that were bad.
  void Repair(Attempt& attempt) const;

  const AddressSpace* const space_;
  const BlockValidator* const validator_;
  const VolumeOptions options_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_DISK_MIRROR_READER_H_
