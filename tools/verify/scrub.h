// The offline scrub: all metadata of a filesystem, every copy of every block.

#ifndef EBCACHE_TOOLS_VERIFY_SCRUB_H_
#define EBCACHE_TOOLS_VERIFY_SCRUB_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/filesystem.h"
#include "tools/damage.h"
#include "tools/mutex.h"
#include "tools/progress.h"
#include "tools/verify/copy_scrubber.h"

namespace ebcache::tools {

// What a scrub came to.
struct ScrubReport {
  Filesystem* filesystem = nullptr;
  uint64_t blocks = 0;  // good in at least one copy
  DeviceTally totals;
  std::map<uint64_t, DeviceTally> devices;
  std::vector<DamagedCopy> damaged;
  // Blocks that cannot be had at all, or are not what their place in a tree asks for: what is below
  // them was not looked at. Each is told once.
  LostBlocks lost;
  std::vector<std::string> superblocks;  // copies of it that are damaged, or old
  double elapsed_s = 0;

  uint64_t bytes_read() const;
  double bytes_per_s() const {
    return elapsed_s > 0 ? static_cast<double>(bytes_read()) / elapsed_s : 0;
  }
  uint64_t lost_count() const { return lost.count(Cause::kDamage); }
  bool damage() const { return totals.damaged != 0 || lost_count() != 0 || !superblocks.empty(); }
  // There is something that was not read: its device is missing, or there was no memory.
  bool incomplete() const {
    return totals.missing != 0 || totals.no_memory != 0 || lost.unread_count() != 0;
  }
};

// Collects what a volume tells of copies that it could not use, for the scrub to ask for when it
// comes to their block.
//
// Thread safety: all methods from any thread.
class LostCopies {
 public:
  // For FilesystemOptions::on_damage.
  void Note(const MirrorDamage& damage);
  // Of the last read of this block, which found no good copy.
  std::vector<MirrorDamage> Take(uint64_t logical);

 private:
  Mutex mutex_;
  // By address, then mirror.
  std::map<uint64_t, std::map<int, MirrorDamage>> copies_ ABSL_GUARDED_BY(mutex_);
};

// `lost` has been told of all damage since `filesystem` was opened.
ScrubReport Scrub(Filesystem& filesystem, LostCopies& lost, Progress& progress,
                  Readahead* readahead = nullptr);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_VERIFY_SCRUB_H_
