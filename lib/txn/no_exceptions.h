// Memory that is out, as the error of what wanted it.

#ifndef EBCACHE_LIB_TXN_NO_EXCEPTIONS_H_
#define EBCACHE_LIB_TXN_NO_EXCEPTIONS_H_

#include <absl/status/status.h>

#include <new>

namespace ebcache::txn {

// What `change` says; ResourceExhausted, without words, where it finds no memory.
template <typename Change>
absl::Status WithoutExceptions(Change change) {
  try {
    return change();
  } catch (const std::bad_alloc&) {
    return absl::Status(absl::StatusCode::kResourceExhausted, "");
  }
}

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_NO_EXCEPTIONS_H_
