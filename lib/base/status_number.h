// The number that a caller's callback gave as its error, kept with the Status that it became inside
// so that it comes out again as it was: there are more numbers than codes.

#ifndef EBCACHE_LIB_BASE_STATUS_NUMBER_H_
#define EBCACHE_LIB_BASE_STATUS_NUMBER_H_

#include <absl/status/status.h>
#include <absl/strings/string_view.h>

namespace ebcache {

// An errno above 0; 0 for a status that carries none.
int NumberOf(const absl::Status& status);

// `status` with the number; as it is when that is 0, or when the status is OK.
absl::Status WithNumber(absl::Status status, int number);

// An error with the code and the number of `status`, and other words.
absl::Status Reworded(const absl::Status& status, absl::string_view words);

}  // namespace ebcache

#endif  // EBCACHE_LIB_BASE_STATUS_NUMBER_H_
