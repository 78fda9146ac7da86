// TreeAndList: a cache of metadata blocks in the manner of btrfs-progs, written from what is known
// of its behaviour, for one thread:
//
//   - a red-black tree by address, whose nodes are the headers of the blocks;
//   - create or find: a block that is found moves to the young end of an LRU list and gains a
//     reference;
//   - one allocation a block: the header, and behind it the payload, zeroed;
//   - over its limit a block that is made walks the list from the old end and frees idle blocks.
//   What
//     is in use stays where it is, so with everything in use each such walk looks at all blocks.
//
// The tree is the standard library's: its nodes are laid out and searched like any red-black
// tree's, and its allocator is told to ask for the payload along with a node. Memory is the C
// library's own, also where the program has another malloc, because that is what such programs
// have.

#ifndef EBCACHE_BENCH_CACHE_TREE_AND_LIST_H_
#define EBCACHE_BENCH_CACHE_TREE_AND_LIST_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <set>

#include "bench/cache/system_heap.h"

namespace ebcache::bench {

class TreeAndList {
 public:
  struct Block {
    uint64_t start;
    // What the set's order does not depend on may change inside of it.
    mutable const Block* older;
    mutable const Block* newer;
    mutable int32_t references;
    mutable uint32_t flags;
    // As much again as such headers have: generation, owner's pointers, device and mirror.
    std::byte others[48];

    bool operator<(const Block& other) const { return start < other.start; }
    bool operator<(uint64_t other) const { return start < other; }
    friend bool operator<(uint64_t one, const Block& other) { return one < other.start; }
  };
  enum class Payload {
    kZeroed,     // as in life
    kUntouched,  // as large, not touched: for look-ups among more blocks than memory holds
  };

  // Keeps `limit_bytes` of payload; 0: no limit.
  TreeAndList(uint32_t node_bytes, uint64_t limit_bytes)
      : node_bytes_(node_bytes),
        limit_bytes_(limit_bytes),
        blocks_(std::less<>(), Memory<Block>(node_bytes, &payload_)) {
    ends_.older = ends_.newer = &ends_;
  }
  TreeAndList(const TreeAndList&) = delete;
  TreeAndList& operator=(const TreeAndList&) = delete;

  // With a reference, and young again; null when there is none.
  const Block* Find(uint64_t start) {
    const auto it = blocks_.find(start);
    if (it == blocks_.end()) return nullptr;
    Unlink(*it);
    LinkNewest(*it);
    ++it->references;
    return &*it;
  }

  // The same, or a new one.
  const Block* FindOrCreate(uint64_t start, Payload payload) {
    if (const Block* found = Find(start)) return found;
    MakeRoom();
    payload_ = payload;
    const Block& made = *blocks_.emplace(Block{.start = start, .references = 1}).first;
    LinkNewest(made);
    bytes_ += node_bytes_;
    return &made;
  }

  void Put(const Block* block) { --block->references; }

  // REQUIRES: idle.
  void Free(const Block* block) {
    Unlink(*block);
    bytes_ -= node_bytes_;
    blocks_.erase(blocks_.find(block->start));
  }

  void FreeIdle() {
    for (const Block* at = ends_.newer; at != &ends_;) {
      const Block* next = at->newer;
      if (at->references == 0) Free(at);
      at = next;
    }
  }

  auto begin() const { return blocks_.begin(); }
  auto end() const { return blocks_.end(); }
  // Blocks looked at for one that can go.
  uint64_t steps() const { return steps_; }

 private:
  // Gives a node of the tree room for payload behind it.
  template <typename T>
  struct Memory {
    using value_type = T;
    Memory(size_t extra_bytes, const Payload* payload)
        : extra_bytes(extra_bytes), payload(payload) {}
    template <typename U>
    Memory(const Memory<U>& other)  // NOLINT(google-explicit-constructor): as allocators are
        : extra_bytes(other.extra_bytes), payload(other.payload) {}
    T* allocate(size_t n) {
      const size_t bytes = n * sizeof(T) + extra_bytes;
      const SystemHeap& heap = SystemHeap::Get();
      const bool zeroed = *payload == Payload::kZeroed;
      void* memory = zeroed ? heap.calloc(1, bytes) : heap.malloc(bytes);
      if (memory == nullptr) std::abort();
      // Who makes a new block in earnest zeroes it, whatever calloc did.
      if (zeroed) std::memset(static_cast<T*>(memory) + n, 0, extra_bytes);
      return static_cast<T*>(memory);
    }
    void deallocate(T* memory, size_t) { SystemHeap::Get().free(memory); }
    template <typename U>
    bool operator==(const Memory<U>&) const {
      return true;
    }
    size_t extra_bytes;
    const Payload* payload;  // of the block that is being made
  };

  static void Unlink(const Block& block) {
    block.older->newer = block.newer;
    block.newer->older = block.older;
  }
  void LinkNewest(const Block& block) {
    block.newer = &ends_;
    block.older = ends_.older;
    ends_.older->newer = &block;
    ends_.older = &block;
  }

  void MakeRoom() {
    if (limit_bytes_ == 0) return;
    for (const Block* at = ends_.newer; at != &ends_ && bytes_ + node_bytes_ > limit_bytes_;) {
      ++steps_;
      const Block* next = at->newer;
      if (at->references == 0) Free(at);
      at = next;
    }
  }

  const uint64_t node_bytes_;
  const uint64_t limit_bytes_;
  uint64_t bytes_ = 0;
  uint64_t steps_ = 0;
  Payload payload_ = Payload::kZeroed;  // of the block that is being made
  Block ends_{};                        // newer: the oldest of all; older: the newest
  std::set<Block, std::less<>, Memory<Block>> blocks_;
};

}  // namespace ebcache::bench

#endif  // EBCACHE_BENCH_CACHE_TREE_AND_LIST_H_
