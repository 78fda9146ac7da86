#ifndef EBCACHE_CORE_ABSL_STRINGS_STRING_VIEW_H_
#define EBCACHE_CORE_ABSL_STRINGS_STRING_VIEW_H_

#include <string_view>

namespace absl {

using std::string_view;

}  // namespace absl

#endif  // EBCACHE_CORE_ABSL_STRINGS_STRING_VIEW_H_
