// What follows from a layout: parsing, sizes and encoding of whole items and of records. The public
// names are in ebcache/item_codec.h; codec_instances.cc has them for each type.

#ifndef EBCACHE_LIB_FORMAT_CODEC_H_
#define EBCACHE_LIB_FORMAT_CODEC_H_

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>

#include "ebcache/item_codec.h"
#include "lib/format/disk_type.h"

namespace ebcache::format {

template <typename... Pieces>
[[gnu::cold]] absl::Status Damaged(const char* name, const Pieces&... reason) {
  return absl::DataLossError(absl::StrCat(name, ": ", reason...));
}

template <typename... Pieces>
[[gnu::cold]] absl::Status Unsayable(const char* name, const Pieces&... reason) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", reason...));
}

inline std::string_view ViewOf(absl::Span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline void CopyTo(std::byte* at, std::string_view text) {
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
}

// The way of a type between bytes and struct. This one is for all that a layout describes wholly;
// the others are specialisations.
//
//   Decode   takes a value off the front of `bytes`; `used` is how many bytes that were
//   Bytes    how many Encode writes
//   Check    InvalidArgument when the fields have no room for what is in the value
//   Encode   REQUIRES: Check, and Bytes at `out`
template <typename T>
struct Codec {
  static constexpr const char* kName = Layout<T>::kName;
  static constexpr size_t kHead = HeadBytes<T>();

  static absl::Status Decode(absl::Span<const std::byte> bytes, T& value, size_t& used) {
    if (bytes.size() < kHead) return Damaged(kName, bytes.size(), " bytes, it has ", kHead);
    DiskType<T>::Decode(bytes.data(), value);
    used = kHead;
    if constexpr (HasStrings<T>) return DecodeStrings(bytes, value, used);
    if constexpr (HasTail<T>) DecodeTail(bytes, value, used);
    return absl::OkStatus();
  }

  static size_t Bytes(const T& value) {
    size_t bytes = kHead;
    if constexpr (HasStrings<T>) {
      for (const auto& string : Layout<T>::kStrings) bytes += (value.*string.member).size();
    }
    if constexpr (HasTail<T>) {
      if (value.*Layout<T>::kTail) bytes += TailBytes();
    }
    return bytes;
  }

  static absl::Status Check(const T& value) {
    if constexpr (HasStrings<T>) {
      constexpr size_t kMost = std::numeric_limits<uint16_t>::max();
      for (const auto& string : Layout<T>::kStrings) {
        const size_t length = (value.*string.member).size();
        if (length > kMost) {
          return Unsayable(kName, "name or data of ", length, " bytes, its length can be ", kMost);
        }
      }
    }
    return absl::OkStatus();
  }

  static void Encode(const T& value, std::byte* out) {
    DiskType<T>::Encode(value, out);
    size_t at = kHead;
    if constexpr (HasStrings<T>) {
      for (const auto& string : Layout<T>::kStrings) {
        const std::string_view text = value.*string.member;
        StoreLe(static_cast<uint16_t>(text.size()), out + string.offset);
        CopyTo(out + at, text);
        at += text.size();
      }
    }
    if constexpr (HasTail<T>) {
      const auto& tail = value.*Layout<T>::kTail;
      if (tail) DiskType<std::remove_cvref_t<decltype(*tail)>>::Encode(*tail, out + at);
    }
  }

  static constexpr size_t TailBytes() {
    if constexpr (HasTail<T>) {
      using Tail = typename MemberOf<std::remove_const_t<decltype(Layout<T>::kTail)>>::Member;
      return DiskType<typename Tail::value_type>::kBytes;
    }
    return 0;
  }

 private:
  static absl::Status DecodeStrings(absl::Span<const std::byte> bytes, T& value, size_t& used) {
    for (const auto& string : Layout<T>::kStrings) {
      const size_t length = LoadLe<uint16_t>(bytes.data() + string.offset);
      if (length > bytes.size() - used) {
        return Damaged(kName, length, " bytes of name or data at ", used, ", there are ",
                       bytes.size() - used);
      }
      value.*string.member = ViewOf(bytes.subspan(used, length));
      used += length;
    }
    return absl::OkStatus();
  }

  static void DecodeTail(absl::Span<const std::byte> bytes, T& value, size_t& used) {
    auto& tail = value.*Layout<T>::kTail;
    tail.reset();
    if (bytes.size() < kHead + TailBytes()) return;
    using Tail = typename std::remove_cvref_t<decltype(tail)>::value_type;
    DiskType<Tail>::Decode(bytes.data() + kHead, tail.emplace());
    used += TailBytes();
  }
};

}  // namespace ebcache::format

namespace ebcache {

template <typename T>
absl::StatusOr<T> ParseItem(absl::Span<const std::byte> item) {
  T value{};
  size_t used = 0;
  if (absl::Status status = format::Codec<T>::Decode(item, value, used); !status.ok()) {
    return status;
  }
  if (used != item.size()) {
    return format::Damaged(format::Codec<T>::kName, item.size(), " bytes, it has ", used);
  }
  return value;
}

template <typename T>
size_t EncodedBytes(const T& value) {
  return format::Codec<T>::Bytes(value);
}

template <typename T>
absl::Status EncodeItem(const T& value, absl::Span<std::byte> out) {
  using Codec = format::Codec<T>;
  if (absl::Status status = Codec::Check(value); !status.ok()) return status;
  if (out.size() != Codec::Bytes(value)) {
    return format::Unsayable(Codec::kName, "has ", Codec::Bytes(value), " bytes, room is for ",
                             out.size());
  }
  Codec::Encode(value, out.data());
  return absl::OkStatus();
}

template <typename T>
absl::Status AppendItem(const T& value, std::vector<std::byte>& out) {
  using Codec = format::Codec<T>;
  if (absl::Status status = Codec::Check(value); !status.ok()) return status;
  const size_t at = out.size();
  out.resize(at + Codec::Bytes(value));
  Codec::Encode(value, out.data() + at);
  return absl::OkStatus();
}

template <typename T>
std::optional<T> ItemRecords<T>::Next() {
  if (!status_.ok() || next_ >= item_.size()) return std::nullopt;
  position_ = next_;
  std::optional<T> record(std::in_place);
  size_t used = 0;
  absl::Status status = format::Codec<T>::Decode(item_.subspan(next_), *record, used);
  if (!status.ok()) {
    status_ = absl::DataLossError(absl::StrCat("at byte ", position_, ": ", status.message()));
    return std::nullopt;
  }
  next_ += used;
  return record;
}

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_CODEC_H_
