#ifndef EBCACHE_CORE_ABSL_TYPES_SPAN_H_
#define EBCACHE_CORE_ABSL_TYPES_SPAN_H_

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <type_traits>
#include <utility>

namespace absl {

// Borrowed elements in a row. Unlike std::span, subspan clips, and a view of what is constant is made of
// a list in braces.
template <typename T>
class Span {
 public:
  using element_type = T;
  using value_type = std::remove_cv_t<T>;
  using iterator = T*;
  using const_iterator = const T*;
  static constexpr size_t npos = ~size_t{0};

  constexpr Span() = default;
  constexpr Span(T* data, size_t size) : data_(data), size_(size) {}
  template <size_t kCount>
  constexpr Span(T (&array)[kCount])
      : data_(array), size_(kCount) {}  // NOLINT: implicit, as in Abseil
  // Of anything that has its elements in a row, and of views of the same without `const`.
  template <typename Container>
  requires(!std::is_same_v<std::remove_cvref_t<Container>, Span> &&
           std::is_convertible_v<
               std::remove_pointer_t<decltype(std::data(std::declval<Container&>()))> (*)[],
               T (*)[]>) constexpr Span(Container&& container)  // NOLINT: implicit, as in Abseil
      : data_(std::data(container)), size_(std::size(container)) {}
  constexpr Span(std::initializer_list<value_type> list)  // NOLINT: implicit, as in Abseil
      requires std::is_const_v<T> : Span(list.begin(), list.size()) {}

  constexpr T* data() const { return data_; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr T* begin() const { return data_; }
  constexpr T* end() const { return data_ + size_; }
  constexpr auto rbegin() const { return std::make_reverse_iterator(end()); }
  constexpr auto rend() const { return std::make_reverse_iterator(begin()); }
  constexpr T& operator[](size_t i) const { return data_[i]; }
  constexpr T& front() const { return data_[0]; }
  constexpr T& back() const { return data_[size_ - 1]; }

  // REQUIRES: `position` is at most size(). Clipped at the end.
  constexpr Span subspan(size_t position, size_t count = npos) const {
    return {data_ + position, std::min(count, size_ - position)};
  }
  constexpr Span first(size_t count) const { return subspan(0, count); }
  constexpr void remove_prefix(size_t count) { *this = subspan(count); }
  constexpr Span last(size_t count) const { return subspan(size_ - count, count); }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

template <typename T>
constexpr Span<T> MakeSpan(T* data, size_t size) {
  return {data, size};
}
template <typename Container>
constexpr auto MakeSpan(Container& container) {
  return Span<std::remove_pointer_t<decltype(std::data(container))>>(std::data(container),
                                                                     std::size(container));
}
template <typename T>
constexpr Span<const T> MakeConstSpan(const T* data, size_t size) {
  return {data, size};
}
template <typename Container>
constexpr auto MakeConstSpan(const Container& container) {
  return MakeSpan(container);
}

}  // namespace absl

#endif  // EBCACHE_CORE_ABSL_TYPES_SPAN_H_
