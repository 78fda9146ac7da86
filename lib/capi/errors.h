// Errors on their way out of the library, and in from the caller's callbacks.
//
// Outside an error is a negative errno and a text that the thread keeps; inside it is a Status. The
// number that a callback returned travels with the Status (status_number.h), and comes out as it
// was.

#ifndef EBCACHE_LIB_CAPI_ERRORS_H_
#define EBCACHE_LIB_CAPI_ERRORS_H_

#include <absl/status/status.h>

#include <array>
#include <string_view>
#include <type_traits>

namespace ebcache::capi {

// The number for a status, above 0.
int ErrnoOf(const absl::Status& status);

// Keeps the text for ebcache_last_error, and returns the negative number. These allocate nothing.
int Fail(int number, std::string_view message);
int Fail(const absl::Status& status);
// As Fail, of what changes filesystems, where FailedPrecondition has its own number for each function
// (`not_now`), unless the status carries one.
int FailAs(int not_now, const absl::Status& status);
// For what opens filesystems, and brings them back: EPERM.
int FailToWrite(const absl::Status& status);
// Nothing where something must be; `name` is what the header calls it.
int NullArgument(std::string_view name);

// The exception that is being handled, as an error.
int FailByException() noexcept;

// One call of a callback of the caller's, which may leave words for its error by ebcache_set_error,
// and may call the library again: that one's errors, and callbacks, leave the words alone. Lives on
// the stack of the thread that makes the call, for as long as that takes.
class CallbackWords {
 public:
  CallbackWords();
  ~CallbackWords();
  CallbackWords(const CallbackWords&) = delete;
  CallbackWords& operator=(const CallbackWords&) = delete;

  // What the callback `what` returned, with the words it left. Numbers that are no errno at all
  // become Unavailable, which is -EIO.
  absl::Status StatusOf(int result, std::string_view what) const;
  // For callbacks whose result is that of the call they were made from, whatever it is: below 0 the
  // words are the call's.
  int Pass(int result, std::string_view what) const;

  // For ebcache_set_error. False when no callback is under way on this thread.
  static bool Note(std::string_view message);

 private:
  std::array<char, 1024> text_;  // read only where spoken_
  bool spoken_ = false;
  CallbackWords* const outer_;
};

// Runs `work`, which returns what the function of the API does, and lets no exception through: the
// library throws none of its own, but the standard library does when memory or threads are short.
// Then an int is the error's number, anything else is nothing (0, null).
template <typename Work>
auto Guard(Work work) noexcept {
  using Result = std::invoke_result_t<Work>;
  try {
    return work();
  } catch (...) {
    const int error = FailByException();
    if constexpr (std::is_same_v<Result, int>) {
      return error;
    } else {
      (void)error;
      return Result();
    }
  }
}

}  // namespace ebcache::capi

#endif  // EBCACHE_LIB_CAPI_ERRORS_H_
