// Any value of any item type, out of any bytes: for properties and for fuzzing.

#ifndef EBCACHE_TESTS_FORMAT_MADE_VALUE_H_
#define EBCACHE_TESTS_FORMAT_MADE_VALUE_H_

#include <cstdint>
#include <deque>
#include <string>
#include <type_traits>
#include <variant>

#include "ebcache/items.h"
#include "lib/format/layout.h"
#include "tests/fuzz/fuzz_input.h"

namespace ebcache::testing {

// Makes values, and keeps the bytes that their names and data are views of.
class ValueMaker {
 public:
  explicit ValueMaker(fuzz::FuzzInput& input) : input_(input) {}

  void Make(FileExtentItem& value) {
    MakeFields(value);
    value.type %= 4;  // three that are known, and one that is not
    if (value.is_inline()) {
      value.inline_data = Text();
    } else {
      MakeFields(value.place.emplace());
    }
  }
  void Make(ChunkItem& value) {
    MakeFields(value);
    value.stripes.resize(input_.Take<uint8_t>() % 9);
    for (ChunkStripe& stripe : value.stripes) MakeFields(stripe);
  }
  void Make(SystemChunk& value) {
    MakeFields(value.key);
    Make(value.chunk);
  }
  void Make(InlineRef& value) {
    switch (input_.Take<uint8_t>() % std::variant_size_v<InlineRef>) {
      case 0:
        return MakeFields(value.emplace<0>());
      case 1:
        return MakeFields(value.emplace<1>());
      case 2:
        return MakeFields(value.emplace<2>());
      case 3:
        return MakeFields(value.emplace<3>());
      default:
        return MakeFields(value.emplace<4>());
    }
  }
  void Make(FreeSpaceBitmap& value) {
    texts_.emplace_back(1 + input_.Take<uint8_t>(), static_cast<char>(input_.Take<uint8_t>()));
    value.bits = absl::MakeConstSpan(reinterpret_cast<const std::byte*>(texts_.back().data()),
                                     texts_.back().size());
  }
  void Make(Superblock& value) {
    MakeFields(value);
    value.label = Text().substr(0, kLabelBytes);
    std::erase(value.label, '\0');
    value.system_chunk_array = input_.TakeBytes(input_.Take<uint16_t>() % 2049);
  }
  template <typename T>
  void Make(T& value) {
    MakeFields(value);
    if constexpr (format::HasStrings<T>) {
      for (const auto& string : format::Layout<T>::kStrings) value.*string.member = Text();
    }
    if constexpr (format::HasTail<T>) {
      auto& tail = value.*format::Layout<T>::kTail;
      if (input_.Take<uint8_t>() % 2 == 1) MakeField(tail.emplace());
    }
  }

  std::string_view Text() {
    const std::vector<std::byte> bytes = input_.TakeBytes(input_.Take<uint16_t>());
    texts_.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return texts_.back();
  }

 private:
  template <typename T>
  void MakeFields(T& value) {
    format::ForEachField<T>([&](const auto& field) { MakeField(value.*field.member); });
  }
  template <typename T>
  void MakeField(T& field) {
    if constexpr (format::Described<T>) {
      MakeFields(field);
    } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      field = input_.Take<T>();
    } else {
      for (auto& element : field) MakeField(element);
    }
  }

  fuzz::FuzzInput& input_;
  std::deque<std::string> texts_;
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_FORMAT_MADE_VALUE_H_
