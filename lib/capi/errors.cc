#include "lib/capi/errors.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "ebcache/buffer_cache.h"
#include "ebcache/ebcache.h"

namespace ebcache::capi {
namespace {

// What a thread's last error said. An array and no string, so that keeping it can never fail, and
// ends with its thread without anybody's help.
thread_local std::array<char, 2048> last_error;
// Whether a callback has spoken since it was called.
thread_local bool spoken = false;

void Keep(std::string_view message) {
  const size_t bytes = std::min(message.size(), last_error.size() - 1);
  std::memmove(last_error.data(), message.data(), bytes);
  last_error[bytes] = '\0';
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

}  // namespace

int ErrnoOf(const absl::Status& status, int precondition) {
  if (WouldWaitForEver(status)) return EDEADLK;
  if (absl::IsFailedPrecondition(status)) return precondition;
  for (const Pair& pair : kPairs) {
    if (pair.code == status.code()) return pair.number;
  }
  return EIO;
}

int Fail(int number, std::string_view message) {
  Keep(message);
  return -number;
}

int Fail(const absl::Status& status, int precondition) {
  const absl::string_view message = status.message();
  return Fail(ErrnoOf(status, precondition), {message.data(), message.size()});
}

int Fail(const absl::Status& status) { return Fail(status, ENXIO); }

int NullArgument() { return Fail(EINVAL, "an argument is NULL"); }

void ForgetWords() { spoken = false; }

absl::Status StatusOfCallback(int result, std::string_view what) {
  if (result == 0) return absl::OkStatus();
  // It may be any number; only some are errors.
  const int number = result < 0 && result > -4096 ? -result : EIO;
  absl::StatusCode code = absl::StatusCode::kUnavailable;
  for (const Pair& pair : kPairs) {
    if (pair.number == number) code = pair.code;
  }
  if (spoken) return absl::Status(code, last_error.data());
  return absl::Status(code, absl::StrCat(absl::string_view(what.data(), what.size()), " returned ",
                                         result, " (", std::strerror(number), ")"));
}

}  // namespace ebcache::capi

const char* ebcache_last_error(void) { return ebcache::capi::last_error.data(); }

void ebcache_set_error(const char* message) {
  ebcache::capi::Keep(message != nullptr ? message : "");
  ebcache::capi::spoken = true;
}

const char* ebcache_version(void) { return EBCACHE_VERSION_STRING; }

int ebcache_abi_version(void) { return EBCACHE_ABI_VERSION; }
