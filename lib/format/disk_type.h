// How a structure lies on disk: a list of its fields, from which all code that reads or writes it
// follows. layout.h has the lists.

#ifndef EBCACHE_LIB_FORMAT_DISK_TYPE_H_
#define EBCACHE_LIB_FORMAT_DISK_TYPE_H_

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "lib/base/bytes.h"

namespace ebcache::format {

// Specialised for each structure:
//
//   kName      what it is called in messages
//   kFields    tuple of Field, in the order of their offsets
//
// and, where there is such a thing:
//
//   kStrings   array of StringField: bytes that follow the fields, in this order
//   kTail      pointer to an optional member that lies behind all else where the item is longer
template <typename T>
struct Layout;

// A member and where it is. How many bytes it takes follows from its type.
template <typename Struct, typename Member>
struct Field {
  size_t offset;
  Member Struct::*member;
};
template <typename Struct, typename Member>
Field(size_t, Member Struct::*) -> Field<Struct, Member>;

// Bytes whose length is in 16 bits at `offset`.
template <typename Struct>
struct StringField {
  size_t offset;
  std::string_view Struct::*member;
};

template <typename T>
concept Described = requires {
  Layout<T>::kFields;
};
template <typename T>
concept HasStrings = requires {
  Layout<T>::kStrings;
};
template <typename T>
concept HasTail = requires {
  Layout<T>::kTail;
};

// A type with a fixed number of bytes on disk: kBytes, Decode and Encode. REQUIRES of both: kBytes
// bytes at `at`.
template <typename T>
struct DiskType;

template <std::unsigned_integral T>
struct DiskType<T> {
  static constexpr size_t kBytes = sizeof(T);
  static constexpr void Decode(const std::byte* at, T& value) { value = LoadLe<T>(at); }
  static constexpr void Encode(T value, std::byte* at) { StoreLe(value, at); }
};

// An enumeration is the integer below it, whether that has a name or not.
template <typename T>
requires std::is_enum_v<T> &&(!std::same_as<T, std::byte>)struct DiskType<T> {
  using Integer = std::underlying_type_t<T>;
  static constexpr size_t kBytes = sizeof(T);
  static constexpr void Decode(const std::byte* at, T& value) {
    value = static_cast<T>(LoadLe<Integer>(at));
  }
  static constexpr void Encode(T value, std::byte* at) { StoreLe(static_cast<Integer>(value), at); }
};

template <size_t kSize>
struct DiskType<std::array<std::byte, kSize>> {
  static constexpr size_t kBytes = kSize;
  static constexpr void Decode(const std::byte* at, std::array<std::byte, kSize>& value) {
    std::copy_n(at, kSize, value.begin());
  }
  static constexpr void Encode(const std::array<std::byte, kSize>& value, std::byte* at) {
    std::copy_n(value.begin(), kSize, at);
  }
};

template <typename T, size_t kSize>
requires(!std::same_as<T, std::byte>) struct DiskType<std::array<T, kSize>> {
  static constexpr size_t kBytes = kSize * DiskType<T>::kBytes;
  static constexpr void Decode(const std::byte* at, std::array<T, kSize>& value) {
    for (T& element : value) {
      DiskType<T>::Decode(at, element);
      at += DiskType<T>::kBytes;
    }
  }
  static constexpr void Encode(const std::array<T, kSize>& value, std::byte* at) {
    for (const T& element : value) {
      DiskType<T>::Encode(element, at);
      at += DiskType<T>::kBytes;
    }
  }
};

// Calls `each` with every field of a described structure.
template <Described T, typename Each>
constexpr void ForEachField(Each each) {
  std::apply([&](const auto&... field) { (each(field), ...); }, Layout<T>::kFields);
}

template <typename Struct, typename Member>
constexpr size_t FieldBytes(const Field<Struct, Member>&) {
  return DiskType<Member>::kBytes;
}

// Where the fields of a structure end, and its strings begin: behind the last field or the last
// length of a string.
template <Described T>
constexpr size_t HeadBytes() {
  size_t end = 0;
  ForEachField<T>(
      [&](const auto& field) { end = std::max(end, field.offset + FieldBytes(field)); });
  if constexpr (HasStrings<T>) {
    for (const auto& string : Layout<T>::kStrings) end = std::max(end, string.offset + 2);
  }
  return end;
}

// Bytes of all fields together.
template <Described T>
constexpr size_t DescribedBytes() {
  size_t bytes = 0;
  ForEachField<T>([&](const auto& field) { bytes += FieldBytes(field); });
  return bytes;
}

// Whether the fields are in order and leave no byte out, so that nothing is lost between parsing
// and encoding, and none belongs to two. `others` are the bytes between them that code of their own
// reads and writes.
template <Described T>
constexpr bool LeavesNothingOut(size_t others = 0) {
  size_t described = DescribedBytes<T>() + others;
  size_t end = 0;
  bool in_order = true;
  ForEachField<T>([&](const auto& field) {
    in_order = in_order && field.offset >= end;
    end = field.offset + FieldBytes(field);
  });
  if constexpr (HasStrings<T>) {
    for (const auto& string : Layout<T>::kStrings) {
      ForEachField<T>([&](const auto& field) {
        const bool apart =
            string.offset + 2 <= field.offset || string.offset >= field.offset + FieldBytes(field);
        in_order = in_order && apart;
      });
      described += 2;
    }
  }
  return in_order && described == HeadBytes<T>();
}

template <Described T>
struct DiskType<T> {
  static constexpr size_t kBytes = HeadBytes<T>();
  static constexpr void Decode(const std::byte* at, T& value) {
    ForEachField<T>([&](const auto& field) {
      using Member = std::remove_reference_t<decltype(value.*field.member)>;
      DiskType<Member>::Decode(at + field.offset, value.*field.member);
    });
  }
  static constexpr void Encode(const T& value, std::byte* at) {
    ForEachField<T>([&](const auto& field) {
      using Member = std::remove_cvref_t<decltype(value.*field.member)>;
      DiskType<Member>::Encode(value.*field.member, at + field.offset);
    });
  }
};

template <typename Pointer>
struct MemberOf;
template <typename S, typename M>
struct MemberOf<M S::*> {
  using Struct = S;
  using Member = M;
};

// Where a member is in its structure: kOffsetOf<&InodeItem::mode>. Does not compile for what the
// layout does not have.
template <auto kMember>
inline constexpr size_t kOffsetOf = [] {
  using Struct = typename MemberOf<decltype(kMember)>::Struct;
  size_t offset = ~size_t{0};
  ForEachField<Struct>([&](const auto& field) {
    if constexpr (std::same_as<std::remove_const_t<decltype(field.member)>, decltype(kMember)>) {
      if (field.member == kMember) offset = field.offset;
    }
  });
  if (offset == ~size_t{0}) throw "no field of the layout";
  return offset;
}();

// Where the length of a string is: kLengthOffsetOf<&InodeRef::name>.
template <auto kMember>
inline constexpr size_t kLengthOffsetOf = [] {
  for (const auto& string : Layout<typename MemberOf<decltype(kMember)>::Struct>::kStrings) {
    if (string.member == kMember) return string.offset;
  }
  throw "no string of the layout";
}();

// One field of a structure that lies at `at`, without the others. REQUIRES: it is inside.
template <auto kMember>
constexpr auto LoadField(const std::byte* at) {
  typename MemberOf<decltype(kMember)>::Member value{};
  DiskType<decltype(value)>::Decode(at + kOffsetOf<kMember>, value);
  return value;
}

template <auto kMember>
constexpr void StoreField(typename MemberOf<decltype(kMember)>::Member value, std::byte* at) {
  DiskType<decltype(value)>::Encode(value, at + kOffsetOf<kMember>);
}

// All of a structure of fixed size. REQUIRES: DiskType<T>::kBytes bytes at `at`.
template <Described T>
constexpr T Decode(const std::byte* at) {
  T value{};
  DiskType<T>::Decode(at, value);
  return value;
}

}  // namespace ebcache::format

#endif  // EBCACHE_LIB_FORMAT_DISK_TYPE_H_
