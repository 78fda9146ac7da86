#ifndef EBCACHE_CORE_ABSL_CONTAINER_INLINED_VECTOR_H_
#define EBCACHE_CORE_ABSL_CONTAINER_INLINED_VECTOR_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>

namespace absl {

// A vector whose first kInline elements need no memory but its own. Of plain values only.
template <typename T, size_t kInline>
class InlinedVector {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  using value_type = T;

  InlinedVector() {}
  explicit InlinedVector(size_t count) { resize(count); }
  InlinedVector(const InlinedVector& other) { *this = other; }
  InlinedVector(InlinedVector&& other) noexcept { *this = std::move(other); }
  ~InlinedVector() = default;

  InlinedVector& operator=(const InlinedVector& other) {
    if (this == &other) return *this;
    size_ = 0;
    reserve(other.size_);
    std::copy(other.begin(), other.end(), begin());
    size_ = other.size_;
    return *this;
  }
  InlinedVector& operator=(InlinedVector&& other) noexcept {
    if (this == &other) return *this;
    if (other.more_ == nullptr) {
      // All that may be there, which always fits: as many as there are would be no cheaper.
      std::memcpy(data(), other.here_, sizeof(here_));
    } else {
      more_ = std::move(other.more_);
      capacity_ = other.capacity_;
    }
    size_ = other.size_;
    other.size_ = 0;
    other.capacity_ = kInline;
    return *this;
  }

  T* data() { return more_ != nullptr ? more_.get() : Here(); }
  const T* data() const { return more_ != nullptr ? more_.get() : Here(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T& operator[](size_t i) { return data()[i]; }
  const T& operator[](size_t i) const { return data()[i]; }
  T& front() { return data()[0]; }
  const T& front() const { return data()[0]; }
  T& back() { return data()[size_ - 1]; }
  const T& back() const { return data()[size_ - 1]; }

  void clear() { size_ = 0; }
  void reserve(size_t count) {
    if (count <= capacity_) return;
    std::unique_ptr<T[]> larger(new T[count]);
    std::copy(begin(), end(), larger.get());
    more_ = std::move(larger);
    capacity_ = count;
  }
  void resize(size_t count) {
    reserve(count);
    if (count > size_) std::fill(data() + size_, data() + count, T{});
    size_ = count;
  }
  void push_back(const T& value) {
    const T kept = value;  // may be one of those that move
    if (size_ == capacity_) reserve(2 * capacity_);
    data()[size_++] = kept;
  }
  void pop_back() { --size_; }

 private:
  T* Here() { return reinterpret_cast<T*>(here_); }
  const T* Here() const { return reinterpret_cast<const T*>(here_); }

  size_t size_ = 0;
  size_t capacity_ = kInline;
  std::unique_ptr<T[]> more_;  // null: the elements are here
  alignas(T) std::byte here_[kInline * sizeof(T)];
};

}  // namespace absl

#endif  // EBCACHE_CORE_ABSL_CONTAINER_INLINED_VECTOR_H_
