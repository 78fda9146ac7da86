#include "lib/format/superblock_codec.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace ebcache::format {
namespace {

bool AllZero(absl::Span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// What is behind the first `used` bytes of a field; nothing where that says nothing.
std::vector<std::byte> Remainder(absl::Span<const std::byte> field, size_t used) {
  field.remove_prefix(std::min(used, field.size()));
  if (AllZero(field)) return {};
  return {field.begin(), field.end()};
}

// Fills a field of `room` bytes at `out`.
void EncodeField(absl::Span<const std::byte> used, absl::Span<const std::byte> remainder,
                 size_t room, std::byte* out) {
  out = std::copy(used.begin(), used.end(), out);
  if (used.size() + remainder.size() == room) {
    std::copy(remainder.begin(), remainder.end(), out);
  } else {
    std::fill_n(out, room - used.size(), std::byte{0});
  }
}

absl::Span<const std::byte> BytesOf(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace

void DecodeVariableParts(absl::Span<const std::byte> bytes, size_t array_bytes,
                         Superblock& superblock) {
  const auto* label = reinterpret_cast<const char*>(bytes.data() + kLabelOffset);
  superblock.label.assign(label, strnlen(label, kLabelBytes));
  superblock.label_remainder =
      Remainder(bytes.subspan(kLabelOffset, kLabelBytes), superblock.label.size());
  const absl::Span<const std::byte> array = bytes.subspan(kSystemChunkArrayOffset, array_bytes);
  superblock.system_chunk_array.assign(array.begin(), array.end());
  superblock.system_chunk_array_remainder =
      Remainder(bytes.subspan(kSystemChunkArrayOffset, kSystemChunkArrayBytes), array_bytes);
}

absl::Status Codec<Superblock>::Decode(absl::Span<const std::byte> bytes, Superblock& value,
                                       size_t& used) {
  if (bytes.size() < kSuperblockBytes) {
    return Damaged(kName, bytes.size(), " bytes, it has ", kSuperblockBytes);
  }
  const size_t array_bytes = LoadLe32(bytes, kSystemChunkArrayBytesOffset);
  if (array_bytes > kSystemChunkArrayBytes) {
    return Damaged(kName, "system chunk array of ", array_bytes, " bytes, room is for ",
                   kSystemChunkArrayBytes);
  }
  DiskType<Superblock>::Decode(bytes.data(), value);
  DecodeVariableParts(bytes, array_bytes, value);
  used = kSuperblockBytes;
  return absl::OkStatus();
}

absl::Status Codec<Superblock>::Check(const Superblock& value) {
  if (value.label.size() > kLabelBytes) {
    return Unsayable(kName, "label of ", value.label.size(), " bytes, room is for ", kLabelBytes);
  }
  // A zero would end it when it is read again.
  if (value.label.find('\0') != std::string::npos) return Unsayable(kName, "a zero in its label");
  if (value.system_chunk_array.size() > kSystemChunkArrayBytes) {
    return Unsayable(kName, "system chunk array of ", value.system_chunk_array.size(),
                     " bytes, room is for ", kSystemChunkArrayBytes);
  }
  return absl::OkStatus();
}

void Codec<Superblock>::Encode(const Superblock& value, std::byte* out) {
  DiskType<Superblock>::Encode(value, out);
  EncodeField(BytesOf(value.label), value.label_remainder, kLabelBytes, out + kLabelOffset);
  StoreLe(static_cast<uint32_t>(value.system_chunk_array.size()),
          out + kSystemChunkArrayBytesOffset);
  EncodeField(value.system_chunk_array, value.system_chunk_array_remainder, kSystemChunkArrayBytes,
              out + kSystemChunkArrayOffset);
}

}  // namespace ebcache::format
