#include "lib/txn/block_edit.h"

#include <absl/strings/str_cat.h>

#include <cstring>

#include "lib/base/check.h"
#include "lib/base/messages.h"

namespace ebcache::txn {

BlockEdit::BlockEdit(ExtentBuffer& buffer, Purpose purpose) : buffer_(&buffer), purpose_(purpose) {
  const size_t length = buffer.length();
  if (buffer.contiguous() != nullptr) {
    bytes_ = buffer.mutable_segments()[0];
    return;
  }
  copy_ = std::make_unique_for_overwrite<std::byte[]>(length);
  bytes_ = absl::MakeSpan(copy_.get(), length);
  const absl::Status status = buffer.Read(0, bytes_);
  EBCACHE_CHECK(status.ok(), "a block can be read in the length that it has");
}

void BlockEdit::Finish() {
  if (buffer_ == nullptr || copy_ == nullptr || purpose_ == Purpose::kLook) return;
  const absl::Status status = buffer_->Write(0, bytes_);
  EBCACHE_CHECK(status.ok(), "a block can be written in the length that it has");
}

absl::StatusOr<edit::MutableBlock> BlockEdit::Open() const {
  absl::StatusOr<edit::MutableBlock> block = edit::MutableBlock::Open(bytes_);
  if (!block.ok()) {
    return Prefixed(absl::StrCat("block ", buffer_->start()), block.status());
  }
  return block;
}

absl::Status EditStatus(edit::Result result, uint64_t bytenr, const char* what) {
  if (result == edit::Result::kDone) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("block ", bytenr, ": ", what, ": ", edit::ResultWords(result)));
}

}  // namespace ebcache::txn
