// Uuids, as they lie on disk.

#ifndef EBCACHE_UUID_H_
#define EBCACHE_UUID_H_

#include <array>
#include <cstddef>
#include <string>

namespace ebcache {

using Uuid = std::array<std::byte, 16>;
// "01234567-89ab-cdef-0123-456789abcdef"
std::string UuidString(const Uuid& uuid);

}  // namespace ebcache

#endif  // EBCACHE_UUID_H_
