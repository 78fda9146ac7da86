#include "tests/fuzz/capi_image.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

#include "ebcache/ebcache.h"
#include "tests/format/format_bytes.h"
#include "tests/fuzz/oracle.h"
#include "tests/fuzz/small_image.h"

namespace ebcache::fuzz {
namespace {

constexpr int kErrors[] = {EINVAL, E2BIG,  ENOMEM, ENOENT, EEXIST,     ERANGE, EUCLEAN,
                           EIO,    EACCES, EBUSY,  ENXIO,  EOPNOTSUPP, EAGAIN};

using DeviceBytes = std::map<uint64_t, testing::Bytes>;  // by physical address

DeviceBytes EditedImage(FuzzInput& input) {
  const std::vector<ImageBlock>& image = SmallImage();
  std::vector<testing::Bytes> blocks;
  for (const ImageBlock& block : image) blocks.push_back(block.bytes);
  for (int edits = input.Take<uint8_t>() % 8; edits > 0 && !input.empty(); --edits) {
    testing::Bytes& bytes = blocks[input.Take<uint8_t>() % blocks.size()];
    const size_t at = input.Take<uint16_t>() % (bytes.size() - 7);
    const auto value = input.Take<uint64_t>();
    std::memcpy(&bytes[at], &value, size_t{1} << (input.Take<uint8_t>() & 3));
  }
  DeviceBytes device;
  for (size_t i = 0; i < image.size(); ++i) {
    testing::Seal(blocks[i], ChecksumType::kCrc32c);
    for (const uint64_t physical : image[i].physical) device[physical] = blocks[i];
  }
  return device;
}

int ReadDevice(void* context, uint64_t offset, void* to, size_t length) {
  const auto& device = *static_cast<const DeviceBytes*>(context);
  std::memset(to, 0, length);
  for (const auto& [physical, bytes] : device) {
    const uint64_t from = std::max(offset, physical);
    const uint64_t end = std::min(offset + length, physical + bytes.size());
    if (from >= end) continue;
    std::memcpy(static_cast<std::byte*>(to) + (from - offset), &bytes[from - physical], end - from);
  }
  return 0;
}

struct Roots {
  std::vector<ebcache_root> all;
};

void ReadTree(ebcache_filesystem* filesystem, const ebcache_root& root, FuzzInput& input) {
  ebcache_cache* const cache = ebcache_filesystem_cache(filesystem);
  ebcache_visitor visitor{};
  visitor.size = sizeof(visitor);
  visitor.block = [](void*, const ebcache_root*, const ebcache_buffer* block) {
    struct ebcache_header header {};
    header.size = sizeof(header);
    EBCACHE_ORACLE("header", Known(ebcache_header(block, &header)) == 0);
    for (uint32_t slot = 0; slot < header.item_count; ++slot) {
      struct ebcache_leaf_slot item {};
      item.size = sizeof(item);
      struct ebcache_node_slot child {};
      child.size = sizeof(child);
      const bool leaf = header.level == 0;
      EBCACHE_ORACLE("leaf-slot", (Known(ebcache_leaf_slot(block, slot, &item)) == 0) == leaf);
      EBCACHE_ORACLE("node-slot", (Known(ebcache_node_slot(block, slot, &child)) == 0) == !leaf);
      std::vector<uint8_t> data(item.data_bytes);
      EBCACHE_ORACLE("item-readable",
                     ebcache_copy_out(block, item.data_offset, data.data(), data.size()) == 0);
    }
    return 0;
  };
  (void)Known(ebcache_walk(cache, &root, &visitor, nullptr, nullptr));

  ebcache_tree* tree = nullptr;
  if (Known(ebcache_tree_open_root(cache, &root, &tree)) != 0) return;
  const ebcache_key key{.objectid = 256 + input.Take<uint8_t>() % uint64_t{16},
                        .offset = 0,
                        .type = input.Take<uint8_t>()};
  ebcache_path* path = nullptr;
  if (Known(ebcache_search(tree, &key, input.Take<uint8_t>() % 4, &path)) == 0) {
    for (int step = 0; step < 16; ++step) {
      ebcache_item item{};
      item.size = sizeof(item);
      if (Known(ebcache_path_item(path, &item)) != 0) break;
      const int moved =
          Known(step % 3 == 2 ? ebcache_path_previous(path) : ebcache_path_next(path));
      if (moved != 0) break;
    }
  }
  ebcache_path_close(path);
  uint64_t items = 0;
  const int iterated = ebcache_iterate(
      tree, nullptr, nullptr,
      [](void* context, const ebcache_item*) {
        const bool ends = ++*static_cast<uint64_t*>(context) < 10000;
        EBCACHE_ORACLE("iteration-ends", ends);
        return ends ? 0 : 1;
      },
      &items);
  if (iterated != 1) (void)Known(iterated);
  ebcache_tree_close(tree);
}

}  // namespace

int Known(int result) {
  if (result == 0) return 0;
  bool listed = false;
  for (const int error : kErrors) listed = listed || result == -error;
  EBCACHE_ORACLE("error-listed", listed);
  EBCACHE_ORACLE("error-with-words", ebcache_last_error()[0] != '\0');
  return result;
}

void RunCapiImage(FuzzInput& input) {
  DeviceBytes bytes = EditedImage(input);
  ebcache_device device{};
  device.size = sizeof(device);
  device.name = "image";
  device.bytes = kImageDeviceBytes;
  device.context = &bytes;
  device.read = ReadDevice;
  const ebcache_device* const devices[] = {&device};
  ebcache_cache_options cache{};
  cache.size = sizeof(cache);
  cache.budget_bytes = 64 << 10;
  ebcache_filesystem_options options{};
  options.size = sizeof(options);
  options.cache = &cache;
  static char anything;
  // To see it go.
  auto* filesystem = reinterpret_cast<ebcache_filesystem*>(&anything);
  if (Known(ebcache_open_devices(devices, 1, &options, &filesystem)) != 0) {
    EBCACHE_ORACLE("filesystem-or-error", filesystem == nullptr);
    return;
  }
  Roots roots;
  const int found = ebcache_for_each_tree(
      filesystem,
      [](void* context, const ebcache_root* root) {
        static_cast<Roots*>(context)->all.push_back(*root);
        return 0;
      },
      &roots);
  (void)Known(found);
  for (const ebcache_root& root : roots.all) ReadTree(filesystem, root, input);
  const uint64_t logical = SmallImage()[input.Take<uint8_t>() % SmallImage().size()].logical;
  for (uint32_t mirror = 0; mirror < 4; ++mirror) {
    struct ebcache_place place {};
    place.size = sizeof(place);
    ebcache_buffer* copy = nullptr;
    (void)Known(ebcache_place(filesystem, logical, mirror, &place));
    (void)Known(ebcache_read_mirror(filesystem, logical, mirror, nullptr, &copy));
    ebcache_put(copy);
  }
  EBCACHE_ORACLE("filesystem-goes", Known(ebcache_close(filesystem)) == 0);
}

}  // namespace ebcache::fuzz
