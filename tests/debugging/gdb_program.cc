// A program to be looked into: buffers in several states, and a place to stop.

#include <cstdint>
#include <cstdio>

#include "ebcache/buffer_cache.h"
#include "ebcache/ebcache.h"
#include "ebcache/extent_buffer.h"

namespace {

constexpr uint64_t kNode = 16384;

// Where gdb stops.
[[gnu::noinline]] void StopHere(const void* volatile* keep) { std::printf("%p\n", *keep); }

}  // namespace

int main() {
  ebcache::BufferCache cache({.budget_bytes = 0});
  ebcache::ExtentBufferRef empty;
  auto dirty = cache.CreateOrFind(3 * kNode, ebcache::NewBytes::kZeroed);
  auto fresh = cache.Create(5 * kNode);
  if (!dirty.ok() || !fresh.ok()) return 1;
  dirty->buffer.SetDirty();
  const ebcache::ExtentBufferRef second = dirty->buffer.Share();
  const ebcache::ExtentBufferRef& first = dirty->buffer;
  const ebcache::ExtentBuffer& descriptor = **fresh;
  const ebcache::BufferState state = second->state();
  const ebcache::Folio folio(77), no_folio;
  // As a program in C has it.
  ebcache_buffer* c_buffer = reinterpret_cast<ebcache_buffer*>(second.get());
  const void* volatile kept[] = {&first, &descriptor, &state, &folio, &no_folio, &empty, &c_buffer};
  StopHere(kept);
  cache.GiveUpWrites();
  return 0;
}
