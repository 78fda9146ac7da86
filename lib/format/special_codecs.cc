#include "lib/format/special_codecs.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <limits>
#include <variant>

namespace ebcache::format {

// ---- File extents -------------------------------------------------------------------------------

absl::Status Codec<FileExtentItem>::Decode(absl::Span<const std::byte> bytes, FileExtentItem& value,
                                           size_t& used) {
  constexpr size_t kHead = FileExtentItem::kHeadBytes;
  if (bytes.size() < kHead) {
    return Damaged(kName, bytes.size(), " bytes, the fields in front have ", kHead);
  }
  DiskType<FileExtentItem>::Decode(bytes.data(), value);
  value.place.reset();
  value.inline_data = {};
  if (value.is_inline()) {
    value.inline_data = ViewOf(bytes.subspan(kHead));
    used = bytes.size();
    return absl::OkStatus();
  }
  used = kHead + FileExtentPlace::kBytes;
  if (bytes.size() < used) {
    return Damaged(kName, bytes.size(), " bytes, of type ", value.type, " it has ", used);
  }
  DiskType<FileExtentPlace>::Decode(bytes.data() + kHead, value.place.emplace());
  return absl::OkStatus();
}

size_t Codec<FileExtentItem>::Bytes(const FileExtentItem& value) {
  return FileExtentItem::kHeadBytes +
         (value.is_inline() ? value.inline_data.size() : FileExtentPlace::kBytes);
}

absl::Status Codec<FileExtentItem>::Check(const FileExtentItem& value) {
  if (value.is_inline() && value.place) return Unsayable(kName, "inline, and in another place");
  if (!value.is_inline() && !value.place) return Unsayable(kName, "not inline, and in no place");
  if (!value.is_inline() && !value.inline_data.empty()) {
    return Unsayable(kName, "inline data, and of type ", value.type);
  }
  return absl::OkStatus();
}

void Codec<FileExtentItem>::Encode(const FileExtentItem& value, std::byte* out) {
  DiskType<FileExtentItem>::Encode(value, out);
  out += FileExtentItem::kHeadBytes;
  if (value.is_inline()) {
    CopyTo(out, value.inline_data);
  } else {
    DiskType<FileExtentPlace>::Encode(*value.place, out);
  }
}

// ---- Bitmaps ------------------------------------------------------------------------------------

absl::Status Codec<FreeSpaceBitmap>::Decode(absl::Span<const std::byte> bytes,
                                            FreeSpaceBitmap& value, size_t& used) {
  constexpr size_t kMost = FreeSpaceBitmap::kMostBytes;
  if (bytes.empty() || bytes.size() > kMost) {
    return Damaged(kName, bytes.size(), " bytes, it has 1 to ", kMost);
  }
  value.bits = bytes;
  used = bytes.size();
  return absl::OkStatus();
}

absl::Status Codec<FreeSpaceBitmap>::Check(const FreeSpaceBitmap& value) {
  constexpr size_t kMost = FreeSpaceBitmap::kMostBytes;
  if (!value.bits.empty() && value.bits.size() <= kMost) return absl::OkStatus();
  return Unsayable(kName, value.bits.size(), " bytes, there can be 1 to ", kMost);
}

void Codec<FreeSpaceBitmap>::Encode(const FreeSpaceBitmap& value, std::byte* out) {
  std::copy(value.bits.begin(), value.bits.end(), out);
}

// ---- Inline references --------------------------------------------------------------------------

namespace {

// Tries the types of the variant in turn.
template <size_t kIndex = 0>
absl::Status DecodeInlineRef(uint8_t type, absl::Span<const std::byte> bytes, InlineRef& value,
                             size_t& used) {
  if constexpr (kIndex < std::variant_size_v<InlineRef>) {
    using Ref = std::variant_alternative_t<kIndex, InlineRef>;
    if (type != Ref::kType) return DecodeInlineRef<kIndex + 1>(type, bytes, value, used);
    Ref ref;
    if (absl::Status status = Codec<Ref>::Decode(bytes, ref, used); !status.ok()) return status;
    value = ref;
    return absl::OkStatus();
  }
  return Damaged(Codec<InlineRef>::kName, "unknown type ", type);
}

}  // namespace

absl::Status Codec<InlineRef>::Decode(absl::Span<const std::byte> bytes, InlineRef& value,
                                      size_t& used) {
  if (bytes.empty()) return Damaged(kName, "0 bytes");
  const uint8_t type = LoadLe8(bytes, 0);
  absl::Status status = DecodeInlineRef(type, bytes.subspan(1), value, used);
  used += 1;
  return status;
}

size_t Codec<InlineRef>::Bytes(const InlineRef& value) {
  return 1 + std::visit([](const auto& ref) { return ref.kBytes; }, value);
}

void Codec<InlineRef>::Encode(const InlineRef& value, std::byte* out) {
  StoreLe(InlineRefType(value), out);
  std::visit(
      [out](const auto& ref) {
        DiskType<std::remove_cvref_t<decltype(ref)>>::Encode(ref, out + 1);
      },
      value);
}

// ---- Chunks -------------------------------------------------------------------------------------

absl::Status Codec<ChunkItem>::Decode(absl::Span<const std::byte> bytes, ChunkItem& value,
                                      size_t& used) {
  constexpr size_t kHead = ChunkItem::kHeadBytes;
  if (bytes.size() < kHead) {
    return Damaged(kName, bytes.size(), " bytes, without a stripe it has ", kHead);
  }
  const size_t count = LoadLe16(bytes, kChunkStripeCountOffset);
  used = kHead + count * ChunkItem::kStripeBytes;
  if (bytes.size() < used) {
    return Damaged(kName, bytes.size(), " bytes, with ", count, " stripes it has ", used);
  }
  DiskType<ChunkItem>::Decode(bytes.data(), value);
  value.stripes.resize(count);
  const std::byte* at = bytes.data() + kHead;
  for (ChunkStripe& stripe : value.stripes) {
    DiskType<ChunkStripe>::Decode(at, stripe);
    at += ChunkItem::kStripeBytes;
  }
  return absl::OkStatus();
}

size_t Codec<ChunkItem>::Bytes(const ChunkItem& value) {
  return ChunkItem::kHeadBytes + value.stripes.size() * ChunkItem::kStripeBytes;
}

absl::Status Codec<ChunkItem>::Check(const ChunkItem& value) {
  constexpr size_t kMost = std::numeric_limits<uint16_t>::max();
  if (value.stripes.size() <= kMost) return absl::OkStatus();
  return Unsayable(kName, value.stripes.size(), " stripes, there can be ", kMost);
}

void Codec<ChunkItem>::Encode(const ChunkItem& value, std::byte* out) {
  DiskType<ChunkItem>::Encode(value, out);
  StoreLe(static_cast<uint16_t>(value.stripes.size()), out + kChunkStripeCountOffset);
  out += ChunkItem::kHeadBytes;
  for (const ChunkStripe& stripe : value.stripes) {
    DiskType<ChunkStripe>::Encode(stripe, out);
    out += ChunkItem::kStripeBytes;
  }
}

absl::Status Codec<SystemChunk>::Decode(absl::Span<const std::byte> bytes, SystemChunk& value,
                                        size_t& used) {
  constexpr size_t kKey = DiskType<Key>::kBytes;
  if (bytes.size() < kKey) return Damaged(kName, bytes.size(), " bytes, its key has ", kKey);
  DiskType<Key>::Decode(bytes.data(), value.key);
  absl::Status status = Codec<ChunkItem>::Decode(bytes.subspan(kKey), value.chunk, used);
  used += kKey;
  return status;
}

size_t Codec<SystemChunk>::Bytes(const SystemChunk& value) {
  return DiskType<Key>::kBytes + Codec<ChunkItem>::Bytes(value.chunk);
}

absl::Status Codec<SystemChunk>::Check(const SystemChunk& value) {
  return Codec<ChunkItem>::Check(value.chunk);
}

void Codec<SystemChunk>::Encode(const SystemChunk& value, std::byte* out) {
  DiskType<Key>::Encode(value.key, out);
  Codec<ChunkItem>::Encode(value.chunk, out + DiskType<Key>::kBytes);
}

}  // namespace ebcache::format
