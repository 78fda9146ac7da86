// A UUID as users give it.

#ifndef EBCACHE_TOOLS_TUNE_UUID_CHOICE_H_
#define EBCACHE_TOOLS_TUNE_UUID_CHOICE_H_

#include <absl/status/statusor.h>

#include <string>

#include "ebcache/uuid.h"

namespace ebcache::tools {

// "01234567-89ab-cdef-0123-456789abcdef" in letters of either case, or "random": a new one. Errors:
// InvalidArgument, the text is neither; Unavailable, the system has no random bytes.
absl::StatusOr<Uuid> ChooseUuid(const std::string& text);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_TUNE_UUID_CHOICE_H_
