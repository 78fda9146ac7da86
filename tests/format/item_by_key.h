// An item of a tree, whatever its type is: parsed, and encoded again.

#ifndef EBCACHE_TESTS_FORMAT_ITEM_BY_KEY_H_
#define EBCACHE_TESTS_FORMAT_ITEM_BY_KEY_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <vector>

#include "ebcache/items.h"

namespace ebcache::testing {

// Parses an item by what its key says that it is, and puts what that encodes to behind `out`.
// Errors: those of parsing, and NotFound for types that are bytes.
absl::Status ParseAndEncode(const Key& key, absl::Span<const std::byte> item,
                            std::vector<std::byte>& out);

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_FORMAT_ITEM_BY_KEY_H_
