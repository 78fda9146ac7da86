// A fuzzer's bytes, taken apart: numbers and runs of bytes from the front. What is asked for behind
// the end is zero, so every input is a whole program.

#ifndef EBCACHE_TESTS_FUZZ_FUZZ_INPUT_H_
#define EBCACHE_TESTS_FUZZ_FUZZ_INPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace ebcache::fuzz {

class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  bool empty() const { return left_ == 0; }

  template <typename T>
  T Take() {
    T value{};
    const size_t bytes = std::min(left_, sizeof(T));
    if (bytes != 0) std::memcpy(&value, data_, bytes);  // nothing may lie at no address
    Skip(bytes);
    return value;
  }

  // As many as there are, at most `bytes`.
  std::vector<std::byte> TakeBytes(size_t bytes) {
    bytes = std::min(bytes, left_);
    const auto* begin = reinterpret_cast<const std::byte*>(data_);
    std::vector<std::byte> taken(begin, begin + bytes);
    Skip(bytes);
    return taken;
  }
  std::vector<std::byte> TakeRest() { return TakeBytes(left_); }

 private:
  void Skip(size_t bytes) {
    data_ += bytes;
    left_ -= bytes;
  }

  const uint8_t* data_;
  size_t left_;
};

}  // namespace ebcache::fuzz

#endif  // EBCACHE_TESTS_FUZZ_FUZZ_INPUT_H_
