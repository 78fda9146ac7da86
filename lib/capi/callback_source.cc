#include "lib/capi/callback_source.h"

#include <absl/strings/str_cat.h>

#include "lib/capi/errors.h"
#include "lib/capi/handles.h"

namespace ebcache::capi {
namespace {

// The callback's error, with the block it is about.
absl::Status OfBlock(const ExtentBuffer& buffer, int result, std::string_view what) {
  const absl::Status status = StatusOfCallback(result, what);
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat("block ", buffer.start(), ": ", status.message()));
}

}  // namespace

absl::Status CallbackSource::Validate(const ExtentBuffer& buffer, const ParentCheck* check) {
  if (functions_.validate == nullptr) return absl::OkStatus();
  ebcache_check outside;
  if (check != nullptr) outside = Outside(*check);
  ForgetWords();
  return OfBlock(
      buffer,
      functions_.validate(context_, Outside(&buffer), check != nullptr ? &outside : nullptr),
      "validate");
}

void CallbackSource::Read(absl::Span<BlockRead> reads) {
  for (BlockRead& read : reads) {
    if (functions_.read == nullptr) {
      read.status = absl::FailedPreconditionError(
          absl::StrCat("block ", read.buffer->start(), ": the cache's source cannot read"));
      continue;
    }
    ForgetWords();
    read.status = OfBlock(*read.buffer, functions_.read(context_, Outside(read.buffer)), "read");
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
    ForgetWords();
    write.status =
        OfBlock(*write.buffer, functions_.write(context_, Outside(write.buffer)), "write");
  }
}

}  // namespace ebcache::capi
