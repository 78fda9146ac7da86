// Volume: the devices of one filesystem, put together into its logical address space.
//
// A BlockSource for tree blocks: maps logical addresses through the chunks to the copies of a
// block, reads one, validates it in the kernel's order, and tries the other copies when that fails.
//
// Thread safety: once opening is done, everything may be called from any thread, but for
// WriteSuperblocks and PublishSuperblock, which belong to one thread at a time, and UseSuperblock,
// which belongs to the opener. What is added, removed or published is seen by calls that begin
// afterwards; those under way go by the one or the other.

#ifndef EBCACHE_VOLUME_H_
#define EBCACHE_VOLUME_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/on_disk.h"

namespace ebcache {

// One copy of a block that could not be used.
struct MirrorDamage {
  uint64_t logical = 0;
  int mirror = 0;  // from 1
  DevicePlace place;
  std::string device;           // name, or "missing device N"
  bool device_missing = false;  // no damage: nothing can be told of this copy
  bool no_memory = false;       // likewise: there was none to read it with
  std::string reason;           // "checksum mismatch (crc32c): wanted 0x.., found 0x.."
  bool recovered = false;       // another copy was good
  bool repaired = false;        // and was written over this one
  // "mirror 1 on disk0.img at 22020096: checksum mismatch (crc32c)"
  std::string ToString() const;
};

// A device that the filesystem has and that was not given to Open.
struct MissingDevice {
  uint64_t id = 0;
  Uuid uuid{};
  // Of the filesystem that made the device. All zero where only chunks name it, which do not say.
  Uuid fsid{};
  bool seed = false;  // fsid is known, and another one than the volume's
  // "device 1 is missing", "device 1 (seed) is missing"
  std::string ToString() const;
};

// Which copy of a superblock a filesystem is opened by.
struct SuperblockCopy {
  std::string device;  // name
  DevicePlace place;   // at kSuperblockOffsets[0] is the primary
  uint64_t generation = 0;
  // "the superblock at 67108864 on disk0.img (generation 29)"
  std::string ToString() const;
};

// How a volume is opened.
struct VolumeOptions {
  // Opens the devices' filesystem for writing: the source's Write works, and a bad copy is replaced
  // when another one was good, as the kernel does; but not a sound one that only the reader's check
  // refused, unless the good one is of a newer generation.
  bool writable = false;
  // Told of every copy that could not be used, or not be written, from any thread, while the read
  // or write is going on: it may use a cache over this volume, but that block cannot be had yet,
  // and to ask for it is refused (BlockSource). A missing device is told of only where no other
  // copy was good.
  std::function<void(const MirrorDamage&)> on_damage = nullptr;
};

// A copy of a superblock that was to be written and may not be on disk.
struct SuperblockFailure {
  std::string device;   // name
  uint64_t offset = 0;  // in bytes, from where the device begins
  absl::Status status;  // the device's
};

// How the flush of one device has ended.
struct DeviceFlush {
  uint64_t id = 0;      // the filesystem's number of the device, from 1
  std::string device;   // name
  absl::Status status;  // not OK: of what was written until_flush since the last OK any may be lost
};

// What lies where a copy of a superblock has its place, byte for byte: it may be anything.
struct SuperblockImage {
  Uuid device_uuid{};
  uint64_t offset = 0;  // one of kSuperblockOffsets
  std::array<std::byte, kSuperblockBytes> bytes{};
};

// Where one copy of a range lies.
struct PhysicalExtent {
  // What messages call the device: its name, or "missing device N".
  std::string DeviceName() const;

  DevicePlace place;
  BlockDevice* device = nullptr;  // null: that device is missing
};

// One copy of a block, to be read by itself.
struct CopyRead {
  ExtentBuffer* buffer = nullptr;  // where to: start() says which block; in no cache (CreateDummy)
  int mirror = 0;                  // from 1
  const ParentCheck* check = nullptr;  // null: nothing in particular is expected
  absl::Status status = absl::Status(absl::StatusCode::kUnknown, "");
};

class Volume : public BlockSource {
 public:
  // Reads the superblocks of all devices (primary and mirrors) and the system chunks. A device is
  // opened by its primary, as kernels have it, or, where that is damaged, by its newest mirror; the
  // filesystem by the newest of its devices. Seeds may be among them: devices of another fsid,
  // whose superblocks say that they are. Devices of another filesystem, two devices with one id,
  // and features that cannot be read are refused. Missing devices are not: see missing_devices.
  // Errors name the device and what is wrong with each copy of its superblock; for features
  // Unimplemented, with their names. ResourceExhausted: there was no memory to read a copy with,
  // even if others could be read.
  static absl::StatusOr<std::unique_ptr<Volume>> Open(
      std::vector<std::unique_ptr<BlockDevice>> devices, VolumeOptions options = {});
  ~Volume() override;

  // The superblock in use: that of superblock_copy(), until another one was published. A copy: what
  // is taken out of it by reference goes with it.
  Superblock superblock() const;

