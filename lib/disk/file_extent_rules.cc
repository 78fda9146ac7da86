// Where the bytes of files are, and their checksums.

#include "lib/disk/item_rules.h"
#include "lib/disk/rejection.h"
#include "lib/mm/planted.h"

namespace ebcache {
namespace {

constexpr uint64_t kDataChecksumsObjectId = static_cast<uint64_t>(-10);
// Those of the new type, while the type is being changed.
constexpr uint64_t kNewDataChecksumsObjectId = static_cast<uint64_t>(-13);

constexpr uint32_t kFileExtentHeaderBytes = 21;
constexpr uint32_t kFileExtentItemBytes = 53;
constexpr uint8_t kInlineExtent = 0;
constexpr uint8_t kPreallocatedExtent = 2;  // the last
constexpr uint8_t kMostCompression = 3;     // zstd

absl::Status CheckInlineExtent(const CheckedItem& item, bool compressed) {
  if (item.offset() != 0) [[unlikely]] {
    return Reject(Rejection::kFileExtentInline, "inline data that is not the front of its file");
  }
  const uint64_t file_bytes = item.Load<uint64_t>(8);
  const uint64_t here = item.size() - kFileExtentHeaderBytes;
  if (!compressed && file_bytes != here) [[unlikely]] {
    return Reject(Rejection::kFileExtentInline, here, " bytes of inline data, ", file_bytes,
                  " by their header");
  }
  return absl::OkStatus();
}

// REQUIRES: kFileExtentItemBytes.
uint64_t FileExtentBytes(const CheckedItem& item) { return item.Load<uint64_t>(45); }

// How far into its file the extent of an item reaches that has passed. An inline one may end in the
// middle of a sector, which is as good as its end: the next begins at one.
uint64_t FileExtentReach(const CheckedItem& item) {
  return item.Load<uint8_t>(20) == kInlineExtent ? item.Load<uint64_t>(8)
                                                 : item.offset() + FileExtentBytes(item);
}

absl::Status CheckFileExtentOverlap(const CheckedItem& item) {
  if (!item.follows_its_kind() || FileExtentReach(item.previous()) <= item.offset()) [[likely]] {
    return absl::OkStatus();
  }
  return Reject(Rejection::kFileExtentOverlap, "overlaps the extent before it");
}

absl::Status CheckExtentOnDisk(const CheckedItem& item) {
  if (item.size() != kFileExtentItemBytes) [[unlikely]] {
    return Reject(Rejection::kFileExtentSize, item.size(), " bytes, an extent on disk has ",
                  kFileExtentItemBytes);
  }
  const uint64_t disk_start = item.Load<uint64_t>(21);
  const uint64_t disk_bytes = item.Load<uint64_t>(29);
  const uint64_t skipped_bytes = item.Load<uint64_t>(37);
  const uint64_t file_bytes = FileExtentBytes(item);
  const uint64_t all_bytes = item.Load<uint64_t>(8);
  if (!item.Aligned(disk_start | disk_bytes | skipped_bytes | file_bytes | all_bytes))
      [[unlikely]] {
    return Reject(Rejection::kFileExtentAlign, file_bytes, " bytes, from ", skipped_bytes, " in ",
                  all_bytes, ", at ", disk_start, ", ", disk_bytes, " on disk: not in sectors");
  }
  if (!FitsAddressSpace(item.offset(), file_bytes) && !fuzz::Planted("file-range-wraps"))
      [[unlikely]] {
    return Reject(Rejection::kFileExtentRange, file_bytes, " bytes: longer than any file");
  }
  return CheckFileExtentOverlap(item);
}

// Bytes of one data checksum in an item, the largest that its size allows. 0: none does.
uint32_t DataChecksumBytes(const CheckedItem& item) {
  const TreeBlockLimits& limits = item.limits();
  const auto fits = [&](uint32_t bytes) { return item.size() % bytes == 0; };
  if (!limits.changing_checksums) return fits(limits.checksum_bytes) ? limits.checksum_bytes : 0;
  // Of which type the new ones are no item tells; towards the end they have the key of the old
  // ones.
  for (uint32_t bytes : {32, 8, 4}) {
    if (fits(bytes)) return bytes;
  }
  return 0;
}

}  // namespace

absl::Status CheckFileExtent(const CheckedItem& item) {
  if (absl::Status status = CheckFollowsInode(item); !status.ok()) return status;
  if (item.size() < kFileExtentHeaderBytes) [[unlikely]] {
    return Reject(Rejection::kFileExtentSize, item.size(), " bytes, the header alone has ",
                  kFileExtentHeaderBytes);
  }
  const uint8_t compression = item.Load<uint8_t>(16);
  const uint8_t encryption = item.Load<uint8_t>(17);
  const uint8_t type = item.Load<uint8_t>(20);
  if (type > kPreallocatedExtent) [[unlikely]] {
    return Reject(Rejection::kFileExtentType, "extent of type ", type);
  }
  // The other encoding, behind these two, was never in use, and never looked at.
  if (compression > kMostCompression || encryption != 0) [[unlikely]] {
    return Reject(Rejection::kFileExtentEncoding, "compression ", compression, ", encryption ",
                  encryption);
  }
  if (!item.Aligned(item.offset())) [[unlikely]] {
    return Reject(Rejection::kFileExtentAlign, "begins within a sector of its file");
  }
  return type == kInlineExtent ? CheckInlineExtent(item, compression != 0)
                               : CheckExtentOnDisk(item);
}

absl::Status CheckDataChecksums(const CheckedItem& item) {
  const bool checksums =
      item.objectid() == kDataChecksumsObjectId ||
      (item.objectid() == kNewDataChecksumsObjectId && item.limits().changing_checksums);
  if (!checksums || !item.Aligned(item.offset())) [[unlikely]] {
    return Reject(Rejection::kChecksumKey, "not the key of checksums of sectors");
  }
  if (item.limits().checksum_bytes == 0) return absl::OkStatus();
  if (DataChecksumBytes(item) == 0) [[unlikely]] {
    return Reject(Rejection::kChecksumSize, item.size(), " bytes, a checksum has ",
                  item.limits().checksum_bytes);
  }
  if (item.follows_its_kind()) {
    const CheckedItem previous = item.previous();  // has passed already
    const uint64_t sectors = previous.size() / DataChecksumBytes(previous);
    if (item.offset() - previous.offset() < sectors * item.limits().sector_bytes) [[unlikely]] {
      return Reject(Rejection::kChecksumOverlap, "checksums of ", previous.offset(), " reach to ",
                    previous.offset() + sectors * item.limits().sector_bytes);
    }
  }
  return absl::OkStatus();
}

}  // namespace ebcache
