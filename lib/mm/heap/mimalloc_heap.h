// MimallocHeap: mimalloc's heap, had without becoming the process's malloc.
//
// Debian's libmimalloc defines malloc, so that a library which was linked with it would replace the
// allocator of each program that embeds this one. It is therefore loaded by name, with its symbols for
// this library alone; or, where the program has linked it itself, that one is used.
//
// Thread safety: any thread.

#ifndef EBCACHE_LIB_MM_HEAP_MIMALLOC_HEAP_H_
#define EBCACHE_LIB_MM_HEAP_MIMALLOC_HEAP_H_

#include <memory>

#include "ebcache/allocators.h"

namespace ebcache {

// Null where there is none: it is not installed, there is no memory to load it, or the program is linked
// statically.
std::shared_ptr<HeapMemory> MimallocHeap();

// The C library's heap.
std::shared_ptr<HeapMemory> CLibraryHeap();

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_HEAP_MIMALLOC_HEAP_H_
