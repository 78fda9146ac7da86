// An item in the words of `btrfs inspect-internal dump-tree`, in one line: so that the fields can
// be held against those that another program has read.

#ifndef EBCACHE_TESTS_FORMAT_ITEM_WORDS_H_
#define EBCACHE_TESTS_FORMAT_ITEM_WORDS_H_

#include <absl/types/span.h>

#include <cstddef>
#include <string>

#include "ebcache/items.h"

namespace ebcache::testing {

// Empty for types whose words are not known here. REQUIRES: the item parses.
std::string ItemWords(const Key& key, absl::Span<const std::byte> item);

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_FORMAT_ITEM_WORDS_H_
