// DelayedRefs: what a transaction has still to tell the extent tree.
//
// The extent tree describes its own blocks, so to change it changes it. A transaction therefore
// collects what happens to extents, and applies it when it commits, an extent at a time, until
// nothing is left. What cancels meanwhile never gets there: a block that is made and freed in one
// transaction leaves no trace.
//
// Thread safety: one thread at a time.

#ifndef EBCACHE_LIB_SPACE_DELAYED_REFS_H_
#define EBCACHE_LIB_SPACE_DELAYED_REFS_H_

#include <absl/status/status.h>

#include <cstdint>
#include <map>
#include <optional>

#include "lib/space/extent_refs.h"

namespace ebcache::space {

class DelayedRefs {
 public:
  // What is known of an extent before the extent tree has heard of it.
  struct Pending {
    bool is_new = false;
    bool full_backref = false;
    int64_t references = 0;  // more, or fewer, than in the tree
  };

  // An extent that is new in this transaction, with its first reference. `change` says what it is;
  // REQUIRES: change.is_new, one delta of 1. AlreadyExists: something is pending of what was at that
  // address. (An extent of the last commit that was freed is not to be used before the next one; one
  // of this transaction left nothing here.)
  absl::Status AddNew(const ExtentChange& change);

  enum class Outcome {
    kPending,    // the tree has to hear of it
    kNothing,    // it is in the tree, and is again what it is there
    kCancelled,  // it was new, and nothing refers to it any more: its space is free, and was never
                 // told of
  };
  // `count` more references by `ref`, or fewer. Of an extent that is in the tree, or was added here;
  // `extent` says what it is, its deltas are not looked at.
  Outcome Add(const ExtentChange& extent, const ExtentRef& ref, int64_t count);

  // The block's references are by its address from now on.
  void SetFullBackref(const ExtentChange& extent);

  // What is pending for an extent; nullopt when nothing is.
  std::optional<Pending> Find(uint64_t bytenr) const;

  // What the tree would have to hear of an extent with `count` more references by `ref`, or fewer.
  ExtentChange With(const ExtentChange& extent, const ExtentRef& ref, int64_t count) const;

  // Takes the change of the lowest address at or behind `from`; nullopt when there is none.
  std::optional<ExtentChange> Take(uint64_t from = 0);

  size_t size() const { return extents_.size(); }
  bool empty() const { return extents_.empty(); }
  void Clear() { extents_.clear(); }

 private:
  struct Entry {
    ExtentChange extent;  // without deltas
    std::map<ExtentRef, int64_t> deltas;
  };
  Entry& EntryOf(const ExtentChange& extent);
  // Whether nothing of it is left to tell.
  static bool IsNothing(const Entry& entry);
  static ExtentChange ChangeOf(const Entry& entry);

  std::map<uint64_t, Entry> extents_;
};

}  // namespace ebcache::space

#endif  // EBCACHE_LIB_SPACE_DELAYED_REFS_H_
