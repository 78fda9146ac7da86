// Items of every type with rules, sound until a test breaks them.

#ifndef EBCACHE_TESTS_FORMAT_ITEM_BYTES_H_
#define EBCACHE_TESTS_FORMAT_ITEM_BYTES_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "lib/format/checksum.h"
#include "tests/format/format_bytes.h"

namespace ebcache::testing {

// A string of bytes that fields are put into.
class ItemBytes {
 public:
  explicit ItemBytes(size_t bytes) : bytes_(bytes, '\0') {}

  template <typename T>
  ItemBytes& Put(size_t at, std::type_identity_t<T> value) {
    for (size_t i = 0; i < sizeof(T); ++i) {
      bytes_.at(at + i) = static_cast<char>(static_cast<uint64_t>(value) >> (8 * i) & 0xff);
    }
    return *this;
  }
  ItemBytes& Append(std::string_view text) {
    bytes_ += text;
    return *this;
  }
  operator std::string() const { return bytes_; }

 private:
  std::string bytes_;
};

inline uint64_t HashOf(std::string_view name) {
  return NameHash({reinterpret_cast<const std::byte*>(name.data()), name.size()});
}

inline ItemBytes InodeItem(uint32_t mode = 0100644) {
  return ItemBytes(160).Put<uint64_t>(0, 5).Put<uint64_t>(8, 6).Put<uint32_t>(52, mode);
}

inline ItemBytes InodeRef(std::string_view name) {
  return ItemBytes(10).Put<uint16_t>(8, name.size()).Append(name);
}

inline ItemBytes InodeExtref(std::string_view name) {
  return ItemBytes(18).Put<uint16_t>(16, name.size()).Append(name);
}

inline ItemBytes DirectoryEntry(std::string_view name, uint8_t type = 1,
                                std::string_view data = {}) {
  return ItemBytes(30)
      .Put<uint64_t>(0, type == 8 ? 0 : 257)  // attributes lead nowhere
      .Put<uint8_t>(8, type == 8 ? 0 : kInodeItemType)
      .Put<uint16_t>(25, data.size())
      .Put<uint16_t>(27, name.size())
      .Put<uint8_t>(29, type)
      .Append(name)
      .Append(data);
}

inline ItemBytes InlineExtent(std::string_view data) {
  return ItemBytes(21).Put<uint64_t>(8, data.size()).Append(data);
}

inline ItemBytes FileExtent(uint64_t file_bytes = 8192) {
  return ItemBytes(53)
      .Put<uint64_t>(8, 16384)
      .Put<uint8_t>(20, 1)
      .Put<uint64_t>(21, 1 << 20)
      .Put<uint64_t>(29, 16384)
      .Put<uint64_t>(45, file_bytes);
}

inline ItemBytes ExtentHeader(uint64_t references, uint64_t flags) {
  return ItemBytes(24).Put<uint64_t>(0, references).Put<uint64_t>(8, 6).Put<uint64_t>(16, flags);
}

inline ItemBytes TreeBlockRef(uint64_t root = kFsTreeId) {
  return ItemBytes(9).Put<uint8_t>(0, kTreeBlockRefType).Put<uint64_t>(1, root);
}
inline ItemBytes SharedBlockRef(uint64_t parent) {
  return ItemBytes(9).Put<uint8_t>(0, kSharedBlockRefType).Put<uint64_t>(1, parent);
}
inline ItemBytes DataRef(uint32_t count, uint64_t file_offset = 0) {
  return ItemBytes(29)
      .Put<uint8_t>(0, kExtentDataRefType)
      .Put<uint64_t>(1, kFsTreeId)
      .Put<uint64_t>(9, 257)
      .Put<uint64_t>(17, file_offset)
      .Put<uint32_t>(25, count);
}
inline ItemBytes SharedDataRef(uint64_t parent, uint32_t count) {
  return ItemBytes(13)
      .Put<uint8_t>(0, kSharedDataRefType)
      .Put<uint64_t>(1, parent)
      .Put<uint32_t>(9, count);
}
inline ItemBytes OwnerRef() {
  return ItemBytes(9).Put<uint8_t>(0, kExtentOwnerRefType).Put<uint64_t>(1, kFsTreeId);
}

// Of an item that is not skinny.
inline ItemBytes TreeBlockInfo(uint8_t level) { return ItemBytes(18).Put<uint8_t>(17, level); }

inline ItemBytes RootItemOf(uint64_t bytenr = 1 << 20) {
  return ItemBytes(439).Put<uint64_t>(160, 6).Put<uint64_t>(176, bytenr).Put<uint32_t>(216, 1);
}

inline ItemBytes RootReference(std::string_view name) {
  return ItemBytes(18).Put<uint16_t>(16, name.size()).Append(name);
}

inline std::string ChunkItemString(uint64_t logical) {
  const Bytes bytes = ChunkItemOf(SoundChunk(RaidProfile::kDup, logical, uint64_t{8} << 20));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

inline ItemBytes DeviceItemOf(uint64_t id) {
  return ItemBytes(98).Put<uint64_t>(0, id).Put<uint64_t>(8, 1 << 30).Put<uint64_t>(16, 1 << 20);
}

inline ItemBytes DeviceExtent(uint64_t length = 1 << 20) {
  return ItemBytes(48)
      .Put<uint64_t>(0, kChunkTreeId)
      .Put<uint64_t>(8, kFirstChunkTreeObjectId)
      .Put<uint64_t>(16, 1 << 20)
      .Put<uint64_t>(24, length);
}

inline ItemBytes BlockGroup(uint64_t used = 4096, uint64_t type = kBlockGroupMetadata) {
  return ItemBytes(24)
      .Put<uint64_t>(0, used)
      .Put<uint64_t>(8, kFirstChunkTreeObjectId)
      .Put<uint64_t>(16, type);
}

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_FORMAT_ITEM_BYTES_H_
