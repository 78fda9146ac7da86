// Inodes against their items.
//
// All items of an inode are neighbours in their tree, but a leaf, or a subtree that snapshots share and
// that is gone through once, may hold a part of them only. So what is known of a part is kept as a value
// of fixed size, and two neighbours are joined.

#ifndef EBCACHE_TOOLS_CHECK_INODE_PART_H_
#define EBCACHE_TOOLS_CHECK_INODE_PART_H_

#include <absl/functional/function_ref.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "ebcache/items_file.h"
#include "ebcache/key.h"
#include "tools/check/fact.h"
#include "tools/check/findings.h"

namespace ebcache::tools {

// What takes the facts that files make: kEntry, kLink, kKindOfFile, kOrphan.
class FileFacts {
 public:
  virtual ~FileFacts() = default;
  virtual void Add(const Fact& fact, int64_t times) = 0;
};

// What is held against the filesystem as a whole.
struct FileRules {
  uint64_t tree = 0;
  uint64_t generation = 0;  // of the superblock
  uint32_t sector_bytes = 0;
  bool holes_have_items = false;   // the feature no-holes is off
  FindingLog* findings = nullptr;  // null: nothing is told
};

struct InodePart {
  uint64_t inode = 0;
  bool has_item = false;
  uint32_t link_count = 0;
  uint32_t mode = 0;
  uint64_t size = 0;
  uint64_t disk_bytes = 0;
  uint64_t generation = 0;
  uint64_t flags = 0;
  // Counted.
  uint64_t names = 0;
  uint64_t links = 0;  // names but that of a top directory in itself
  uint64_t entry_bytes = 0;
  uint64_t entries = 0;
  uint64_t extents = 0;
  uint64_t extent_bytes = 0;
  // Of its extents.
  uint64_t first_start = 0;
  uint64_t last_end = 0;
  std::optional<uint64_t> gap;      // the first place between two that has no item
  std::optional<uint64_t> overlap;  // the first extent that begins before the one before it ends

  void TakeExtent(uint64_t start, uint64_t end, uint64_t bytes);
  // `next` is the part right behind this one.
  void Join(const InodePart& next);
  // All of its items are here: what is wrong with them, and the facts that the inode makes.
  void Judge(const FileRules& rules, FileFacts& facts) const;

 private:
  void JudgeExtents(const FileRules& rules) const;
};

// DirEntryType of a mode; 0 where it is of no kind.
uint8_t EntryTypeOfMode(uint32_t mode);

// The inodes of a run of items: those that may go on at either end, and judged what is between.
struct InodeRun {
  std::optional<InodePart> first;
  std::optional<InodePart> last;  // of another inode than the first

  // The run behind this one.
  void Join(const InodeRun& next, const FileRules& rules, FileFacts& facts);
  // There is no more at either end.
  void Close(const FileRules& rules, FileFacts& facts);
};

// One item of a tree of files. `run` grows at its end.
void TakeFileItem(const Key& key, absl::Span<const std::byte> data, const FileRules& rules,
                  InodeRun& run, FileFacts& facts);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_INODE_PART_H_
