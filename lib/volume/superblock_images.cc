#include "lib/volume/superblock_images.h"

#include <absl/strings/str_cat.h>
#include <xxhash.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "ebcache/item_codec.h"
#include "lib/base/messages.h"
#include "lib/volume/superblock_reader.h"

namespace ebcache {
namespace {

absl::Status WriteImage(BlockDevice& device, const SuperblockImage& image, bool durable) {
  DeviceWrite write{.offset = image.offset, .segments = {absl::MakeConstSpan(image.bytes)}};
  if (durable) {
    device.Write(absl::MakeSpan(&write, 1));
  } else {
    device.WriteCached(absl::MakeSpan(&write, 1));
  }
  return Prefixed(absl::StrCat(device.name(), ": superblock at ", image.offset), write.status);
}

}  // namespace

absl::StatusOr<std::vector<SuperblockImage>> ReadSuperblockImages(BlockDevice& device,
                                                                  const DeviceItem& item) {
  std::vector<SuperblockImage> images;
  const uint64_t room = std::min(device.size_bytes(), item.total_bytes);
  for (const uint64_t offset : kSuperblockOffsets) {
    if (offset != kSuperblockOffsets[0] && !SuperblockFits(offset, room)) break;
    SuperblockImage& image = images.emplace_back();
    image.device_uuid = item.uuid;
    image.offset = offset;
    DeviceRead read{.offset = offset, .segments = {absl::MakeSpan(image.bytes)}};
    device.Read(absl::MakeSpan(&read, 1));
    if (!read.status.ok()) {
      return Prefixed(absl::StrCat(device.name(), ": superblock at ", offset), read.status);
    }
  }
  return images;
}

absl::Status WriteSuperblockImages(absl::Span<const DeviceImages> devices) {
  for (const DeviceImages& one : devices) {
    absl::Status status = WriteImage(*one.device, one.images.front(), true);
    if (!status.ok()) return status;
  }
  for (const DeviceImages& one : devices) {
    for (auto image = std::next(one.images.begin()); image != one.images.end(); ++image) {
      absl::Status status = WriteImage(*one.device, *image, false);
      if (!status.ok()) return status;
    }
  }
  for (const DeviceImages& one : devices) {
    if (absl::Status status = one.device->Flush(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

uint64_t SuperblockStateHash(const Superblock& superblock) {
  Superblock state = superblock;
  state.checksum = {};
  state.bytenr = 0;
  state.device = {};
  std::array<std::byte, kSuperblockBytes> bytes{};
  // A superblock that was parsed, or that passed EncodeSuperblock, can be encoded.
  const absl::Status encoded = EncodeItem(state, absl::MakeSpan(bytes));
  return encoded.ok() ? XXH64(bytes.data(), bytes.size(), 0) : 0;
}

}  // namespace ebcache
