// A filesystem that calls of the C face are made on, as cache_stage.h has caches.

#ifndef EBCACHE_TESTS_CAPI_FILESYSTEM_STAGE_H_
#define EBCACHE_TESTS_CAPI_FILESYSTEM_STAGE_H_

#include <vector>

#include "ebcache/ebcache.h"
#include "tests/capi/cache_stage.h"

namespace ebcache {

// An opened filesystem, of which nothing is cached but what the path holds.
class FilesystemStage {
 public:
  FilesystemStage();
  ~FilesystemStage();
  FilesystemStage(const FilesystemStage&) = delete;
  FilesystemStage& operator=(const FilesystemStage&) = delete;

  // As that of a cache: all items can be iterated and all blocks be walked.
  void ExpectSound();

  ebcache_filesystem* filesystem = nullptr;
  ebcache_cache* cache = nullptr;
  ebcache_tree* tree = nullptr;
  ebcache_path* path = nullptr;
  ebcache_block_set* set = nullptr;
  ebcache_buffer* leaf = nullptr;  // borrowed from the path
  ebcache_buffer* node = nullptr;  // its root
  struct ebcache_root root;
};

std::vector<Call<FilesystemStage>> FilesystemCalls();
// Of those that take items apart, and lead from paths to inodes.
std::vector<Call<FilesystemStage>> ItemCalls();

}  // namespace ebcache

#endif  // EBCACHE_TESTS_CAPI_FILESYSTEM_STAGE_H_
