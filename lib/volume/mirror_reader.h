// Reads blocks from whichever copy validates.

#ifndef EBCACHE_LIB_VOLUME_MIRROR_READER_H_
#define EBCACHE_LIB_VOLUME_MIRROR_READER_H_

#include <absl/types/span.h>

#include "ebcache/buffer_cache.h"
#include "ebcache/volume.h"
#include "lib/volume/address_space.h"
#include "lib/volume/block_validator.h"
#include "lib/volume/missed_writes.h"

namespace ebcache {

// A batch goes in rounds: in each, every block that has not been read yet asks for its next copy,
// so devices see few large batches, and there are no more rounds than copies. Copies on missing
// devices come last, because they can only be named in the error. Copies that missed the last write
// of their block are not asked at all, whatever other copy is good: what they have is older.
//
// Thread safety: any thread.
class MirrorReader {
 public:
  // `space`, `validator` and `missed` must outlive the reader.
  MirrorReader(const AddressSpace* space, const BlockValidator* validator, MissedWrites* missed,
               VolumeOptions options);

  // As BlockSource::Read. REQUIRES: buffers of the filesystem's node size; no block of `reads` is
  // being written, as a cache sees to it: what was read before could be a repair over what is new.
  void Read(absl::Span<BlockRead> reads) const;

 private:
  struct Attempt;

  Attempt Begin(BlockRead& read) const;
  static void SetAsideBadMirror(Attempt& attempt);
  void Judge(Attempt& attempt, const absl::Status& transferred) const;
  void Finish(Attempt& attempt) const;
  // Writes the good bytes over the copies that were bad, or missed the last write. But never over
  // what may be newer than they.
  void Repair(Attempt& attempt) const;

  const AddressSpace* const space_;
  const BlockValidator* const validator_;
  MissedWrites* const missed_;
  const VolumeOptions options_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_MIRROR_READER_H_
