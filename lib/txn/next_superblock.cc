#include "lib/txn/next_superblock.h"

#include <algorithm>

namespace ebcache::txn {
namespace {

// Where a root is, in a backup.
void Set(const std::map<uint64_t, TreeState>& states, uint64_t tree, uint64_t& bytenr,
         uint64_t& generation, uint8_t& level) {
  const auto at = states.find(tree);
  if (at == states.end()) return;
  bytenr = at->second.bytenr;
  generation = at->second.generation;
  level = at->second.level;
}

BackupRoot BackupOf(const Superblock& superblock, const std::map<uint64_t, TreeState>& states) {
  BackupRoot backup{.total_bytes = superblock.total_bytes,
                    .bytes_used = superblock.bytes_used,
                    .num_devices = superblock.num_devices};
  Set(states, kRootTreeId, backup.root, backup.root_generation, backup.root_level);
  Set(states, kChunkTreeId, backup.chunk_root, backup.chunk_root_generation,
      backup.chunk_root_level);
  Set(states, kExtentTreeId, backup.extent_root, backup.extent_root_generation,
      backup.extent_root_level);
  Set(states, kFsTreeId, backup.fs_root, backup.fs_root_generation, backup.fs_root_level);
  Set(states, kDevTreeId, backup.dev_root, backup.dev_root_generation, backup.dev_root_level);
  Set(states, kCsumTreeId, backup.csum_root, backup.csum_root_generation, backup.csum_root_level);
  return backup;
}

}  // namespace

Superblock NextSuperblock(const Superblock& last, const std::map<uint64_t, TreeState>& states,
                          uint64_t generation, uint64_t bytes_used) {
  Superblock next = last;
  const TreeState& root = states.at(kRootTreeId);
  const TreeState& chunk = states.at(kChunkTreeId);
  next.generation = generation;
  next.root = root.bytenr;
  next.root_level = root.level;
  next.chunk_root = chunk.bytenr;
  next.chunk_root_level = chunk.level;
  next.chunk_root_generation = chunk.generation;
  next.bytes_used = bytes_used;
  // Equal says that the uuid tree is complete, and it is as complete as it was.
  if (last.uuid_tree_generation == last.generation) next.uuid_tree_generation = generation;
  // They take turns: the one behind the newest is the oldest.
  const auto newest = std::max_element(last.backup_roots.begin(), last.backup_roots.end(),
                                       [](const BackupRoot& a, const BackupRoot& b) {
                                         return a.root_generation < b.root_generation;
                                       });
  const size_t slot =
      static_cast<size_t>(newest - last.backup_roots.begin() + 1) % next.backup_roots.size();
  next.backup_roots[slot] = BackupOf(next, states);
  return next;
}

}  // namespace ebcache::txn
