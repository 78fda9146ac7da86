// StrCat and StrAppend, for what messages are made of: texts and whole numbers.

#ifndef EBCACHE_CORE_ABSL_STRINGS_STR_CAT_H_
#define EBCACHE_CORE_ABSL_STRINGS_STR_CAT_H_

#include <array>
#include <charconv>
#include <concepts>
#include <initializer_list>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"

namespace absl {
namespace internal {

// A piece of a message. A number is written into the piece itself: nothing is allocated for it.
class Piece {
 public:
  template <typename Text>
  requires std::convertible_to<const Text&, string_view> Piece(const Text& text)
      : text_(text) {}  // NOLINT: implicit, as in Abseil

  // Of numbers narrower than an int the promoted one, so that a uint8_t is a number, not a letter.
  template <typename Number>
  requires std::is_integral_v<Number> Piece(Number number) {  // NOLINT: implicit, as in Abseil
    static_assert(!std::is_same_v<Number, char>, "a text of one letter, or a number?");
    const auto [end, error] =
        std::to_chars(digits_.data(), digits_.data() + digits_.size(), +number);
    (void)error;  // 20 digits and a sign fit
    text_ = {digits_.data(), static_cast<size_t>(end - digits_.data())};
  }

  // text_ may point into it.
  Piece(const Piece&) = delete;
  Piece& operator=(const Piece&) = delete;

  string_view text() const { return text_; }

 private:
  std::array<char, 24> digits_;  // read only where text_ points
  string_view text_;
};

inline void AppendPieces(std::string* to, std::initializer_list<string_view> texts) {
  size_t bytes = to->size();
  for (const string_view text : texts) bytes += text.size();
  to->reserve(bytes);
  for (const string_view text : texts) to->append(text);
}

}  // namespace internal

template <typename... Values>
void StrAppend(std::string* to, const Values&... values) {
  internal::AppendPieces(to, {internal::Piece(values).text()...});
}

template <typename... Values>
[[nodiscard]] std::string StrCat(const Values&... values) {
  std::string text;
  StrAppend(&text, values...);
  return text;
}

}  // namespace absl

#endif  // EBCACHE_CORE_ABSL_STRINGS_STR_CAT_H_
