// The same through the C++ headers and the static library.

#include <ebcache/btree.h>
#include <ebcache/filesystem.h>

#include <cinttypes>
#include <cstdio>
#include <string>
#include <vector>

namespace {

struct Counter : ebcache::TreeVisitor {
  bool VisitBlock(const ebcache::TreeRoot&, const ebcache::ExtentBuffer& block) override {
    const ebcache::Header header(block);
    if (header.level() == 0) {
      ++leaves;
      items += header.item_count();
    } else {
      ++nodes;
    }
    return true;
  }
  void VisitDamage(const ebcache::WalkDamage&) override { damaged = true; }

  uint64_t items = 0;
  uint64_t leaves = 0;
  uint64_t nodes = 0;
  bool damaged = false;
};

}  // namespace

int main(int argc, char** argv) {
  auto filesystem = ebcache::Filesystem::Open(std::vector<std::string>(argv + 1, argv + argc));
  if (!filesystem.ok()) {
    std::fprintf(stderr, "count: %s\n", std::string(filesystem.status().message()).c_str());
    return 1;
  }
  std::vector<ebcache::WalkDamage> damage;
  for (const ebcache::TreeRoot& root : (*filesystem)->Trees(&damage)) {
    Counter counter;
    ebcache::WalkTree((*filesystem)->cache(), root, counter);
    if (counter.damaged) return 1;
    std::printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", root.name.c_str(), counter.items,
                counter.leaves, counter.nodes);
  }
  return damage.empty() ? 0 : 1;
}
