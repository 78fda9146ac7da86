// The bytes of a payload of a Status, always in one piece.

#ifndef EBCACHE_CORE_ABSL_STRINGS_CORD_H_
#define EBCACHE_CORE_ABSL_STRINGS_CORD_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace absl {

class Cord {
 public:
  Cord() = default;
  explicit Cord(string_view text) : text_(text) {}

  optional<string_view> TryFlat() const { return string_view(text_); }

 private:
  std::string text_;
};

}  // namespace absl

#endif  // EBCACHE_CORE_ABSL_STRINGS_CORD_H_
