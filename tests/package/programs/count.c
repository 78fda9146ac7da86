/* Opens an image through the C face, and prints for each tree "NAME ITEMS LEAVES NODES". */

#include <ebcache/ebcache.h>
#include <inttypes.h>
#include <stdio.h>

struct counts {
  ebcache_cache* cache;
  uint64_t items, leaves, nodes;
};

static int count_block(void* context, const struct ebcache_root* root,
                       const ebcache_buffer* block) {
  struct counts* counts = context;
  struct ebcache_header header = {.size = sizeof header};
  (void)root;
  const int error = ebcache_header(block, &header);
  if (error != 0) return error;
  if (header.level == 0) {
    ++counts->leaves;
    counts->items += header.item_count;
  } else {
    ++counts->nodes;
  }
  return 0;
}

static int count_tree(void* context, const struct ebcache_root* root) {
  const struct ebcache_visitor visitor = {.size = sizeof visitor, .block = count_block};
  struct counts counts = {.cache = context};
  const int error = ebcache_walk(counts.cache, root, &visitor, &counts, NULL);
  if (error != 0) return error;
  printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", root->name, counts.items, counts.leaves,
         counts.nodes);
  return 0;
}

int main(int argc, char** argv) {
  ebcache_filesystem* filesystem;
  if (ebcache_open((const char* const*)argv + 1, (size_t)argc - 1, NULL, &filesystem) != 0 ||
      ebcache_for_each_tree(filesystem, count_tree, ebcache_filesystem_cache(filesystem)) != 0 ||
      ebcache_close(filesystem) != 0) {
    fprintf(stderr, "count: %s\n", ebcache_last_error());
    return 1;
  }
  return 0;
}
