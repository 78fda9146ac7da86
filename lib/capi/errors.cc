#include "lib/capi/errors.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

#include "ebcache/buffer_cache.h"
#include "ebcache/ebcache_core.h"
#include "lib/base/status_number.h"

namespace ebcache::capi {
namespace {

// What a thread's last error said. An array and no string, so that keeping it can never fail, and
// ends with its thread without a destructor.
thread_local std::array<char, 2048> last_error;
// The callback that is under way on this thread: the innermost.
thread_local CallbackWords* callback = nullptr;

template <size_t kBytes>
void Keep(std::string_view message, std::array<char, kBytes>& text) {
  const size_t bytes = std::min(message.size(), kBytes - 1);
  std::memmove(text.data(), message.data(), bytes);
  text[bytes] = '\0';
}

struct Pair {
  int number;
  absl::StatusCode code;
};
// The first of several with one code is what the code becomes on the way out.
constexpr Pair kPairs[] = {
    {EINVAL, absl::StatusCode::kInvalidArgument},
    {ENOMEM, absl::StatusCode::kResourceExhausted},
    {ENOENT, absl::StatusCode::kNotFound},
    {ERANGE, absl::StatusCode::kOutOfRange},
    {EUCLEAN, absl::StatusCode::kDataLoss},
    {EIO, absl::StatusCode::kUnavailable},
    {EACCES, absl::StatusCode::kPermissionDenied},
    {ENXIO, absl::StatusCode::kFailedPrecondition},
    {EOPNOTSUPP, absl::StatusCode::kUnimplemented},
    {EEXIST, absl::StatusCode::kAlreadyExists},
    {EBUSY, absl::StatusCode::kAborted},
    {EAGAIN, absl::StatusCode::kCancelled},
    {EPERM, absl::StatusCode::kPermissionDenied},
    {EROFS, absl::StatusCode::kPermissionDenied},
    {EBADMSG, absl::StatusCode::kDataLoss},
    {EILSEQ, absl::StatusCode::kDataLoss},
};

// For errors whose own words there was no memory for.
std::string_view PlainWords(int number) {
  if (number == ENOMEM) return "out of memory";
  return number == ENOENT ? "there is none" : "no more is known";
}

bool IsErrno(int result) { return result < 0 && result > -4096; }

}  // namespace

int ErrnoOf(const absl::Status& status) {
  if (WouldWaitForEver(status)) return EDEADLK;
  if (const int number = NumberOf(status); number != 0) return number;
  for (const Pair& pair : kPairs) {
    if (pair.code == status.code()) return pair.number;
  }
  return EIO;
}

int Fail(int number, std::string_view message) {
  Keep(message, last_error);
  return -number;
}

int Fail(const absl::Status& status) {
  const int number = ErrnoOf(status);
  const absl::string_view message = status.message();
  if (message.empty()) return Fail(number, PlainWords(number));
  return Fail(number, {message.data(), message.size()});
}

int FailAs(int not_now, const absl::Status& status) {
  const bool own = absl::IsFailedPrecondition(status) && NumberOf(status) == 0;
  if (!own || WouldWaitForEver(status)) return Fail(status);
  const absl::string_view message = status.message();
  return Fail(not_now, {message.data(), message.size()});
}

int FailToWrite(const absl::Status& status) { return FailAs(EPERM, status); }

int NullArgument(std::string_view name) {
  std::array<char, 128> text;
  std::snprintf(text.data(), text.size(), "%.*s is NULL", static_cast<int>(name.size()),
                name.data());
  return Fail(EINVAL, text.data());
}

int FailByException() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return Fail(ENOMEM, "out of memory");
  } catch (const std::length_error&) {
    return Fail(ENOMEM, "more than any memory can hold");
  } catch (const std::system_error& error) {
    return Fail(EAGAIN, error.what());
  } catch (const std::exception& error) {
    return Fail(EIO, error.what());
  } catch (...) {
    return Fail(EIO, "an exception of a kind that is not known");
  }
}

// ---- Callbacks ----------------------------------------------------------------------------------

CallbackWords::CallbackWords() : outer_(callback) { callback = this; }

CallbackWords::~CallbackWords() { callback = outer_; }

bool CallbackWords::Note(std::string_view message) {
  if (callback == nullptr) return false;
  Keep(message, callback->text_);
  callback->spoken_ = true;
  return true;
}

absl::Status CallbackWords::StatusOf(int result, std::string_view what) const {
  if (result == 0) return absl::OkStatus();
  // It may be any number; only some are errors.
  const int number = IsErrno(result) ? -result : EIO;
  absl::StatusCode code = absl::StatusCode::kUnavailable;
  for (const Pair& pair : kPairs) {
    if (pair.number == number) code = pair.code;
  }
  const std::string words =
      spoken_ ? std::string(text_.data())
              : absl::StrCat(absl::string_view(what.data(), what.size()), " returned ", result,
                             " (", std::strerror(number), ")");
  return WithNumber(absl::Status(code, words), number);
}

int CallbackWords::Pass(int result, std::string_view what) const {
  if (result >= 0) return result;
  if (spoken_) {
    Keep(text_.data(), last_error);
  } else {
    std::array<char, 128> text;
    std::snprintf(text.data(), text.size(), "%.*s returned %d", static_cast<int>(what.size()),
                  what.data(), result);
    Keep(text.data(), last_error);
  }
  return result;
}

}  // namespace ebcache::capi

const char* ebcache_last_error(void) { return ebcache::capi::last_error.data(); }

void ebcache_set_error(const char* message) {
  const std::string_view words = message != nullptr ? message : "";
  ebcache::capi::CallbackWords::Note(words);
  ebcache::capi::Keep(words, ebcache::capi::last_error);
}

const char* ebcache_version(void) { return EBCACHE_VERSION_STRING; }

int ebcache_abi_version(void) { return EBCACHE_ABI_VERSION; }
