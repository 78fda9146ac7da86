// Commits of several kinds, for crashes and failures to come between.

#ifndef EBCACHE_TESTS_CRASH_COMMIT_KINDS_H_
#define EBCACHE_TESTS_CRASH_COMMIT_KINDS_H_

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "ebcache/transaction.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {

// Changes the tree of files, and a map beside it.
class Editor {
 public:
  Editor(Transaction* transaction, ItemMap* items) : transaction_(*transaction), items_(*items) {}

  // Attributes of these numbers.
  absl::Status Insert(uint64_t first, uint64_t count, size_t bytes = 100);
  absl::Status Replace(uint64_t first, uint64_t count, size_t bytes, uint8_t salt);
  absl::Status Remove(uint64_t first, uint64_t count);
  // Every leaf of the tree, and of no other.
  absl::Status Rewrite(uint64_t tree);
  absl::Status SetLabel(const char* label) { return transaction_.SetLabel(label); }
  // Makes the free space tree where there is none, or removes it.
  absl::Status TurnFreeSpaceTree();
  // The same of the block group tree, with a free space tree that it needs. Where the filesystem cannot
  // have it, it has to be refused, and then the tree of files is copied.
  absl::Status TurnBlockGroupTree();

 private:
  Transaction& transaction_;
  ItemMap& items_;
};

// One transaction.
struct Step {
  absl::Status (*change)(Editor& editor);
  SessionOptions options = {};
  // In the session of the step before it. A new session looks for space from the front: it comes by
  // what commits before it have freed.
  bool same_session = false;
};

struct CommitKind {
  const char* name;            // letters and digits
  std::vector<Step> before;    // of which nothing is recorded
  std::vector<Step> recorded;  // each ends with a commit
  // How many states that a crash may leave are looked at, on each kind of disks.
  size_t states;
};
extern const std::vector<CommitKind> kCommitKinds;
// For the smallest disks.
extern const CommitKind kUseSpaceTwice;

// Does the steps, and calls committed(i) after each that has succeeded. Ends with the first error.
absl::Status RunSteps(Filesystem& filesystem, const std::vector<Step>& steps, ItemMap* items,
                      const std::function<void(size_t)>& committed);

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_CRASH_COMMIT_KINDS_H_
