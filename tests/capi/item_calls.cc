// A call of every function that takes items apart or leads from paths to inodes. Of most the bytes are
// damaged: the words of an error need memory.

#include <cerrno>
#include <cstring>

#include "tests/capi/filesystem_stage.h"

namespace ebcache {
namespace {

using S = FilesystemStage;

// Bytes of no item but of those whose fields may all be zero.
constexpr unsigned char kZeroes[512] = {};
constexpr size_t kTooShort = 3;

template <typename T>
T Sized() {
  T value{};
  value.size = sizeof value;
  return value;
}

template <typename T>
int Parse(int (*parse)(const void*, size_t, T*), size_t bytes) {
  auto item = Sized<T>();
  return parse(kZeroes, bytes, &item);
}

template <typename T>
int Next(int (*next)(const void*, size_t, size_t*, T*), size_t bytes) {
  auto entry = Sized<T>();
  size_t position = 0;
  return next(kZeroes, bytes, &position, &entry);
}

// Of items that are one struct each, of files and of space.
std::vector<Call<S>> OfWholeItems() {
  return {
      {"ebcache_parse_inode_item", [](S&) { return Parse(ebcache_parse_inode_item, kTooShort); },
       -EUCLEAN},
      {"ebcache_parse_inode_item", [](S&) { return Parse(ebcache_parse_inode_item, 160); }},
      {"ebcache_parse_file_extent", [](S&) { return Parse(ebcache_parse_file_extent, kTooShort); },
       -EUCLEAN},
      {"ebcache_parse_root_ref", [](S&) { return Parse(ebcache_parse_root_ref, kTooShort); },
       -EUCLEAN},
      {"ebcache_parse_block_group", [](S&) { return Parse(ebcache_parse_block_group, kTooShort); },
       -EUCLEAN},
      {"ebcache_parse_block_group", [](S&) { return Parse(ebcache_parse_block_group, 24); }},
      {"ebcache_parse_free_space_info",
       [](S&) { return Parse(ebcache_parse_free_space_info, kTooShort); }, -EUCLEAN},
      {"ebcache_parse_free_space_info", [](S&) { return Parse(ebcache_parse_free_space_info, 8); }},
  };
}

// Of devices.
std::vector<Call<S>> OfWholeItemsOfDevices() {
  return {
      {"ebcache_parse_chunk_item", [](S&) { return Parse(ebcache_parse_chunk_item, kTooShort); },
       -EUCLEAN},
      {"ebcache_parse_device_item", [](S&) { return Parse(ebcache_parse_device_item, kTooShort); },
       -EUCLEAN},
      {"ebcache_parse_device_item", [](S&) { return Parse(ebcache_parse_device_item, 98); }},
      {"ebcache_parse_device_extent",
       [](S&) { return Parse(ebcache_parse_device_extent, kTooShort); }, -EUCLEAN},
      {"ebcache_parse_device_extent", [](S&) { return Parse(ebcache_parse_device_extent, 48); }},
      {"ebcache_parse_device_stats",
       [](S&) { return Parse(ebcache_parse_device_stats, kTooShort); }, -EUCLEAN},
      {"ebcache_parse_device_stats", [](S&) { return Parse(ebcache_parse_device_stats, 40); }},
  };
}

// Of what is done with them, of quotas, and all else.
std::vector<Call<S>> OfOtherWholeItems() {
  return {
      {"ebcache_parse_remap_item", [](S&) { return Parse(ebcache_parse_remap_item, kTooShort); },
       -EUCLEAN},
      {"ebcache_parse_remap_item", [](S&) { return Parse(ebcache_parse_remap_item, 8); }},
      {"ebcache_parse_device_replace",
       [](S&) { return Parse(ebcache_parse_device_replace, kTooShort); }, -EUCLEAN},
      {"ebcache_parse_device_replace", [](S&) { return Parse(ebcache_parse_device_replace, 72); }},
      {"ebcache_parse_balance_item",
       [](S&) { return Parse(ebcache_parse_balance_item, kTooShort); }, -EUCLEAN},
      {"ebcache_parse_balance_item", [](S&) { return Parse(ebcache_parse_balance_item, 448); }},
      {"ebcache_parse_verity_item", [](S&) { return Parse(ebcache_parse_verity_item, kTooShort); },
       -EUCLEAN},
      {"ebcache_parse_verity_item", [](S&) { return Parse(ebcache_parse_verity_item, 25); }},
      {"ebcache_parse_dir_log_item",
       [](S&) { return Parse(ebcache_parse_dir_log_item, kTooShort); }, -EUCLEAN},
      {"ebcache_parse_dir_log_item", [](S&) { return Parse(ebcache_parse_dir_log_item, 8); }},
      {"ebcache_parse_space_cache", [](S&) { return Parse(ebcache_parse_space_cache, kTooShort); },
       -EUCLEAN},
      {"ebcache_parse_space_cache", [](S&) { return Parse(ebcache_parse_space_cache, 41); }},
      {"ebcache_parse_qgroup_status",
       [](S&) { return Parse(ebcache_parse_qgroup_status, kTooShort); }, -EUCLEAN},
      {"ebcache_parse_qgroup_status", [](S&) { return Parse(ebcache_parse_qgroup_status, 32); }},
      {"ebcache_parse_qgroup_info", [](S&) { return Parse(ebcache_parse_qgroup_info, kTooShort); },
       -EUCLEAN},
      {"ebcache_parse_qgroup_info", [](S&) { return Parse(ebcache_parse_qgroup_info, 40); }},
      {"ebcache_parse_qgroup_limit",
       [](S&) { return Parse(ebcache_parse_qgroup_limit, kTooShort); }, -EUCLEAN},
      {"ebcache_parse_qgroup_limit", [](S&) { return Parse(ebcache_parse_qgroup_limit, 40); }},
      {"ebcache_parse_root_item", [](S&) { return Parse(ebcache_parse_root_item, kTooShort); },
       -EUCLEAN},
      {"ebcache_parse_chunk_stripe",
       [](S&) {
         auto stripe = Sized<ebcache_chunk_stripe>();
         return ebcache_parse_chunk_stripe(kZeroes, kTooShort, 0, &stripe);
       },
       -EUCLEAN},
      {"ebcache_parse_extent_item",
       [](S&) {
         auto extent = Sized<ebcache_extent_item>();
         return ebcache_parse_extent_item(EBCACHE_TYPE_EXTENT_ITEM, kZeroes, kTooShort, &extent);
       },
       -EUCLEAN},
      {"ebcache_parse_checksums",
       [](S&) {
         auto sums = Sized<ebcache_checksums>();
         return ebcache_parse_checksums(kZeroes, 3, 4, &sums);
       },
       -EUCLEAN},
      {"ebcache_free_space_bit", [](S&) { return ebcache_free_space_bit(kZeroes, 8, 64); },
       -ERANGE},
  };
}

// Of items that have several entries.
std::vector<Call<S>> OfEntries() {
  return {
      {"ebcache_next_inode_ref", [](S&) { return Next(ebcache_next_inode_ref, kTooShort); },
       -EUCLEAN},
      {"ebcache_next_inode_extref", [](S&) { return Next(ebcache_next_inode_extref, kTooShort); },
       -EUCLEAN},
      {"ebcache_next_dir_entry", [](S&) { return Next(ebcache_next_dir_entry, kTooShort); },
       -EUCLEAN},
      {"ebcache_next_uuid_subvolume",
       [](S&) { return Next(ebcache_next_uuid_subvolume, kTooShort); }, -EUCLEAN},
      {"ebcache_next_raid_stride", [](S&) { return Next(ebcache_next_raid_stride, kTooShort); },
       -EUCLEAN},
      {"ebcache_next_uuid_subvolume", [](S&) { return Next(ebcache_next_uuid_subvolume, 8); }, 1},
      {"ebcache_next_inline_ref", [](S&) { return Next(ebcache_next_inline_ref, 9); }, -EUCLEAN},
      {"ebcache_next_keyed_ref",
       [](S&) {
         const ebcache_key key{.objectid = 1, .offset = 2, .type = EBCACHE_TYPE_SHARED_DATA_REF};
         auto ref = Sized<ebcache_extent_ref>();
         size_t position = 0;
         return ebcache_next_keyed_ref(&key, kZeroes, kTooShort, &position, &ref);
       },
       -EUCLEAN},
      {"ebcache_for_each_extent_ref",
       [](S& s) {
         ebcache_tree* extents;
         if (const int error = ebcache_tree_open(s.filesystem, EBCACHE_TREE_EXTENT, &extents);
             error != 0) {
           return error;
         }
         const int error = ebcache_for_each_extent_ref(
             extents, s.root.bytenr, nullptr, [](void*, const ebcache_extent_ref*) { return 0; },
             nullptr);
         ebcache_tree_close(extents);
         return error;
       }},
  };
}

int SeePath(void*, const char*, size_t) { return 0; }

std::vector<Call<S>> OfPaths() {
  return {
      {"ebcache_find_inode",
       [](S& s) {
         auto place = Sized<ebcache_inode_place>();
         return ebcache_find_inode(s.filesystem, EBCACHE_TREE_FS, "/file-7", &place);
       }},
      {"ebcache_find_inode",
       [](S& s) {
         auto place = Sized<ebcache_inode_place>();
         return ebcache_find_inode(s.filesystem, EBCACHE_TREE_FS, "/file-7/below", &place);
       },
       -ENOENT},
      {"ebcache_for_each_path",
       [](S& s) {
         auto place = Sized<ebcache_inode_place>();
         const int error = ebcache_find_inode(s.filesystem, EBCACHE_TREE_FS, "/file-7", &place);
         if (error != 0) return error;
         return ebcache_for_each_path(s.filesystem, EBCACHE_TREE_FS, place.inode, SeePath, nullptr);
       }},
      {"ebcache_for_each_path",
       [](S& s) {
         return ebcache_for_each_path(s.filesystem, EBCACHE_TREE_FS, 4711, SeePath, nullptr);
       },
       -ENOENT},
      {"ebcache_subvolume_path",
       [](S& s) {
         return ebcache_subvolume_path(s.filesystem, EBCACHE_TREE_FS, SeePath, nullptr);
       }},
  };
}

}  // namespace

std::vector<Call<FilesystemStage>> ItemCalls() {
  std::vector<Call<FilesystemStage>> all;
  for (const auto& some :
       {OfWholeItems(), OfWholeItemsOfDevices(), OfOtherWholeItems(), OfEntries(), OfPaths()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace ebcache
