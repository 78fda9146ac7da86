// Reads the fields of a structure one after the other, for tests that write the format a second time.

#ifndef EBCACHE_TESTS_FORMAT_FIELD_READER_H_
#define EBCACHE_TESTS_FORMAT_FIELD_READER_H_

#include <gtest/gtest.h>

#include <array>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "ebcache/items.h"

namespace ebcache::testing {

// Bytes in which no two places are alike, and reading on through them.
class FieldReader {
 public:
  explicit FieldReader(size_t size) : bytes_(size) {
    for (size_t i = 0; i < size; ++i)
      bytes_[i] = static_cast<std::byte>(i * 167 + i / 256 * 13 + 5);
  }
  uint64_t U8() { return Number(1); }
  uint64_t U16() { return Number(2); }
  uint64_t U32() { return Number(4); }
  uint64_t U64() { return Number(8); }
  Key K() {
    const uint64_t objectid = U64();
    const uint8_t type = static_cast<uint8_t>(U8());
    return {objectid, type, U64()};
  }
  template <size_t kSize>
  std::array<std::byte, kSize> Raw() {
    std::array<std::byte, kSize> raw;
    for (std::byte& byte : raw) byte = bytes_.at(at_++);
    return raw;
  }
  DiskTime Time() {
    const uint64_t seconds = U64();
    return {seconds, static_cast<uint32_t>(U32())};
  }
  template <size_t kCount>
  std::array<uint64_t, kCount> Numbers() {
    std::array<uint64_t, kCount> numbers;
    for (uint64_t& number : numbers) number = U64();
    return numbers;
  }

  // The struct that all of the bytes are.
  template <typename T>
  T Parsed() {
    absl::StatusOr<T> parsed = ParseItem<T>(bytes_);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return parsed.ok() ? *std::move(parsed) : T{};
  }
  // Puts lengths and types that lead somewhere.
  void Put(size_t at, std::initializer_list<int> bytes) {
    for (int byte : bytes) bytes_.at(at++) = static_cast<std::byte>(byte);
  }
  std::string_view Text(size_t length) {
    const char* const text = reinterpret_cast<const char*>(&bytes_.at(at_));
    at_ += length;
    return {text, length};
  }
  ~FieldReader() { EXPECT_EQ(at_, bytes_.size()) << "the fields do not fill the structure"; }

 private:
  uint64_t Number(size_t bytes) {
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; ++i) {
      number += std::to_integer<uint64_t>(bytes_.at(at_++)) << (8 * i);
    }
    return number;
  }

  std::vector<std::byte> bytes_;
  size_t at_ = 0;
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_FORMAT_FIELD_READER_H_
