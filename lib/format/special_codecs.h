// Types whose form depends on what is in them: file extents, bitmaps, inline references, chunks.

#ifndef EBCACHE_LIB_FORMAT_SPECIAL_CODECS_H_
#define EBCACHE_LIB_FORMAT_SPECIAL_CODECS_H_

#include "ebcache/items.h"
#include "lib/format/codec.h"
#include "lib/format/layout.h"

namespace ebcache::format {

// Inline data goes on to the end of the item.
template <>
struct Codec<FileExtentItem> {
  static constexpr const char* kName = Layout<FileExtentItem>::kName;

  static absl::Status Decode(absl::Span<const std::byte> bytes, FileExtentItem& value,
                             size_t& used);
  static size_t Bytes(const FileExtentItem& value);
  static absl::Status Check(const FileExtentItem& value);
  static void Encode(const FileExtentItem& value, std::byte* out);
};

// As many bytes as the item has, which its key tells.
template <>
struct Codec<FreeSpaceBitmap> {
  static constexpr const char* kName = "free space bitmap";

  static absl::Status Decode(absl::Span<const std::byte> bytes, FreeSpaceBitmap& value,
                             size_t& used);
  static size_t Bytes(const FreeSpaceBitmap& value) { return value.bits.size(); }
  static absl::Status Check(const FreeSpaceBitmap& value);
  static void Encode(const FreeSpaceBitmap& value, std::byte* out);
};

// A type, and the struct that it says.
template <>
struct Codec<InlineRef> {
  static constexpr const char* kName = "inline reference";

  static absl::Status Decode(absl::Span<const std::byte> bytes, InlineRef& value, size_t& used);
  static size_t Bytes(const InlineRef& value);
  static absl::Status Check(const InlineRef&) { return absl::OkStatus(); }
  static void Encode(const InlineRef& value, std::byte* out);
};

// The number of stripes is among the fields, the stripes are behind them.
template <>
struct Codec<ChunkItem> {
  static constexpr const char* kName = Layout<ChunkItem>::kName;

  static absl::Status Decode(absl::Span<const std::byte> bytes, ChunkItem& value, size_t& used);
  static size_t Bytes(const ChunkItem& value);
  static absl::Status Check(const ChunkItem& value);
  static void Encode(const ChunkItem& value, std::byte* out);
};

// A key, and the chunk behind it.
template <>
struct Codec<SystemChunk> {
  static constexpr const char* kName = "system chunk";

  static absl::Status Decode(absl::Span<const std::byte> bytes, SystemChunk& value, size_t& used);
  static size_t Bytes(const SystemChunk& value);
  static absl::Status Check(const SystemChunk& value);
  static void Encode(const SystemChunk& value, std::byte* out);
};

}  // namespace ebcache::format

#endif  // EBCACHE_LIB_FORMAT_SPECIAL_CODECS_H_
