// Counts the items of each tree that a filesystem has: count_items <device>...

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "ebcache/filesystem.h"

int main(int argc, char** argv) {
  const std::vector<std::string> paths(argv + 1, argv + argc);
  auto fs = ebcache::Filesystem::Open(paths, {.cache = {.budget_bytes = 16 << 20}});
  if (!fs.ok()) {
    std::fprintf(stderr, "%s\n", fs.status().ToString().c_str());
    return 2;
  }
  for (const uint64_t id : {ebcache::kRootTreeId, ebcache::kExtentTreeId, ebcache::kFsTreeId}) {
    auto tree = (*fs)->Tree(id);
    if (!tree.ok()) {
      std::fprintf(stderr, "%s\n", tree.status().ToString().c_str());
      return 2;
    }
    auto items = tree->Items();
    uint64_t count = 0;
    for ([[maybe_unused]] const ebcache::Item& item : items) ++count;
    if (!items.status().ok()) {
      std::fprintf(stderr, "%s\n", items.status().ToString().c_str());
      return 1;
    }
    std::printf("tree %" PRIu64 ": %" PRIu64 " items\n", id, count);
  }
  return 0;
}
