// Where the bytes of files are, and their checksums.

#include "lib/disk/item_rules.h"
#include "lib/disk/rejection.h"

namespace ebcache {
namespace {

constexpr uint64_t kDataChecksumsObjectId = static_cast<uint64_t>(-10);

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

// An extent that begins before the one in the slot before ends.
bool OverlapsPrevious(const CheckedItem& item) {
  if (!item.follows_its_kind()) return false;
  const CheckedItem previous = item.previous();  // has passed already
  if (previous.Load<uint8_t>(20) == kInlineExtent) return false;
  return previous.offset() + FileExtentBytes(previous) > item.offset();
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
  if (!FitsAddressSpace(disk_start, disk_bytes) || !FitsAddressSpace(item.offset(), file_bytes) ||
      !FitsAddressSpace(skipped_bytes, file_bytes)) [[unlikely]] {
    return Reject(Rejection::kFileExtentRange, file_bytes, " bytes, from ", skipped_bytes, " at ",
                  disk_start, ", ", disk_bytes, " on disk: leaves the address space");
  }
  if (OverlapsPrevious(item)) [[unlikely]] {
    return Reject(Rejection::kFileExtentOverlap, "overlaps the extent before it");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckFileExtent(const CheckedItem& item) {
  if (item.size() < kFileExtentHeaderBytes) [[unlikely]] {
    return Reject(Rejection::kFileExtentSize, item.size(), " bytes, the header alone has ",
                  kFileExtentHeaderBytes);
  }
  const uint8_t compression = item.Load<uint8_t>(16);
  const uint8_t encryption = item.Load<uint8_t>(17);
  const uint16_t other_encoding = item.Load<uint16_t>(18);
  const uint8_t type = item.Load<uint8_t>(20);
  if (type > kPreallocatedExtent) [[unlikely]] {
    return Reject(Rejection::kFileExtentType, "extent of type ", type);
  }
  if (compression > kMostCompression || encryption != 0 || other_encoding != 0) [[unlikely]] {
    return Reject(Rejection::kFileExtentEncoding, "compression ", compression, ", encryption ",
                  encryption, ", encoding ", other_encoding);
  }
  if (!item.Aligned(item.offset())) [[unlikely]] {
    return Reject(Rejection::kFileExtentAlign, "begins within a sector of its file");
  }
  return type == kInlineExtent ? CheckInlineExtent(item, compression != 0)
                               : CheckExtentOnDisk(item);
}

absl::Status CheckDataChecksums(const CheckedItem& item) {
  if (item.objectid() != kDataChecksumsObjectId || !item.Aligned(item.offset())) [[unlikely]] {
    return Reject(Rejection::kChecksumKey, "not the key of checksums of sectors");
  }
  const uint32_t checksum_bytes = item.limits().checksum_bytes;
  if (checksum_bytes == 0) return absl::OkStatus();
  if (item.size() == 0 || item.size() % checksum_bytes != 0) [[unlikely]] {
    return Reject(Rejection::kChecksumSize, item.size(), " bytes, a checksum has ", checksum_bytes);
  }
  if (item.follows_its_kind()) {
    const CheckedItem previous = item.previous();
    const uint64_t sectors = previous.size() / checksum_bytes;
    if (item.offset() - previous.offset() < sectors * item.limits().sector_bytes) [[unlikely]] {
      return Reject(Rejection::kChecksumOverlap, "checksums of ", previous.offset(), " reach to ",
                    previous.offset() + sectors * item.limits().sector_bytes);
    }
  }
  return absl::OkStatus();
}

}  // namespace ebcache
