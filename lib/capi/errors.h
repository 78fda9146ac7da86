// Errors on their way out of the library, and in from the caller's callbacks.
//
// Outside an error is a negative errno and a text that the thread keeps; inside it is a Status.

#ifndef EBCACHE_LIB_CAPI_ERRORS_H_
#define EBCACHE_LIB_CAPI_ERRORS_H_

#include <absl/status/status.h>

#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <system_error>

namespace ebcache::capi {

// The number for a status. `precondition`: what FailedPrecondition means where it came from.
int ErrnoOf(const absl::Status& status, int precondition);

// Keeps the text for ebcache_last_error, and returns the negative number.
int Fail(int number, std::string_view message);
int Fail(const absl::Status& status, int precondition);
int Fail(const absl::Status& status);
int NullArgument();

// What a callback returned, with the words it left by ebcache_set_error since ForgetWords. Numbers
// outside of the header's list become Unavailable, which is -EIO.
void ForgetWords();
absl::Status StatusOfCallback(int result, std::string_view what);

// Runs `work`, which returns a number as functions of the API do, and lets no exception through:
// the library throws none of its own, but the standard library does when memory or threads are
// short.
template <typename Work>
int Guard(Work work) noexcept {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return Fail(ENOMEM, "no memory");
  } catch (const std::system_error& error) {
    return Fail(EAGAIN, error.what());
  } catch (const std::exception& error) {
    return Fail(EIO, error.what());
  }
}

}  // namespace ebcache::capi

#endif  // EBCACHE_LIB_CAPI_ERRORS_H_
