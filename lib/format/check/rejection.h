// The rules of the checker by name.
//
// Each way in which a tree block can be refused has a name, which stands in brackets at the end of
// the message: "slot 3, item (257 INODE_ITEM 0): mode 0170000 is no kind of file [inode-mode]". A
// log can be searched by it, and a test sees to it that each one is met.

#ifndef EBCACHE_LIB_FORMAT_CHECK_REJECTION_H_
#define EBCACHE_LIB_FORMAT_CHECK_REJECTION_H_

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <cstddef>
#include <cstdint>

namespace ebcache {

// One list, so that a rule cannot be without a name.
#define EBCACHE_REJECTIONS(X)                                     \
  /* Blocks. */                                                   \
  X(kBlockSize, "block-size")                                     \
  X(kBlockLevel, "block-level")                                   \
  X(kNotWritten, "not-written")                                   \
  X(kKeyOrder, "key-order")                                       \
  X(kLeafCount, "leaf-count")                                     \
  X(kLeafEmpty, "leaf-empty")                                     \
  X(kLeafDataEnd, "leaf-data-end")                                \
  X(kLeafDataOverlap, "leaf-data-overlap")                        \
  X(kNodeCount, "node-count")                                     \
  X(kNodePointerZero, "node-pointer-zero")                        \
  X(kNodePointerAlign, "node-pointer-align")                      \
  /* Items of fixed size, or of so many records of fixed size. */ \
  X(kItemSize, "item-size")                                       \
  X(kItemRecords, "item-records")                                 \
  /* Inodes. */                                                   \
  X(kInodeKey, "inode-key")                                       \
  X(kInodeMode, "inode-mode")                                     \
  X(kInodeGeneration, "inode-generation")                         \
  X(kInodeLinks, "inode-links")                                   \
  X(kInodeFlags, "inode-flags")                                   \
  X(kInodeMissing, "inode-missing")                               \
  /* Names: of inodes, directory entries and attributes. */       \
  X(kNameTruncated, "name-truncated")                             \
  X(kNameLength, "name-length")                                   \
  X(kDirectoryHash, "directory-hash")                             \
  X(kDirectoryType, "directory-type")                             \
  X(kDirectoryLocation, "directory-location")                     \
  X(kDirectoryData, "directory-data")                             \
  /* File extents and checksums of data. */                       \
  X(kFileExtentSize, "file-extent-size")                          \
  X(kFileExtentType, "file-extent-type")                          \
  X(kFileExtentEncoding, "file-extent-encoding")                  \
  X(kFileExtentInline, "file-extent-inline")                      \
  X(kFileExtentAlign, "file-extent-align")                        \
  X(kFileExtentRange, "file-extent-range")                        \
  X(kFileExtentOverlap, "file-extent-overlap")                    \
  X(kChecksumKey, "checksum-key")                                 \
  X(kChecksumSize, "checksum-size")                               \
  X(kChecksumOverlap, "checksum-overlap")                         \
  /* Extents and references to them. */                           \
  X(kExtentSize, "extent-size")                                   \
  X(kExtentKey, "extent-key")                                     \
  X(kExtentSkinny, "extent-skinny")                               \
  X(kExtentFlags, "extent-flags")                                 \
  X(kExtentGeneration, "extent-generation")                       \
  X(kExtentLevel, "extent-level")                                 \
  X(kExtentOverlap, "extent-overlap")                             \
  X(kInlineRefTruncated, "inline-ref-truncated")                  \
  X(kInlineRefType, "inline-ref-type")                            \
  X(kInlineRefAlign, "inline-ref-align")                          \
  X(kInlineRefCount, "inline-ref-count")                          \
  X(kInlineRefOrder, "inline-ref-order")                          \
  X(kDataRefRoot, "data-ref-root")                                \
  X(kDataRefObject, "data-ref-object")                            \
  X(kReferenceCount, "reference-count")                           \
  X(kReferenceAlign, "reference-align")                           \
  X(kReferenceKey, "reference-key")                               \
  /* Roots. */                                                    \
  X(kRootKey, "root-key")                                         \
  X(kRootItem, "root-item")                                       \
  X(kRootGeneration, "root-generation")                           \
  X(kRootFlags, "root-flags")                                     \
  /* Space. */                                                    \
  X(kChunkItem, "chunk-item")                                     \
  X(kDeviceKey, "device-key")                                     \
  X(kDeviceItem, "device-item")                                   \
  X(kDeviceExtentOwner, "device-extent-owner")                    \
  X(kDeviceExtentRange, "device-extent-range")                    \
  X(kDeviceExtentOverlap, "device-extent-overlap")                \
  X(kBlockGroupRange, "block-group-range")                        \
  X(kBlockGroupUsed, "block-group-used")                          \
  X(kBlockGroupChunk, "block-group-chunk")                        \
  X(kBlockGroupType, "block-group-type")                          \
  X(kStripeFeature, "stripe-feature")

enum class Rejection : uint8_t {
#define EBCACHE_REJECTION_ENUMERATOR(enumerator, name) enumerator,
  EBCACHE_REJECTIONS(EBCACHE_REJECTION_ENUMERATOR)
#undef EBCACHE_REJECTION_ENUMERATOR
};

inline constexpr absl::string_view kRejectionNames[] = {
#define EBCACHE_REJECTION_NAME(enumerator, name) name,
    EBCACHE_REJECTIONS(EBCACHE_REJECTION_NAME)
#undef EBCACHE_REJECTION_NAME
};

constexpr absl::string_view RejectionName(Rejection rejection) {
  return kRejectionNames[static_cast<size_t>(rejection)];
}

// DataLoss "REASON [NAME]". The reason is given in pieces, as to StrCat.
template <typename... Pieces>
[[gnu::cold]] absl::Status Reject(Rejection rejection, const Pieces&... reason) {
  return absl::DataLossError(
      absl::StrCat(absl::StrCat(reason...), " [", RejectionName(rejection), "]"));
}

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_CHECK_REJECTION_H_
