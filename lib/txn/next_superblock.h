// The superblock of a commit, from the last one and what the transaction has made.

#ifndef EBCACHE_LIB_TXN_NEXT_SUPERBLOCK_H_
#define EBCACHE_LIB_TXN_NEXT_SUPERBLOCK_H_

#include <cstdint>
#include <map>
#include <string>

#include "ebcache/on_disk.h"
#include "lib/txn/tree_state.h"

namespace ebcache::txn {

// `states`: every tree that a superblock or a backup root tells of, as the transaction has it (a tree
// that there is not, is left out). `generation` is that of the transaction. Everything else is as in
// `last`, the superblock that the transaction has changed nothing of but what callers asked for.
Superblock NextSuperblock(const Superblock& last, const std::map<uint64_t, TreeState>& states,
                          uint64_t generation, uint64_t bytes_used);

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_NEXT_SUPERBLOCK_H_
