// Items of trees between bytes and structs: one set of functions for all of the types in items.h.
//
// Parsing takes bytes of any content and length. It tells whether they have the form of the type,
// lengths that lead outside included, and believes no more of them than that: whether the fields
// make sense is CheckTreeBlock's business. So what is damaged in its fields can be looked at, and
// be written back as it was: encoding gives the bytes that were parsed, all of them, whatever they
// were.
//
// All of it is thread-safe as far as the arguments are. Nothing here aborts.

#ifndef EBCACHE_ITEM_CODEC_H_
#define EBCACHE_ITEM_CODEC_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <optional>
#include <vector>

namespace ebcache {

// The item that is `item`, the whole of it. Names and data in the result are views of `item`.
// Errors: DataLoss, with the type, how long the item is and how long it would have to be.
template <typename T>
absl::StatusOr<T> ParseItem(absl::Span<const std::byte> item);

// How many bytes `value` takes in a tree.
template <typename T>
size_t EncodedBytes(const T& value);

// Writes `value` to `out`, every byte of it. Errors: InvalidArgument, and `out` is as it was: it is
// not EncodedBytes(value) bytes long, a name or a count is larger than its field can say, or parts
// are there that exclude each other.
template <typename T>
absl::Status EncodeItem(const T& value, absl::Span<std::byte> out);

// The same behind what is in `out`. Errors: InvalidArgument, and `out` is as it was.
template <typename T>
absl::Status AppendItem(const T& value, std::vector<std::byte>& out);

// The entries of an item that holds several, one behind the other: names of an inode, directory
// entries, inline references, ids of a uuid, stripes, ...
//
//   ItemRecords<DirEntry> entries(item);
//   while (const std::optional<DirEntry> entry = entries.Next()) ...
//   if (!entries.status().ok()) ...
//
// Views in an entry are of the item's bytes. Encoding is AppendItem of one entry after the other.
template <typename T>
class ItemRecords {
 public:
  // REQUIRES: the bytes outlive this object, and the entries that it gives.
  explicit ItemRecords(absl::Span<const std::byte> item) : item_(item) {}

  // The next entry. None at the end, and where the rest does not hold an entry: then status()
  // tells.
  std::optional<T> Next();

  // Where the entry is that Next gave last, or where the damage begins: bytes from the item's
  // front.
  size_t position() const { return position_; }

  // DataLoss, with where, once Next has met bytes that are no entry.
  const absl::Status& status() const { return status_; }

 private:
  absl::Span<const std::byte> item_;
  size_t position_ = 0;
  size_t next_ = 0;
  absl::Status status_;
};

// An item whose key is all that it says.
struct EmptyItem {
  static constexpr size_t kBytes = 0;
  friend constexpr bool operator==(const EmptyItem&, const EmptyItem&) = default;
};

}  // namespace ebcache

#endif  // EBCACHE_ITEM_CODEC_H_
