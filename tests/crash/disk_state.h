// What is to be found on the disks of a filesystem: which state of it, and whether it is whole.

#ifndef EBCACHE_TESTS_CRASH_DISK_STATE_H_
#define EBCACHE_TESTS_CRASH_DISK_STATE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/crash/disks.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {

struct DiskState {
  // Of the superblock that it was opened by.
  uint64_t generation = 0;
  // Of all bytes of the superblock that do not tell copies and devices apart, and of all blocks of
  // all trees, in order: two states with one digest have the same items in the same places.
  uint64_t digest = 0;
  // Not empty: it cannot be opened, or some copy of some block is not what it is to be.
  std::string complaint;
};
DiskState LookAt(const Disks& disks);

// By device, and by copy: the generation of each superblock that is valid. Those that a device has
// no room for are left out.
using SuperblockGenerations = std::vector<std::vector<std::optional<uint64_t>>>;
SuperblockGenerations SuperblocksOf(const Disks& disks);

// Nothing where extent tree, block group items, free space tree and superblock all say of every
// block that a tree reaches that it is used, and of all other space that it is free, each in the
// trees that the superblock's features say and in no others.
std::string SpaceComplaintOf(const Disks& disks);
std::string SpaceComplaintOf(Filesystem& filesystem);

// Nothing where the newest backup roots lead where the superblock does, and the others are those
// of `before` but for the one that was the oldest.
std::string BackupComplaintOf(const Disks& before, const Disks& after);

// The items of the tree of files.
ItemMap FileItemsOf(const Disks& disks);

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_CRASH_DISK_STATE_H_
