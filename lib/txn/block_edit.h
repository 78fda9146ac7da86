// BlockEdit: the bytes of an extent buffer, in one piece, for functions on bytes.
//
// Where the buffer is in one piece they are the buffer's own. Of a page array they are a copy, which
// goes back when the edit ends.

#ifndef EBCACHE_LIB_TXN_BLOCK_EDIT_H_
#define EBCACHE_LIB_TXN_BLOCK_EDIT_H_

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "ebcache/extent_buffer.h"
#include "lib/tree/edit/mutable_block.h"

namespace ebcache::txn {

// A buffer's bytes. REQUIRES: the caller holds the buffer for as long, and no other thread writes to
// it; with kChange no other thread uses the bytes at all, and the transaction has made the block.
class BlockEdit {
 public:
  enum class Purpose : uint8_t { kLook, kChange };

  BlockEdit(ExtentBuffer& buffer, Purpose purpose);
  // Puts what was changed of a page array back.
  ~BlockEdit() { Finish(); }
  BlockEdit(BlockEdit&& other) noexcept
      : buffer_(std::exchange(other.buffer_, nullptr)),
        purpose_(other.purpose_),
        copy_(std::move(other.copy_)),
        bytes_(other.bytes_) {}
  BlockEdit& operator=(BlockEdit&&) = delete;

  absl::Span<std::byte> bytes() const { return bytes_; }
  // The block in them, looked at. Errors: DataLoss, "block L: ..." (edit::MutableBlock::Open).
  absl::StatusOr<edit::MutableBlock> Open() const;
  // The same of one that is to be changed: what the transaction has made was sound from the start. A
  // look at every key for each change of one was a sixth of the time of a rewrite.
  edit::MutableBlock Reopen() const { return edit::MutableBlock::Reopen(bytes_); }

 private:
  void Finish();

  ExtentBuffer* buffer_;
  Purpose purpose_;
  std::unique_ptr<std::byte[]> copy_;  // of a page array
  absl::Span<std::byte> bytes_;
};

// The error of an edit that has refused, "block L: WHAT: no room": Internal, because the caller looks
// before it edits. OK when it was done.
absl::Status EditStatus(edit::Result result, uint64_t bytenr, const char* what);

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_BLOCK_EDIT_H_
