#include "tests/capi/filesystem_stage.h"

#include <gtest/gtest.h>

extern "C" {
#include "tests/capi/sample_image.h"
}

namespace ebcache {
namespace {

int Count(void* count, const ebcache_item*) {
  ++*static_cast<int*>(count);
  return 0;
}

int CountBlock(void* count, const ebcache_root*, const ebcache_buffer*) {
  ++*static_cast<int*>(count);
  return 0;
}

}  // namespace

FilesystemStage::FilesystemStage() {
  const char* const paths[] = {sample_image()};
  EXPECT_EQ(ebcache_open(paths, 1, nullptr, &filesystem), 0) << ebcache_last_error();
  cache = ebcache_filesystem_cache(filesystem);
  EXPECT_EQ(ebcache_tree_open(filesystem, 5, &tree), 0) << ebcache_last_error();
  root = {};
  root.size = sizeof root;
  EXPECT_EQ(ebcache_tree_root(tree, &root), 0);
  EXPECT_EQ(ebcache_search(tree, nullptr, EBCACHE_SEARCH_AT_OR_AFTER, &path), 0);
  leaf = ebcache_path_buffer(path, 0);
  node = ebcache_path_buffer(path, static_cast<int>(root.level));
  EXPECT_EQ(ebcache_block_set_create(16384, &set), 0);
  ebcache_drop_caches(cache);
}

FilesystemStage::~FilesystemStage() {
  ebcache_path_close(path);
  ebcache_tree_close(tree);
  ebcache_block_set_free(set);
  EXPECT_EQ(ebcache_close(filesystem), 0) << ebcache_last_error();
}

void FilesystemStage::ExpectSound() {
  int items = 0;
  EXPECT_EQ(ebcache_iterate(tree, nullptr, nullptr, Count, &items), 0) << ebcache_last_error();
  EXPECT_GE(items, 601 * 3 - 2);
  ebcache_visitor visitor{};
  visitor.size = sizeof visitor;
  visitor.block = CountBlock;
  int blocks = 0;
  EXPECT_EQ(ebcache_walk(cache, &root, &visitor, &blocks, nullptr), 0) << ebcache_last_error();
  EXPECT_GT(blocks, 2);
  ebcache_path_close(path);
  path = nullptr;
  ebcache_drop_caches(cache);
  struct ebcache_cache_stats stats {};
  stats.size = sizeof stats;
  EXPECT_EQ(ebcache_cache_stats(cache, &stats), 0);
  EXPECT_EQ(stats.cached_buffers, 0u);
}

}  // namespace ebcache
