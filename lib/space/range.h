// Range, and sets of them: what is free in a block group or on a device.

#ifndef EBCACHE_LIB_SPACE_RANGE_H_
#define EBCACHE_LIB_SPACE_RANGE_H_

#include <absl/status/status.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace ebcache::space {

// A run of bytes of an address space: logical, or of one device.
struct Range {
  uint64_t start = 0;
  uint64_t length = 0;

  constexpr uint64_t end() const { return start + length; }
  friend constexpr bool operator==(const Range&, const Range&) = default;
  // "[4096, 8192)"
  std::string ToString() const;
};

// Disjoint ranges that do not touch. Thread safety: one thread at a time.
class RangeSet {
 public:
  // Errors, and nothing has changed: InvalidArgument, it is empty or ends behind 2^64; DataLoss, a
  // part of it is in the set already (Add) or is not all there (Remove).
  absl::Status Add(const Range& range);
  absl::Status Remove(const Range& range);
  // Adds what is not there; takes out what is there. REQUIRES: as above, not empty.
  void Unite(const Range& range);
  void Subtract(const Range& range);

  // Whether all, or any, of it is in the set.
  bool Contains(const Range& range) const;
  bool Intersects(const Range& range) const;

  // The lowest multiple of `alignment` at or after `from` at which `bytes` are in the set. REQUIRES:
  // bytes > 0, alignment > 0.
  std::optional<uint64_t> Find(uint64_t bytes, uint64_t alignment, uint64_t from) const;
  // The longest one; nullopt when there is none. Of two as long, the lower.
  std::optional<Range> Longest() const;

  uint64_t bytes() const { return bytes_; }
  size_t size() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  // Ends by starts.
  const std::map<uint64_t, uint64_t>& ends() const { return ends_; }

 private:
  using Iterator = std::map<uint64_t, uint64_t>::const_iterator;
  // The first that ends behind `address`.
  Iterator EndsBehind(uint64_t address) const;

  std::map<uint64_t, uint64_t> ends_;
  uint64_t bytes_ = 0;
};

}  // namespace ebcache::space

#endif  // EBCACHE_LIB_SPACE_RANGE_H_