  // Damage of superblocks, as messages: copies that could not be used, or are of another generation
  // or filesystem than the primary, devices whose superblock is older than the newest, and devices
  // that are shorter than theirs says: what lies behind their end gives errors, as bad copies do.
  const std::vector<std::string>& superblock_warnings() const;

  // What else there is to know of this filesystem, as messages, and is no damage: changes of its
  // checksums or its fsid that were interrupted, after which both states are read; and that another
  // copy of the superblock is used than the first.
  const std::vector<std::string>& notices() const;

  // The copy that the filesystem was opened by.
  SuperblockCopy superblock_copy() const;

  // How many superblocks there are that tell of different roots. The one in use after Open is 0.
  size_t superblock_candidates() const;
  // Goes over to another one, and forgets all chunks and devices but the system chunks it has. A
  // notice says so, and `why`, unless it is 0. For the opener of the filesystem: Filesystem does it
  // when the roots cannot be read. REQUIRES: candidate < superblock_candidates(); nothing else uses
  // the volume, and no cache has blocks of it. Errors: DataLoss (its system chunks); the volume is
  // then of no use until another one is tried.
  absl::Status UseSuperblock(size_t candidate, const absl::Status& why);

  // Devices given as seeds that the chunk tree, all of which was added, has not named: they are of
  // another filesystem. InvalidArgument, with the device; else OK.
  absl::Status CheckSeedsAreNamed() const;

  // Adds what the chunk tree tells. A chunk that equals one known already is fine; one that
  // overlaps another is DataLoss.
  absl::Status AddChunk(Chunk chunk);
  absl::Status AddDevice(const DeviceItem& device);
  // The chunk that begins at `logical` is no more, and no chunk has its addresses until one is
  // added; a read that is under way there ends as if it still were. Devices that only this chunk
  // named stay in missing_devices(). NotFound: no chunk begins there. REQUIRES: no block of it is
  // to be written any more.
  absl::Status RemoveChunk(uint64_t logical);

  // The devices that chunks or device items name and that were not given to Open, by id and uuid.
  std::vector<MissingDevice> missing_devices() const;

  // Whether nothing can be told of the block at `logical` because devices are missing: each copy of
  // it is on one, or the part of the chunk tree that may say where it is. An error of such a block
  // is no damage: with the devices it may be as good as any. False where a copy is on a device that
  // is there, because then an error means that this copy is bad.
  bool OnMissingDevices(uint64_t logical) const;

  // Says that a part of the chunk tree, and so perhaps the chunk of any address that has none,
  // could not be read for want of a device. For the opener of the filesystem.
  void NoteMissingChunks(const absl::Status& why);

  // The chunks as they are now, by logical address.
  std::vector<Chunk> chunks() const;

  // Of each device that is open, in the order given to Open, the device item of its superblock: as
  // it was when the device was opened, or as WriteSuperblocks has written it last.
  std::vector<DeviceItem> devices() const;

  // All copies of [logical, logical + length), by mirror number - 1. The range must lie in one
  // chunk and, on striped profiles, in one stripe element. Errors: NotFound (no chunk there),
  // Unavailable (none is known: see NoteMissingChunks), Unimplemented (raid5/6), DataLoss (crosses
  // a boundary).
  absl::StatusOr<std::vector<PhysicalExtent>> Map(uint64_t logical, uint64_t length) const;

  // Reads these copies and no others, each device in the order of offsets, and validates each as Read
  // does. Nothing is repaired or told of (on_damage). The buffers' bytes are whatever came, if any
  // did, also where a copy is bad. Each status is OK, or "block L: REASON": DataLoss, the copy is
  // bad; Unavailable, its device is missing, gave an error, or CheckCopy refuses it; OutOfRange, it
  // lies behind the end of its device; ResourceExhausted, memory was out; NotFound, no such copy;
  // else as Map. REQUIRES: private buffers of the node size, none of them twice.
  void ReadCopies(absl::Span<CopyRead> reads) const;
  // One of them.
  absl::Status ReadCopy(ExtentBuffer& buffer, int mirror, const ParentCheck* check) const;

  // Whether copy `mirror`, from 1, of the block at `logical` may be read, as far as this volume
  // knows: not where a write of the block succeeded in other copies and failed in this one, whose
  // bytes are older, and validate as well. Unavailable then, "block L: mirror M: its last write
  // failed: REASON"; else OK, also when there is no such copy. For callers that read a copy by
  // itself: to be asked before that.
  absl::Status CheckCopy(uint64_t logical, int mirror) const;

