// WrittenPlaces: where blocks of the generation that is not committed yet have been written.
//
// A copy of a block that a device has failed to write has what was there before. Readers find that by
// its generation, but where that was a block of the same one: of this transaction, written early and
// freed since, or of one that was aborted before it. Nothing on the disk tells those two apart. (What a
// session before this one has written in vain is not known.)
//
// Thread safety: one thread at a time.

#ifndef EBCACHE_LIB_TXN_WRITTEN_PLACES_H_
#define EBCACHE_LIB_TXN_WRITTEN_PLACES_H_

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace ebcache::txn {

class WrittenPlaces {
 public:
  // A block is about to be written. Throws bad_alloc, and has then changed nothing.
  void Add(uint64_t bytenr);
  // The transaction has freed the block that was written there. Nothing where none was.
  void Freed(uint64_t bytenr);
  // The transaction was aborted: it has none of its blocks any more, and they may be there. Needs no
  // memory, as the next one.
  void Aborted();
  // It was committed: from now on blocks are of another generation.
  void Committed() { places_.clear(); }

  // Whether a block was written there, of whatever has become of it.
  bool Has(uint64_t bytenr) const { return places_.contains(bytenr); }
  // Where the transaction has blocks that were written, by address. Throws bad_alloc.
  std::vector<uint64_t> Live() const;
  // Of these, where another block had been written before.
  std::vector<uint64_t> WrittenOver() const;
  // Calls visit(bytenr) for each of Live(), in no order.
  template <typename Visit>
  void ForEachLive(Visit visit) const {
    for (const auto& [bytenr, place] : places_) {
      if (place.live) visit(bytenr);
    }
  }

 private:
  struct Place {
    bool live = false;   // the open transaction has a block there
    bool again = false;  // it is not the first one
  };
  // Not one of Abseil's, which is broken for good when it finds no memory to grow.
  std::unordered_map<uint64_t, Place> places_;
};

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_WRITTEN_PLACES_H_
