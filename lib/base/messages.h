// Helpers for error messages.

#ifndef EBCACHE_LIB_BASE_MESSAGES_H_
#define EBCACHE_LIB_BASE_MESSAGES_H_

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <string>
#include <string_view>

#include "lib/base/status_number.h"

namespace ebcache {

// The distribution's absl::string_view is a type of its own.
inline absl::string_view AbslView(std::string_view text) { return {text.data(), text.size()}; }

// The same error, with where it happened in front of what happened.
inline absl::Status Prefixed(const std::string& where, const absl::Status& status) {
  if (status.ok()) return status;
  return Reworded(status, absl::StrCat(where, ": ", status.message()));
}

}  // namespace ebcache

#endif  // EBCACHE_LIB_BASE_MESSAGES_H_
