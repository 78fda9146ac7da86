#include "tests/fuzz/trusting_decoder.h"

#include <algorithm>
#include <cstring>

#include "tests/fuzz/oracle.h"

namespace ebcache::fuzz {
namespace {

// The bytes of an item, read in order or by offset; every step out of them is a finding.
class Reader {
 public:
  explicit Reader(absl::Span<const std::byte> item) : item_(item) {}

  template <typename T>
  T At(size_t at) {
    const bool inside = at + sizeof(T) <= item_.size();
    EBCACHE_ORACLE("field-in-item", inside);
    T value{};
    if (!inside) return value;
    std::memcpy(&value, item_.data() + at, sizeof(T));
    sum_ += static_cast<uint64_t>(value);
    return value;
  }
  template <typename T>
  T Next() {
    const T value = At<T>(at_);
    at_ += sizeof(T);
    return value;
  }
  void SkipBytes(size_t bytes) {
    const size_t left = item_.size() - std::min(at_, item_.size());
    EBCACHE_ORACLE("length-in-item", bytes <= left);
    at_ += std::min(bytes, left);
  }
  void SkipName(size_t bytes) {
    EBCACHE_ORACLE("name-empty", bytes > 0);
    SkipBytes(bytes);
  }
  bool at_end() const { return at_ >= item_.size(); }
  uint64_t sum() const { return sum_; }

 private:
  absl::Span<const std::byte> item_;
  size_t at_ = 0;
  uint64_t sum_ = 0;
};

void CheckRange(uint64_t start, uint64_t length) {
  EBCACHE_ORACLE("range-wraps", start + length >= start);
}

void DecodeNames(Reader& reader, size_t skipped_bytes) {
  do {
    reader.SkipBytes(skipped_bytes);
    reader.SkipName(reader.Next<uint16_t>());
  } while (!reader.at_end());
}

void DecodeEntries(Reader& reader) {
  do {
    reader.SkipBytes(25);
    const size_t data_bytes = reader.Next<uint16_t>();
    const size_t name_bytes = reader.Next<uint16_t>();
    EBCACHE_ORACLE("entry-type", (reader.Next<uint8_t>() & 0x7f) <= 8);
    reader.SkipName(name_bytes);
    reader.SkipBytes(data_bytes);
  } while (!reader.at_end());
}

void DecodeFileExtent(const Key& key, Reader& reader) {
  if (reader.At<uint8_t>(20) == 0) return;
  CheckRange(key.offset, reader.At<uint64_t>(45));
}

void DecodeExtent(const Key& key, Reader& reader) {
  uint64_t references = reader.Next<uint64_t>();
  reader.SkipBytes(8);
  const bool tree_block = (reader.Next<uint64_t>() & 2) != 0;
  if (tree_block && key.type == kExtentItemType) reader.SkipBytes(18);
  while (!reader.at_end()) {
    const uint8_t type = reader.Next<uint8_t>();
    uint64_t count = 1;
    if (type == kExtentDataRefType) {
      reader.SkipBytes(24);
      count = reader.Next<uint32_t>();
    } else {
      reader.SkipBytes(8);
      if (type == kSharedDataRefType) count = reader.Next<uint32_t>();
      if (type == kExtentOwnerRefType) count = 0;
    }
    EBCACHE_ORACLE("references", count <= references);
    references -= std::min(count, references);
  }
}

void DecodeChunk(const Key& key, absl::Span<const std::byte> item, Reader& reader) {
  CheckRange(key.offset, reader.At<uint64_t>(0));
  const size_t stripes = reader.At<uint16_t>(44);
  for (size_t i = 0; i < stripes; ++i) reader.At<uint64_t>(48 + 32 * i + 24);
  EBCACHE_ORACLE("stripes", stripes > 0 && item.size() / stripes > 0);
}

}  // namespace

uint64_t DecodeTrustingly(const Key& key, absl::Span<const std::byte> item) {
  Reader reader(item);
  switch (key.type) {
    case kInodeItemType:
      reader.At<uint64_t>(152);
      break;
    case kInodeRefType:
      DecodeNames(reader, 8);
      break;
    case kInodeExtrefType:
      DecodeNames(reader, 16);
      break;
    case kXattrItemType:
    case kDirItemType:
    case kDirIndexType:
      DecodeEntries(reader);
      break;
    case kExtentDataType:
      DecodeFileExtent(key, reader);
      break;
    case kRootItemType:
      EBCACHE_ORACLE("root-level", reader.At<uint8_t>(238) < kMaxLevels);
      break;
    case kExtentItemType:
    case kMetadataItemType:
      DecodeExtent(key, reader);
      break;
    case kExtentDataRefType:
      for (size_t at = 0; at < item.size(); at += 28) reader.At<uint32_t>(at + 24);
      break;
    case kSharedDataRefType:
      reader.At<uint32_t>(0);
      break;
    case kBlockGroupItemType:
      reader.At<uint64_t>(16);
      break;
    case kDevExtentType:
      reader.At<uint64_t>(40);
      break;
    case kDevItemType:
      EBCACHE_ORACLE("device-number", reader.At<uint64_t>(0) == key.offset);
      reader.At<uint64_t>(90);
      break;
    case kChunkItemType:
      DecodeChunk(key, item, reader);
      break;
    default:
      break;
  }
  return reader.sum();
}

}  // namespace ebcache::fuzz
