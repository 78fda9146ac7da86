// What the parts of a check have in common.

#ifndef EBCACHE_TOOLS_CHECK_STATE_H_
#define EBCACHE_TOOLS_CHECK_STATE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/block_set.h"
#include "ebcache/btree.h"
#include "ebcache/filesystem.h"
#include "tools/check/findings.h"
#include "tools/check/keyed_hash.h"
#include "tools/damage.h"
#include "tools/mutex.h"
#include "tools/progress.h"

namespace ebcache::tools {

// A BlockSet for several threads.
class SharedBlockSet {
 public:
  explicit SharedBlockSet(uint32_t node_bytes) : set_(node_bytes) {}
  bool Insert(uint64_t block) {
    const MutexLock lock(mutex_);
    return set_.Insert(block);
  }
  bool Contains(uint64_t block) const {
    const MutexLock lock(mutex_);
    return set_.Contains(block);
  }
  uint64_t size() const {
    const MutexLock lock(mutex_);
    return set_.size();
  }

 private:
  mutable Mutex mutex_;
  BlockSet set_ ABSL_GUARDED_BY(mutex_);
};

// Addresses in a fixed number of bytes: one that was inserted is always found, another one hardly ever.
class AddressFilter {
 public:
  AddressFilter(const HashKey& key, uint64_t bytes);
  void Insert(uint64_t address);
  bool MayContain(uint64_t address) const;

 private:
  const HashKey key_;
  int shift_;
  mutable Mutex mutex_;
  std::vector<uint64_t> bits_ ABSL_GUARDED_BY(mutex_);
};

// Blocks that cannot be had, from any thread.
class LostLog {
 public:
  explicit LostLog(const Volume& volume) : volume_(volume) {}
  void Note(const WalkDamage& damage) {
    const MutexLock lock(mutex_);
    lost_.Note(damage, CauseOf(damage, volume_));
  }
  // REQUIRES: no thread notes any more.
  const LostBlocks& lost() const { return lost_; }

 private:
  const Volume& volume_;
  Mutex mutex_;
  LostBlocks lost_;
};

// How much of a check is done, told on the terminal by whichever thread comes by.
class Meter {
 public:
  Meter(Progress& progress, uint64_t whole_bytes) : progress_(progress), whole_(whole_bytes) {}
  // Of what the whole is made of.
  void Add(uint64_t bytes, const std::string& what);
  uint64_t done() const {
    const MutexLock lock(mutex_);
    return done_;
  }
  void Grow(uint64_t bytes) {
    const MutexLock lock(mutex_);
    whole_ += bytes;
  }

 private:
  Progress& progress_;
  mutable Mutex mutex_;
  uint64_t whole_;
  uint64_t done_ = 0;
};

struct CheckState {
  Filesystem& filesystem;
  const Superblock superblock;
  const HashKey key;
  const uint32_t threads;
  FindingLog& findings;
  LostLog& lost;
  Meter& meter;
  SharedBlockSet full_backrefs;     // blocks whose references are by parent
  SharedBlockSet shared;            // blocks with more than one reference
  AddressFilter without_checksums;  // data extents that checksums do not cover wholly
  // Simple quotas: bytes charged to a subvolume, by its id; guarded by the mutex.
  Mutex charges_mutex;
  std::map<uint64_t, int64_t> charges;
  std::optional<uint64_t> charge_since;  // generation; none: no simple quotas

  uint32_t node_bytes() const { return superblock.node_bytes; }
  uint32_t sector_bytes() const { return superblock.sector_bytes; }
  void Charge(uint64_t tree, uint64_t bytes) {
    const MutexLock lock(charges_mutex);
    charges[tree] += static_cast<int64_t>(bytes);
  }
};

// The items of a range of a tree, one after the other; what cannot be read is noted and passed over.
class ItemStream {
 public:
  // `tree` none: a stream of nothing.
  ItemStream(CheckState& state, const std::optional<BTree>& tree, KeyRange range);
  ~ItemStream();
  ItemStream(const ItemStream&) = delete;
  ItemStream& operator=(const ItemStream&) = delete;

  bool valid() const;
  // REQUIRES: valid().
  const Item& item() const;
  void Next();
  // Whether a part of the range was left out so far.
  bool gaps() const { return gaps_; }

 private:
  void Count();

  CheckState& state_;
  std::string tree_;
  std::optional<ItemRange> items_;
  std::optional<ItemRange::Iterator> at_;
  uint64_t bytes_ = 0;  // of items since the meter was told
  bool gaps_ = false;
};

// The tree with this id, if it can be had; what cannot is noted as lost.
std::optional<BTree> FindTree(CheckState& state, uint64_t id);

// Does tasks 0 to count - 1 on `threads` threads, the caller's among them. An exception of one is
// thrown here when all have ended.
void ForEachTask(uint32_t threads, size_t count, absl::FunctionRef<void(size_t)> task);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_STATE_H_
