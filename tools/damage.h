// What was found damaged, block by block, and apart from it what no walk can tell of: each block
// once.

#ifndef EBCACHE_TOOLS_DAMAGE_H_
#define EBCACHE_TOOLS_DAMAGE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/volume.h"
#include "tools/mutex.h"

namespace ebcache::tools {

// Why a block cannot be had.
enum class Cause {
  kDamage,         // it is bad, or not what its place in the tree asks for
  kMissingDevice,  // its copies are on devices that were not given: it may be as good as any
  kNoMemory,       // there was no room to read it into
};
inline constexpr int kCauses = 3;
// "damage", "missing device", "no memory"
const char* CauseName(Cause cause);
Cause CauseOf(const WalkDamage& damage, const Volume& volume);

// A block of which at least one copy could not be used, or that is not what its place in the tree
// asks for.
struct BlockDamage {
  uint64_t tree = 0;  // the first that was found to lead there
  uint64_t key_offset = 0;
  bool tree_deleted = false;
  uint8_t level = 0;
  uint64_t logical = 0;
  std::string reason;
  bool recovered = false;  // another copy was good
  std::vector<MirrorDamage> mirrors;
  uint64_t places = 1;  // pointers to it that were met, in all trees

  // "tree FS_TREE, level 1, block 30408704: ..."
  std::string ToString() const;
};
// "256", "256 (deleted)"
std::string TreeNameWithState(uint64_t tree, uint64_t key_offset, bool deleted);

// Of each cause the first kKept are remembered, the others counted.
//
// Thread safety: belongs to one thread.
class LostBlocks {
 public:
  static constexpr size_t kKept = 1000;

  // True the first time that this block, or this item of it, is told of.
  bool Note(const WalkDamage& damage, Cause cause, std::vector<MirrorDamage> mirrors = {});

  const std::vector<BlockDamage>& kept(Cause cause) const { return Of(cause).kept; }
  uint64_t count(Cause cause) const { return Of(cause).count; }
  // Blocks that may be good: of all causes but damage.
  uint64_t unread_count() const { return count(Cause::kMissingDevice) + count(Cause::kNoMemory); }

 private:
  // What is told of once: a block, or one item of a block that is good otherwise.
  using Subject = std::tuple<uint64_t, bool, uint64_t, uint8_t, uint64_t>;
  struct List {
    std::vector<BlockDamage> kept;
    uint64_t count = 0;
  };
  struct Place {
    Cause cause;
    size_t index;  // in kept, if it is below kKept
  };
  // A hostile image can claim any number of blocks: those after so many are counted each time.
  static constexpr size_t kMostSubjects = 1000000;

  const List& Of(Cause cause) const { return lists_[static_cast<size_t>(cause)]; }

  std::array<List, kCauses> lists_;
  std::map<Subject, Place> told_;
};

// Put together from what the volume says of copies and what walks say of places in trees.
//
// Of each kind, lost and recovered, the first kKept are remembered, the others counted. Each block
// is told of once, with the tree that led there first.
//
// Thread safety: NoteMirror from any thread; the rest belongs to the thread that walks.
class DamageLog {
 public:
  static constexpr size_t kKept = LostBlocks::kKept;

  // For FilesystemOptions::on_damage.
  void NoteMirror(const MirrorDamage& damage);

  // A block was read: what was noted of its copies is damage that was recovered. Each block is
  // reported for the first tree that has it.
  void NoteGoodBlock(const TreeRoot& tree, const ExtentBuffer& block);

  // What a walk could not enter.
  void NoteDamage(const WalkDamage& damage, Cause cause);

  const LostBlocks& lost() const { return lost_; }
  const std::vector<BlockDamage>& recovered() const { return recovered_; }
  uint64_t lost_count() const { return lost_.count(Cause::kDamage); }
  uint64_t recovered_count() const { return recovered_blocks_.size(); }

 private:
  // What was noted of the copies of a block since it was read last.
  std::vector<MirrorDamage> TakeMirrors(uint64_t logical);

  Mutex mutex_;
  // Emptied as the walk gets to the blocks, so never larger than what it reads ahead.
  std::unordered_map<uint64_t, std::vector<MirrorDamage>> mirrors_ ABSL_GUARDED_BY(mutex_);

  std::unordered_set<uint64_t> recovered_blocks_;
  LostBlocks lost_;
  std::vector<BlockDamage> recovered_;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_DAMAGE_H_
