// A call of every function that has to do with filesystems and trees.

#include <cerrno>
#include <cstring>

#include "tests/capi/filesystem_stage.h"

extern "C" {
#include "tests/capi/sample_image.h"
}

namespace ebcache {
namespace {

// A device of the caller's: the image in memory.
int ReadBytes(void* context, uint64_t offset, void* to, size_t length) {
  std::memcpy(to, static_cast<const unsigned char*>(context) + offset, length);
  return 0;
}

int closed = 0;
void NoteClosed(void*) { ++closed; }

int Close(int error, ebcache_filesystem* filesystem) {
  if ((filesystem != nullptr) != (error == 0)) return -EPROTO;
  const int result = ebcache_close(filesystem);
  return result != 0 ? result : error;
}

int Open() {
  const char* const paths[] = {sample_image()};
  ebcache_filesystem* filesystem;
  const int error = ebcache_open(paths, 1, nullptr, &filesystem);
  return Close(error, filesystem);
}

int OpenDevices() {
  ebcache_device device{};
  unsigned long bytes = 0;
  device.size = sizeof device;
  device.name = "a tape";
  device.context = sample_image_bytes(&bytes);
  device.bytes = bytes;
  device.read = ReadBytes;
  device.close = NoteClosed;
  const ebcache_device* const devices[] = {&device};
  closed = 0;
  ebcache_filesystem* filesystem;
  const int opened = ebcache_open_devices(devices, 1, nullptr, &filesystem);
  const int error = Close(opened, filesystem);
  return closed == (opened == 0 ? 1 : 0) ? error : -EPROTO;
}

int PutHanded(int error, ebcache_buffer* buffer) {
  if ((buffer != nullptr) != (error == 0)) return -EPROTO;
  ebcache_put(buffer);
  return error;
}

int Search(FilesystemStage& s, const ebcache_key* key, int mode) {
  ebcache_path* path;
  const int error = ebcache_search(s.tree, key, mode, &path);
  if ((path != nullptr) != (error == 0)) return -EPROTO;
  ebcache_path_close(path);
  return error;
}

// Goes on as long as it works. -ENOENT: to the end.
int ToTheEnd(FilesystemStage& s, int (*step)(ebcache_path*)) {
  int error;
  while ((error = step(s.path)) == 0) {
  }
  if (error != -ENOENT && step(s.path) != -EINVAL) return -EPROTO;  // it is lost, and says so
  return error;
}

int SeeTree(void*, const ebcache_root*) { return 0; }
int SeeItem(void*, const ebcache_item*) { return 0; }
int SeeBlock(void*, const ebcache_root*, const ebcache_buffer*) { return 0; }

template <typename T>
T Sized() {
  T value{};
  value.size = sizeof value;
  return value;
}

int Walk(FilesystemStage& s) {
  auto visitor = Sized<ebcache_visitor>();
  visitor.block = SeeBlock;
  auto options = Sized<ebcache_walk_options>();
  options.visited = s.set;
  options.batch = 4;
  return ebcache_walk(s.cache, &s.root, &visitor, nullptr, &options);
}

int WalkWithReadahead(FilesystemStage& s) {
  auto how = Sized<ebcache_readahead_options>();
  how.threads = EBCACHE_NO_THREADS;
  ebcache_readahead* readahead;
  if (const int error = ebcache_readahead_create(s.cache, &how, &readahead); error != 0)
    return error;
  auto visitor = Sized<ebcache_visitor>();
  visitor.block = SeeBlock;
  auto options = Sized<ebcache_walk_options>();
  options.batch = 4;
  options.readahead = readahead;
  const int error = ebcache_walk(s.cache, &s.root, &visitor, nullptr, &options);
  ebcache_readahead_destroy(readahead);
  return error;
}

int IteratePastDamage(FilesystemStage& s) {
  auto visitor = Sized<ebcache_item_visitor>();
  visitor.item = SeeItem;
  return ebcache_iterate_past_damage(s.tree, nullptr, nullptr, &visitor, nullptr);
}

// The image with some copies of a block damaged.
struct DamagedImage {
  const unsigned char* bytes;
  uint64_t damaged[2];  // a byte of each copy, on the device; 0: of none
};

int ReadDamaged(void* context, uint64_t offset, void* to, size_t length) {
  const auto& image = *static_cast<const DamagedImage*>(context);
  std::memcpy(to, image.bytes + offset, length);
  for (const uint64_t at : image.damaged) {
    if (at != 0 && at >= offset && at - offset < length)
      static_cast<unsigned char*>(to)[at - offset] ^= 1;
  }
  return 0;
}

void SeeMirror(void*, const ebcache_mirror_damage*) {}
void SeeDamage(void*, const ebcache_walk_damage*) {}
void SeeGap(void*, const ebcache_gap*) {}

int WalkAll(ebcache_filesystem* filesystem, ebcache_tree* tree) {
  auto visitor = Sized<ebcache_visitor>();
  visitor.block = SeeBlock;
  visitor.damage = SeeDamage;
  auto root = Sized<ebcache_root>();
  const int error = ebcache_tree_root(tree, &root);
  if (error != 0) return error;
  return ebcache_walk(ebcache_filesystem_cache(filesystem), &root, &visitor, nullptr, nullptr);
}

int IterateAll(ebcache_filesystem*, ebcache_tree* tree) {
  auto visitor = Sized<ebcache_item_visitor>();
  visitor.item = SeeItem;
  visitor.gap = SeeGap;
  return ebcache_iterate_past_damage(tree, nullptr, nullptr, &visitor, nullptr);
}

// Opens the image with so many copies of the stage's leaf damaged, and makes `use` of its tree.
int WithDamage(FilesystemStage& s, uint32_t copies,
               int (*use)(ebcache_filesystem*, ebcache_tree*)) {
  unsigned long bytes = 0;
  DamagedImage image{.bytes = sample_image_bytes(&bytes), .damaged = {}};
  for (uint32_t mirror = 1; mirror <= copies; ++mirror) {
    auto place = Sized<struct ebcache_place>();
    const int error = ebcache_place(s.filesystem, ebcache_buffer_start(s.leaf), mirror, &place);
    if (error != 0) return error;
    image.damaged[mirror - 1] = place.physical + 5000;
  }
  auto device = Sized<ebcache_device>();
  device.name = "a tape with holes";
  device.context = &image;
  device.bytes = bytes;
  device.read = ReadDamaged;
  const ebcache_device* const devices[] = {&device};
  auto options = Sized<ebcache_filesystem_options>();
  options.damage = SeeMirror;
  ebcache_filesystem* filesystem;
  int error = ebcache_open_devices(devices, 1, &options, &filesystem);
  if (error != 0) return error;
  ebcache_tree* tree;
  error = ebcache_tree_open(filesystem, 5, &tree);
  if (error == 0) error = use(filesystem, tree);
  ebcache_tree_close(tree);
  const int closed = ebcache_close(filesystem);
  return closed != 0 ? closed : error;
}

using S = FilesystemStage;

// Of a filesystem, and of the blocks of it.
std::vector<Call<S>> OfFilesystems() {
  return {
      {"ebcache_open", [](S&) { return Open(); }},
      {"ebcache_open_devices", [](S&) { return OpenDevices(); }},
      {"ebcache_device_use", [](S&) { return ebcache_device_use("/dev/null"); }},
      {"ebcache_close", [](S& s) { return ebcache_close(s.filesystem); }, -EBUSY},
      {"ebcache_filesystem_cache",
       [](S& s) { return ebcache_filesystem_cache(s.filesystem) == s.cache ? 0 : -EPROTO; }},
      {"ebcache_filesystem_info",
       [](S& s) {
         auto info = Sized<struct ebcache_filesystem_info>();
         return ebcache_filesystem_info(s.filesystem, &info);
       }},
      {"ebcache_place",
       [](S& s) {
         auto place = Sized<struct ebcache_place>();
         return ebcache_place(s.filesystem, s.root.bytenr, 2, &place);
       }},
      {"ebcache_read_mirror",
       [](S& s) {
         ebcache_buffer* buffer;
         const int error = ebcache_read_mirror(s.filesystem, s.root.bytenr, 2, nullptr, &buffer);
         return PutHanded(error, buffer);
       }},
      {"ebcache_header",
       [](S& s) {
         auto header = Sized<struct ebcache_header>();
         return ebcache_header(s.leaf, &header);
       }},
      {"ebcache_leaf_slot",
       [](S& s) {
         auto item = Sized<struct ebcache_leaf_slot>();
         return ebcache_leaf_slot(s.leaf, 0, &item);
       }},
      {"ebcache_node_slot",
       [](S& s) {
         auto child = Sized<struct ebcache_node_slot>();
         return ebcache_node_slot(s.node, 0, &child);
       }},
  };
}

// Of trees, and of places in them.
std::vector<Call<S>> OfTrees() {
  return {
      {"ebcache_for_each_tree",
       [](S& s) { return ebcache_for_each_tree(s.filesystem, SeeTree, nullptr); }},
      {"ebcache_tree_open",
       [](S& s) {
         ebcache_tree* tree;
         const int error = ebcache_tree_open(s.filesystem, 2, &tree);
         if ((tree != nullptr) != (error == 0)) return -EPROTO;
         ebcache_tree_close(tree);
         return error;
       }},
      {"ebcache_tree_open_root",
       [](S& s) {
         ebcache_tree* tree;
         const int error = ebcache_tree_open_root(s.cache, &s.root, &tree);
         if ((tree != nullptr) != (error == 0)) return -EPROTO;
         ebcache_tree_close(tree);
         return error;
       }},
      {"ebcache_tree_close", [](S&) { return ebcache_tree_close(nullptr), 0; }},
      {"ebcache_tree_root",
       [](S& s) {
         auto root = Sized<ebcache_root>();
         return ebcache_tree_root(s.tree, &root);
       }},
      {"ebcache_search", [](S& s) { return Search(s, nullptr, EBCACHE_SEARCH_AT_OR_BEFORE); }},
      {"ebcache_search",
       [](S& s) {
         const ebcache_key key{.objectid = 1, .offset = 1, .type = 1};
         return Search(s, &key, EBCACHE_SEARCH_EXACT);
       },
       -ENOENT},
      {"ebcache_path_close",
       [](S& s) {
         ebcache_path_close(s.path);
         s.path = nullptr;
         return 0;
       }},
      {"ebcache_path_next", [](S& s) { return ToTheEnd(s, ebcache_path_next); }, -ENOENT},
      {"ebcache_path_previous", [](S& s) { return ToTheEnd(s, ebcache_path_previous); }, -ENOENT},
      {"ebcache_path_item",
       [](S& s) {
         auto item = Sized<ebcache_item>();
         return ebcache_path_item(s.path, &item);
       }},
      {"ebcache_path_buffer",
       [](S& s) { return ebcache_path_buffer(s.path, 0) == s.leaf ? 0 : -EPROTO; }},
      {"ebcache_path_slot", [](S& s) { return static_cast<int>(ebcache_path_slot(s.path, 0)); }},
  };
}

// Of what goes through a whole tree.
std::vector<Call<S>> OfWalks() {
  return {
      {"ebcache_iterate",
       [](S& s) { return ebcache_iterate(s.tree, nullptr, nullptr, SeeItem, nullptr); }},
      {"ebcache_iterate_past_damage", [](S& s) { return IteratePastDamage(s); }},
      {"ebcache_iterate_past_damage", [](S& s) { return WithDamage(s, 1, IterateAll); }},
      {"ebcache_iterate_past_damage", [](S& s) { return WithDamage(s, 2, IterateAll); }, -EUCLEAN},
      {"ebcache_walk", [](S& s) { return Walk(s); }},
      {"ebcache_walk", [](S& s) { return WithDamage(s, 1, WalkAll); }},
      {"ebcache_walk", [](S& s) { return WithDamage(s, 2, WalkAll); }, -EUCLEAN},
      {"ebcache_block_set_create",
       [](S&) {
         ebcache_block_set* set;
         const int error = ebcache_block_set_create(4096, &set);
         if ((set != nullptr) != (error == 0)) return -EPROTO;
         ebcache_block_set_free(set);
         return error;
       }},
      {"ebcache_walk", [](S& s) { return WalkWithReadahead(s); }},
      {"ebcache_block_set_free", [](S&) { return ebcache_block_set_free(nullptr), 0; }},
      {"ebcache_block_set_insert", [](S& s) { return ebcache_block_set_insert(s.set, 65536); }, 1},
      {"ebcache_block_set_insert", [](S& s) { return ebcache_block_set_insert(s.set, 65537); }, 1},
      {"ebcache_block_set_contains", [](S& s) { return ebcache_block_set_contains(s.set, 65536); }},
      {"ebcache_block_set_size",
       [](S& s) { return static_cast<int>(ebcache_block_set_size(s.set)); }},
  };
}

}  // namespace

std::vector<Call<FilesystemStage>> FilesystemCalls() {
  std::vector<Call<FilesystemStage>> all;
  for (const auto& some : {OfFilesystems(), OfTrees(), OfWalks()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace ebcache
