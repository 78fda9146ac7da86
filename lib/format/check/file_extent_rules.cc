// Where the bytes of files are, and their checksums.

#include "lib/format/check/item_rules.h"
#include "lib/format/check/rejection.h"

namespace ebcache {
namespace {

constexpr uint32_t kFileExtentHeaderBytes = FileExtentItem::kHeadBytes;
constexpr uint32_t kFileExtentItemBytes = FileExtentItem::kHeadBytes + FileExtentPlace::kBytes;
constexpr uint8_t kInlineExtent = static_cast<uint8_t>(FileExtentType::kInline);
constexpr uint8_t kLastExtentType = static_cast<uint8_t>(FileExtentType::kPreallocated);
constexpr uint8_t kMostCompression = static_cast<uint8_t>(Compression::kZstd);

absl::Status CheckInlineExtent(const CheckedItem& item, bool compressed) {
  if (item.offset() != 0) [[unlikely]] {
    return Reject(Rejection::kFileExtentInline, "inline data that is not the front of its file");
  }
  const uint64_t file_bytes = item.Get<&FileExtentItem::ram_bytes>();
  const uint64_t here = item.size() - kFileExtentHeaderBytes;
  if (!compressed && file_bytes != here) [[unlikely]] {
    return Reject(Rejection::kFileExtentInline, here, " bytes of inline data, ", file_bytes,
                  " by their header");
  }
  return absl::OkStatus();
}

// REQUIRES: kFileExtentItemBytes.
uint64_t FileExtentBytes(const CheckedItem& item) {
  return item.Get<&FileExtentPlace::file_bytes>(kFileExtentHeaderBytes);
}

// How far into its file the extent of an item reaches that has passed. An inline one may end in the
// middle of a sector, which is as good as its end: the next begins at one.
uint64_t FileExtentReach(const CheckedItem& item) {
  return item.Get<&FileExtentItem::type>() == kInlineExtent ? item.Get<&FileExtentItem::ram_bytes>()
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
  const auto place = item.Decode<FileExtentPlace>(kFileExtentHeaderBytes);
  const uint64_t all_bytes = item.Get<&FileExtentItem::ram_bytes>();
  if (!item.Aligned(place.disk_bytenr | place.disk_bytes | place.offset | place.file_bytes |
                    all_bytes)) [[unlikely]] {
    return Reject(Rejection::kFileExtentAlign, place.file_bytes, " bytes, from ", place.offset,
                  " in ", all_bytes, ", at ", place.disk_bytenr, ", ", place.disk_bytes,
                  " on disk: not in sectors");
  }
  if (!FitsAddressSpace(item.offset(), place.file_bytes)) [[unlikely]] {
    return Reject(Rejection::kFileExtentRange, place.file_bytes, " bytes: longer than any file");
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
  const uint8_t compression = item.Get<&FileExtentItem::compression>();
  const uint8_t encryption = item.Get<&FileExtentItem::encryption>();
  const uint8_t type = item.Get<&FileExtentItem::type>();
  if (type > kLastExtentType) [[unlikely]] {
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
