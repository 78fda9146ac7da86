#include "lib/capi/callbacks.h"

#include <absl/container/inlined_vector.h>
#include <absl/strings/str_cat.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/status_number.h"
#include "lib/capi/cache_handles.h"
#include "lib/capi/errors.h"

namespace ebcache::capi {
namespace {

// What a call of the callback `what` gave, with the block it is about.
template <typename Callback>
absl::Status Call(const ExtentBuffer& buffer, std::string_view what, Callback callback) {
  const CallbackWords words;
  const absl::Status status = words.StatusOf(callback(), what);
  if (status.ok()) return status;
  return Reworded(status, absl::StrCat("block ", buffer.start(), ": ", status.message()));
}

}  // namespace

absl::Status CallbackSource::Validate(const ExtentBuffer& buffer, const ParentCheck* check) {
  if (functions_.validate == nullptr) return absl::OkStatus();
  ebcache_check outside;
  if (check != nullptr) outside = Outside(*check);
  return Call(buffer, "validate", [&] {
    return functions_.validate(context_, Outside(&buffer), check != nullptr ? &outside : nullptr);
  });
}

void CallbackSource::ReadMany(absl::Span<BlockRead> reads) {
  absl::InlinedVector<ebcache_check, 16> checks(reads.size());
  absl::InlinedVector<ebcache_block_read, 16> outside(reads.size());
  for (size_t i = 0; i < reads.size(); ++i) {
    const BlockRead& read = reads[i];
    if (read.check != nullptr) checks[i] = Outside(*read.check);
    outside[i] = {.buffer = Outside(read.buffer),
                  .check = read.check != nullptr ? &checks[i] : nullptr,
                  .bad_mirror = read.bad_mirror,
                  .error = -EIO,
                  .message = nullptr};
  }
  functions_.read_many(context_, outside.data(), outside.size());
  for (size_t i = 0; i < reads.size(); ++i) {
    BlockRead& read = reads[i];
    const ebcache_block_read& answer = outside[i];
    read.status = Call(*read.buffer, "read_many", [&answer] {
      if (answer.error < 0 && answer.message != nullptr) CallbackWords::Note(answer.message);
      return answer.error;
    });
    // What the reader expects may have been the reason: the source has seen it.
    read.damaged = !read.status.ok() && read.check == nullptr;
    if (read.status.ok()) read.status = Validate(*read.buffer, read.check);
  }
}

void CallbackSource::Read(absl::Span<BlockRead> reads) {
  if (functions_.read_many != nullptr) return ReadMany(reads);
  for (BlockRead& read : reads) {
    if (functions_.read == nullptr) {
      read.status = absl::FailedPreconditionError(
          absl::StrCat("block ", read.buffer->start(), ": the cache's source cannot read"));
      continue;
    }
    read.status =
        Call(*read.buffer, "read", [&] { return functions_.read(context_, Outside(read.buffer)); });
    read.damaged = !read.status.ok();  // whatever the reader expects
    if (read.status.ok()) read.status = Validate(*read.buffer, read.check);
  }
}

absl::Status CallbackSource::CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) {
  return Validate(buffer, &check);
}

void CallbackSource::Write(absl::Span<BlockWrite> writes) {
  for (BlockWrite& write : writes) {
    if (functions_.write == nullptr) {
      write.status = absl::FailedPreconditionError(
          absl::StrCat("block ", write.buffer->start(), ": the cache's source cannot write"));
      continue;
    }
    write.status = Call(*write.buffer, "write",
                        [&] { return functions_.write(context_, Outside(write.buffer)); });
  }
}

void CallbackSource::Forget(const ExtentBuffer& buffer, std::byte* user) noexcept {
  if (functions_.forget != nullptr) functions_.forget(context_, Outside(&buffer), user);
}

}  // namespace ebcache::capi
