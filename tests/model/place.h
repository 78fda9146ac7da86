// Place: std::source_location, or what stands for it where the standard library has none for this compiler (clang
// before 16 with libstdc++).

#ifndef EBCACHE_TESTS_MODEL_PLACE_H_
#define EBCACHE_TESTS_MODEL_PLACE_H_

#include <cstdint>
#include <source_location>

namespace ebcache::model {

#ifdef __cpp_lib_source_location

using Place = std::source_location;

#else

class Place {
 public:
  // As a default argument: of the call.
  static constexpr Place current(const char* file = __builtin_FILE(), uint32_t line = __builtin_LINE(),
                                 uint32_t column = __builtin_COLUMN()) {
    Place place;
    place.file_ = file;
    place.line_ = line;
    place.column_ = column;
    return place;
  }
  constexpr const char* file_name() const { return file_; }
  constexpr uint32_t line() const { return line_; }
  constexpr uint32_t column() const { return column_; }

 private:
  const char* file_ = "";
  uint32_t line_ = 0;
  uint32_t column_ = 0;
};

#endif

}  // namespace ebcache::model

#endif  // EBCACHE_TESTS_MODEL_PLACE_H_
