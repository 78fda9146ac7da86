// What an edit of a block says: done, or why not.
//
// An edit that is not kDone has changed no byte of any block that it was given. Where several
// reasons hold, the one that comes first below is told.

#ifndef EBCACHE_LIB_TREE_EDIT_RESULT_H_
#define EBCACHE_LIB_TREE_EDIT_RESULT_H_

#include <cstdint>
#include <ostream>

namespace ebcache::edit {

enum class [[nodiscard]] Result : uint8_t{
    kDone,
    kMismatch,    // two blocks of different sizes or levels, or that share memory
    kWrongLevel,  // items are for leaves, pointers for nodes
    kBadSlot,     // there is no such slot, or no such place between slots
    kBadCount,    // none, or more than there are
    kBadData,     // the data is not as long as the item, or lies in the block that is edited
    kBadPointer,  // a pointer to block 0
    kTooLarge,    // no leaf of this size could hold the item, even if it were empty
    kKeyOrder,    // keys would not rise from slot to slot
    kNoRoom,      // the block has fewer unused bytes than it takes
};

// "no room" and the like, for messages. Static.
const char* ResultWords(Result result);

inline std::ostream& operator<<(std::ostream& out, Result result) {
  return out << ResultWords(result);
}

}  // namespace ebcache::edit

#endif  // EBCACHE_LIB_TREE_EDIT_RESULT_H_