  // BlockSource. Read tries mirrors until one validates; the error of a block of which none does
  // names each mirror with device, physical offset and reason. It is ResourceExhausted when there
  // was no memory to read some copy with, which may be good; else DataLoss when some copy was read
  // and is bad; else Unavailable: devices are missing (OnMissingDevices) or gave errors.
  // Copies that CheckCopy refuses are not read: when no other is good, that is an error.
  void Read(absl::Span<BlockRead> reads) override;
  absl::Status CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) override;
  // OK when one copy has the bytes; the others that do not are told of (on_damage), and CheckCopy
  // refuses them until a write or a repair of them has succeeded, as long as the volume is open.
  // Else Unavailable, with each copy, or what is wrong with the block; ResourceExhausted also where
  // there is no memory to remember which copies were not written.
  // Of writes that are until_flush the devices are asked for no more than to take the bytes: a copy
  // that was not taken has failed as above, one that was is on disk after the next OK of Flush.
  void Write(absl::Span<BlockWrite> writes) override;

  // Every place for a copy on every open device, as it is there now; by device, its first one first.
  // Errors: the device's, with its name.
  absl::StatusOr<std::vector<SuperblockImage>> SuperblockImages() const;

  // Flushes every open device, all of them whatever becomes of the others. OK: what was written
  // until_flush before the call began is on disk, in each copy that was OK. Else the error of the
  // first device that has one, which names it; of what was written until_flush since the last OK,
  // any copy on that device may then be lost, at once or after a crash, and CheckCopy does not know
  // of which.
  absl::Status Flush();
  // The same, and says of each device how it went, in the order given to Open. May throw bad_alloc,
  // and has then flushed none.
  std::vector<DeviceFlush> FlushDevices();

  // Goes on without what devices may have lost whose flush has failed: of the blocks at these
  // addresses, all that were written until_flush and have not been flushed since, every copy on
  // such a device counts as one whose write has failed, as Write says: told of, and not read. OK:
  // each block has another copy, on a device that flushed, whose last write was OK. Errors, and
  // nothing has changed: Unavailable, a block has none, with what is wrong with each copy; else as
  // Map. ResourceExhausted: some copies may count as lost, there was no memory to remember the rest.
  absl::Status LoseUnflushed(absl::Span<const uint64_t> blocks,
                             absl::Span<const DeviceFlush> flushes);

  // Writes `next` to the superblocks of every open device, each with the item of its own out of
  // `devices` (by id; other items are passed over) and the address of the copy; what `next` has in
  // these two places is not looked at. First the primaries, each of which is on disk before the
  // next device has its turn; when at least one is, the mirrors that lie wholly within the device and
  // within the total_bytes of its item, also on devices whose primary was not written; then every
  // device is flushed. Nothing is published. REQUIRES: what `next` leads to is on disk (Flush), or
  // copies of it are that stand in for others (LoseUnflushed).
  //
  // A device of `flushes` that is not OK is passed over, and its superblocks stay as they are: they
  // lead to blocks that it has, and say to openers that it is behind the others. It counts as one
  // whose copies were not written, with that status.
  //
  // OK: at least one primary has it, so that the next opener finds it. `failures` are then the copies
  // that may not be on disk, by device: those whose write has failed, and the mirrors on a device
  // whose flush has (where it has none, its primary).
  // Errors, and nothing was written: PermissionDenied (open read-only); InvalidArgument (a device
  // without item, or whose item is of another uuid; another node or sector size than before);
  // FailedPrecondition (not newer than superblock(); the flush of every device has failed); those of
  // EncodeSuperblock and ParseSuperblock where `next` does not pass them; ResourceExhausted (memory).
  // `failures` are then none.
  // Unavailable, or ResourceExhausted: no primary was written, and `failures` are all of them;
  // mirrors were not touched. What remains unknown then: a device that gave an error may have the
  // new primary all the same, now or after a crash, or half of it. So what `next` leads to must stay
  // where it is, as well as what superblock() leads to, until a later call was OK.
  // An fsid that is not that of before is taken for meant.
  absl::Status WriteSuperblocks(const Superblock& next, absl::Span<const DeviceItem> devices,
                                std::vector<SuperblockFailure>* failures,
                                absl::Span<const DeviceFlush> flushes = {});

  // From now on superblock() is `next`, and blocks are validated by it: its generation is the last
  // committed one, so that a block that is written must be newer, and items may tell of no newer one
  // than that after it, which is that of the transaction that is open; headers have the fsid that it
  // says (or those of seeds, as ever); features and checksums are its own. Needs no memory, and so
  // cannot fail, where it differs from superblock() in neither fsid, flags, features nor the type of
  // checksums; else may throw bad_alloc, and has then changed nothing. REQUIRES: node and sector
  // size are those of before (CHECK).
  void PublishSuperblock(Superblock next);

  // The whole validation of a block as read, in the kernel's order: address, fsid, level, checksum,
  // what the parent expects, then the checker. `check` may be null.
  absl::Status Validate(const ExtentBuffer& buffer, const ParentCheck* check) const;

 private:
  struct Impl;
  absl::Status MissedWrite(uint64_t logical, int mirror) const;
  explicit Volume(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ebcache

#endif  // EBCACHE_VOLUME_H_
